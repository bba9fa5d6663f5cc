"""Films on their way in: bytes, zips, identity, filing."""
