"""The command ``pneumoscope`` and its verbs, in workflow order.

Heavy imports stand inside the verbs, so that ``--help`` is instant.
"""
