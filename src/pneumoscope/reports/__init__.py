"""A reading in the forms that people and programs want. Reports see the domain alone.

Nothing is imported here, so that a JSON line does not pay for the table's or the picture's libraries:
each module is imported by its name, and those of the files that people ask for through ``reports.formats``.
"""
