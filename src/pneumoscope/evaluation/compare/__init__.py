"""Several systems on the same films: the table of models, which differences are real, and where they disagree."""
