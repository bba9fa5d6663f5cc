"""Statistics of arrays: numpy and scipy in, small frozen results out; bad arrays raise ValueError."""
