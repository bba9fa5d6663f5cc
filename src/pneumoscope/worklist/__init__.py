"""The store of the reading room: studies, films, readings, verdicts, users, and the audit log."""

from pneumoscope.worklist.opened import Worklist, open_worklist

__all__ = ["Worklist", "open_worklist"]
