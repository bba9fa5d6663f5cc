"""Quality control: whether a film may be read, what can be corrected, and why not if not."""
