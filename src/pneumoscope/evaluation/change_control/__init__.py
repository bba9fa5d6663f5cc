"""Retraining under change control: a candidate, the rules written down before, the verdict, the plan."""
