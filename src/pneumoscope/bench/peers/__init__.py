"""Programs that are timed as a whole, each in a process of its own; none is imported by the package."""
