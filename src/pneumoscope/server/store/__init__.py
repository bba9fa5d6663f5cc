"""The store of the server: studies, films, readings, verdicts, users, audit log, and the bytes of films."""
