"""Hyper-parameter search by Optuna, with patients held out that no trial has seen."""
