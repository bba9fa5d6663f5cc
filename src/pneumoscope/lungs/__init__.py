"""Where the lungs are: a small network of its own finds them on any film."""

from pneumoscope.lungs.field import LungField, box_of
from pneumoscope.lungs.find import LungFinder, lung_finder, lungs_input

__all__ = ["LungField", "LungFinder", "box_of", "lung_finder", "lungs_input"]
