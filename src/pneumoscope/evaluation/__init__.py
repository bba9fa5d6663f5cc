"""Evaluation of a system: predictions, metrics, comparison, robustness, explanation, report."""
