"""The families of networks: the house network, the field's classic small ones, and transfer learning."""
