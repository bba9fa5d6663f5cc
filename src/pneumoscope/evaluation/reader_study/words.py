"""How the numbers of a reader study are written, on the page and at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.formatting import number

if TYPE_CHECKING:
    from pneumoscope.evaluation.reader_study.result import ArmComparison, ReadersAndModel

__all__ = ["difference", "interval", "non_inferiority", "p_value", "who"]

_WHO = {
    ("random", "random"): "readers and films random",
    ("fixed", "random"): "these readers, films random",
    ("random", "fixed"): "readers random, these films",
}


def who(readers_are: str, cases_are: str) -> str:
    """What the inference reaches to."""
    return _WHO[readers_are, cases_are]


def p_value(p: float | None) -> str:
    """``0.012``, ``< 0.001``; empty without one."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1995 else f"{p:.2f}"


def interval(low: float | None, high: float | None) -> str:
    """``0.825 to 0.969``; says so where there is none."""
    return "no interval" if low is None or high is None else f"{number(low)} to {number(high)}"


def difference(value: float, low: float | None, high: float | None) -> str:
    """``+0.044 (+0.002 to +0.088)``."""
    ends = "" if low is None or high is None else f" ({_signed(low)} to {_signed(high)})"
    return f"{_signed(value)}{ends}"


def _signed(x: float) -> str:
    text = f"{x:+.3f}"
    return text.replace("-", "\u2212")


def non_inferiority(one: ArmComparison | ReadersAndModel) -> str:
    """``shown (p < 0.001)``, ``not shown (p 0.12)``; empty without a margin."""
    if one.margin is None:
        return ""
    if one.non_inferior is None:
        return "cannot be computed"
    p = p_value(one.p_non_inferior)
    words = "shown" if one.non_inferior else "not shown"
    return f"{words} (p {p})"
