"""Lung field."""
