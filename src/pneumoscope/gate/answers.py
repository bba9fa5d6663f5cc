"""What the gate's network answers, in the order of its logits."""

from __future__ import annotations

__all__ = ["ANSWERS", "CHEST", "FIT", "FRONTAL", "INVERTED", "MIRRORED", "RADIOGRAPH", "SINGLE", "TURNS", "WHOLE"]

ANSWERS = (
    "fit",
    "radiograph",
    "chest",
    "frontal",
    "whole",
    "single",
    "inverted",
    "mirrored",
    "turned 0",
    "turned 90",
    "turned 180",
    "turned 270",
)
"""Logits. "fit": a whole, frontal, upright chest film that is not inverted, and only one. The turns share one softmax
and are counter-clockwise; each of the others stands for itself."""

FIT, RADIOGRAPH, CHEST, FRONTAL, WHOLE, SINGLE, INVERTED, MIRRORED = range(8)
TURNS = slice(8, 12)
