"""The REST API under ``/api/v1``, and what a server is asked by machines: health, metrics."""
