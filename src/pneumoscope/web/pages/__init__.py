"""The pages: one module each, with a ``router``; ``app.py`` lists them."""

from __future__ import annotations
