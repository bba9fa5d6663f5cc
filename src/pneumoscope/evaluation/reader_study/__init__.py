"""Reader studies: a table of readings to figures of readers against the reference and the model, and a report."""
