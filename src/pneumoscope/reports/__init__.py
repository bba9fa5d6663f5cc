"""A reading in the forms that people and programs want.

Nothing is imported here: each module is imported by its name, those of report files through ``reports.formats``.
"""
