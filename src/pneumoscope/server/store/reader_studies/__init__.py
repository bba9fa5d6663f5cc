"""Reader studies in the store: their films, the order of reading, what was read, and what readers must not see."""
