"""The store of the reading room: studies, films, readings, verdicts, users, and the audit log."""
