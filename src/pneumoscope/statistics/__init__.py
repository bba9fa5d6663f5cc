"""Statistics that know only arrays: numpy and scipy in, small frozen results out.

Below every other room that learns, so that training may choose operating points with it and evaluation may
judge them by the same code. Bad arrays raise a plain ``ValueError`` that says what is wrong with them; the
rooms above, which know the film or the file, put it into their own words.
"""
