"""Quality head."""
