"""How good a model is: its figures with their intervals, and the pictures that show them."""
