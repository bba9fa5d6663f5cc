"""Who may come in, what they may do, and what is written down of it."""

from __future__ import annotations

from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.who import Admin, Identity, Reader, Writer

__all__ = ["Admin", "Denied", "Identity", "Reader", "Writer"]
