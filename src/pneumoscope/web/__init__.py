"""The reading room: a web application and its API."""
