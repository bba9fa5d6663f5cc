"""Several systems on the same films: metrics by system, which differences are real, disagreements."""
