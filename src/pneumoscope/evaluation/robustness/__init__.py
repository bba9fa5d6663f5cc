"""Films corrupted on purpose: how the metrics fall with the severity."""
