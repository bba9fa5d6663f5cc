"""The command ``pneumoscope`` and its verbs, in the order of the path.

A verb's module is light: what is heavy is imported inside its function, so that ``--help`` is instant.
"""
