"""What films are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.server.intake.upload import anonymous_name, plain_name


@pytest.mark.parametrize(
    ("given_name", "plain"),
    [
        ("film.jpeg", "film.jpeg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\a.png", "a.png"),
        ("folder/", "folder"),
        ("a\x00b\nc\x1b[31m.png", "abc[31m.png"),
        ("\u202egpj.exe", "gpj.exe"),
        ("  spaced   out .png ", "spaced out .png"),
        ("", "film"),
        (None, "film"),
        ("..", "film"),
        ("R\u00f6ntgen.jpg", "R\u00f6ntgen.jpg"),
    ],
)
def test_plain_names(given_name: str | None, plain: str) -> None:
    assert plain_name(given_name) == plain


def test_long_names_keep_their_ending() -> None:
    name = plain_name("x" * 500 + ".jpeg")
    assert len(name) <= 120
    assert name.endswith("....jpeg")


@given(st.text(max_size=400))
def test_any_text_becomes_a_name(text: str) -> None:
    name = plain_name(text)
    assert 0 < len(name) <= 120
    assert "/" not in name
    assert "\\" not in name
    assert name.isprintable()
    assert plain_name(name) == name


def test_a_dicom_film_is_called_by_what_it_is() -> None:
    assert anonymous_name("abcdef0123", {"Modality": "CR", "ViewPosition": "PA"}) == "CR PA abcdef01"
    assert anonymous_name("abcdef0123", {}) == "film abcdef01"
