"""The layouts of data sets that are understood: one file each, one table of them all."""

from pneumoscope.dataset.sources.layout import Candidate, Listing, Source
from pneumoscope.dataset.sources.registry import SOURCES, find_source

__all__ = ["SOURCES", "Candidate", "Listing", "Source", "find_source"]
