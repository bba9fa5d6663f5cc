"""The families of networks: the house network, the field's classic small ones, and transfer learning."""

from pneumoscope.networks.base import Network, parameters_count
from pneumoscope.networks.catalogue import build, default_size, families

__all__ = ["Network", "build", "default_size", "families", "parameters_count"]
