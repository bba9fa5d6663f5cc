"""From a file, bytes, a picture or an array to a ``Radiograph``, or to one clear reason why not."""

from pneumoscope.films.load import load
from pneumoscope.films.sniff import FILM_SUFFIXES, looks_like_film, sniff

__all__ = ["FILM_SUFFIXES", "load", "looks_like_film", "sniff"]
