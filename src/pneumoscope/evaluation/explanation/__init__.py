"""Explanation sanity checks: whether the evidence map deserves its name."""
