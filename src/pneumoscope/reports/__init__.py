"""A reading in the forms that people and programs want. Reports see the domain alone.

Nothing is imported here, so that a JSON line does not pay for the table's or the picture's libraries:
``reports.json``, ``reports.csv``, ``reports.table`` and ``reports.overlay`` are imported by name.
"""
