from __future__ import annotations

import itertools

import pytest

from pneumoscope.data.labels import canonical_label, is_negative, order_classes


@pytest.mark.parametrize(
    ("written", "label"),
    [("NORMAL", "normal"), ("Bacteria", "bacterial"), ("viral_pneumonia", "viral"), (" No  Finding ", "no finding")],
)
def test_a_class_has_one_spelling(written: str, label: str) -> None:
    assert canonical_label(written) == label


def test_the_order_is_stable_whatever_comes_first() -> None:
    expected = ("normal", "bacterial", "viral", "covid-19", "tuberculosis")
    assert all(order_classes(shuffled) == expected for shuffled in itertools.permutations(expected))


def test_numbers_are_ordered_by_value() -> None:
    assert order_classes(["10", "9", "1"]) == ("1", "9", "10")


def test_zero_is_negative_only_against_one() -> None:
    assert is_negative("0", ["0", "1"])
    assert not is_negative("0", ["0", "1", "2"])
