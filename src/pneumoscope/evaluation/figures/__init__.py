"""Figures of an evaluation. Each function takes arrays and a path, and writes SVG and PNG."""
