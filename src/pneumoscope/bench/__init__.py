"""What pneumoscope costs on this machine, beside its floor and beside other programs, in one table of ratios."""
