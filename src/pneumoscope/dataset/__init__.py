"""From a folder of labelled films to a manifest, a split by patient, and a cache of decoded films."""

from pneumoscope.dataset.cache import Cache
from pneumoscope.dataset.manifest import FilmRow, Manifest
from pneumoscope.dataset.pixels import read_film
from pneumoscope.dataset.scan import scan
from pneumoscope.dataset.split import Split, k_folds, leave_out, make_split

__all__ = ["Cache", "FilmRow", "Manifest", "Split", "k_folds", "leave_out", "make_split", "read_film", "scan"]
