from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from pneumoscope.reports.html import policy, write
from pneumoscope.reports.summary import ReportContext
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading

_EMPTY = {"meta", "img", "rect", "line", "br"}


class Seen(HTMLParser):
    """What a page is made of; complains of a tag that is closed in the wrong place."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word).replace("\u00a0", " ")


def test_all_that_matters_is_on_the_page(read_reading: Reading, given: ReportContext) -> None:
    page = Seen(write(read_reading, given))

    for told in (
        *("Pneumonia", "96.7 %", "probability of pneumonia", "Pneumonia is called from 20.0 %", "the film is small"),
        *("normal 3.3 %", "bacterial 60.0 %", "viral 36.7 %", "Bacterial pattern.", "not microbiology"),
        *("called 98 of 100 with pneumonia", "left lower zone", "tiny 1", "ab" * 32, "cd" * 32, "pneumoscope 0.1.0"),
        *("2026-03-01 09:30 UTC", "Prediction set: bacterial.", "Preliminary: read by a program"),
    ):
        assert told in page.text
    assert page.text.count(NOTICE) == 2
    assert page.tags.count("img") == 3  # the film, the film with its evidence, the scale
    assert page.tags.count("h1") == 1


def test_the_page_needs_nothing_from_anywhere_and_runs_nothing(read_reading: Reading, given: ReportContext) -> None:
    page = Seen(write(read_reading, given))

    assert not {"script", "link", "iframe", "object", "form", "a"} & set(page.tags)
    assert all(value.startswith("data:image/") for name, value in page.attributes if name in {"src", "href"})
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert not re.search(rb"url\(|@import|https?:", write(read_reading, given).replace(b"http-equiv", b""))


def test_the_policy_allows_the_style_by_its_hash_and_nothing_else() -> None:
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; "
        r"form-action 'none'; frame-ancestors 'none'",
        policy(),
    )


def test_every_picture_has_its_words(read_reading: Reading, given: ReportContext) -> None:
    page = write(read_reading, given).decode().replace("&nbsp;", " ")

    alts = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert alts == ["The film.", "Most of what speaks for pneumonia lies in the left lower zone (100 % of it).", ""]


def test_a_refused_film_is_shown_with_its_reason(refused_reading: Reading, given: ReportContext) -> None:
    page = Seen(write(refused_reading, given))

    assert "No reading was made: the file is empty. What to do: Copy it again." in page.text
    assert page.tags.count("img") == 1
    assert "svg" not in page.tags
    assert write(refused_reading, ReportContext()).count(b"<img") == 0


def test_without_its_map_the_film_stands_alone(read_reading: Reading, given: ReportContext) -> None:
    assert read_reading.evidence is not None
    without = replace(read_reading.evidence, map=np.zeros((0, 0), np.float32))

    page = Seen(write(replace(read_reading, evidence=without), given))

    assert page.tags.count("img") == 1
    assert "Most of what speaks for pneumonia" in page.text


@pytest.mark.parametrize("path", ["<script>alert(1)</script>.png", '"><img src=x onerror=y>.png', "broken\udcff.png"])
def test_a_file_name_is_only_a_name(read_reading: Reading, given: ReportContext, path: str) -> None:
    page = Seen(write(replace(read_reading, film=replace(read_reading.film, path=path)), given))

    assert "script" not in page.tags
    assert page.tags.count("img") == 3
    assert not [name for name, _ in page.attributes if name.startswith("on")]


@settings(max_examples=40, deadline=None)
@drawn(data=st.data())
def test_any_reading_gives_a_sound_page(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    page = Seen(write(data.draw(readings), ReportContext()))

    assert NOTICE in page.text
    assert "script" not in page.tags
