"""Lung field segmentation by a small network of its own; quality control and preprocessing use it."""
