"""Which films are compared: none is dropped silently, and no film is two things."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.compare.matching import match_tables
from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm

if TYPE_CHECKING:
    from collections.abc import Callable


def test_common_films_stand_in_one_order_whatever_the_tables_had(tables: dict[str, PredictionTable]) -> None:
    shuffled = np.random.default_rng(0).permutation(240)
    found = match_tables({"a": tables["good"], "b": tables["middling"].take(shuffled)})
    assert found.by == "path"
    assert found.tables["a"].paths == found.tables["b"].paths == tables["good"].paths
    assert np.array_equal(found.tables["b"].score, tables["middling"].score)
    assert not found.unmatched


def test_films_that_one_has_are_listed_with_who_has_and_who_refused_them(tables: dict[str, PredictionTable]) -> None:
    a = tables["good"].take(np.arange(200))
    refused = (RefusedFilm("film010.png", "normal", "unreadable", "cut short"),)
    b = replace(tables["middling"].take(np.r_[0:10, 11:230]), refused=refused)
    found = match_tables({"a": a, "b": b})
    assert len(found.truth) == 199
    listed = {film.path: film for film in found.unmatched}
    assert len(listed) == 1 + 30
    assert (listed["film010.png"].of, listed["film010.png"].refused_by) == (("a",), ("b",))
    assert listed["film225.png"].of == ("b",)
    assert len(found.truth) + len(listed) == 230


def test_a_film_that_all_refused_is_still_listed(tables: dict[str, PredictionTable]) -> None:
    refused = (RefusedFilm("broken.png", "normal", "unreadable", "empty"),)
    found = match_tables({name: replace(tables[name], refused=refused) for name in ("good", "chance")})
    assert [(film.path, film.of, film.refused_by) for film in found.unmatched] == [
        ("broken.png", (), ("good", "chance"))
    ]


def test_bytes_count_for_more_than_names_and_copies_are_paired(
    with_bytes: Callable[[str], PredictionTable],
) -> None:
    a, b = with_bytes("good"), with_bytes("middling")
    assert a.sha256 is not None
    copies = a.sha256[:3] + a.sha256[:1] + a.sha256[4:]  # film003 is a copy of film000
    a = replace(a, sha256=copies)
    b = replace(b, sha256=copies, paths=tuple(f"other/{path}" for path in b.paths))
    found = match_tables({"a": a, "b": b})
    assert found.by == "sha256"
    assert len(found.truth) == 240
    assert all(
        right == f"other/{left}" for left, right in zip(found.tables["a"].paths, found.tables["b"].paths, strict=True)
    )


def test_no_common_film_is_told_with_examples(tables: dict[str, PredictionTable]) -> None:
    other = replace(tables["chance"], paths=tuple(f"/elsewhere/{path}" for path in tables["chance"].paths))
    with pytest.raises(DatasetError, match=r"film000\.png.*elsewhere"):
        match_tables({"a": tables["good"], "b": other})


def test_two_truths_of_one_film_are_refused(tables: dict[str, PredictionTable]) -> None:
    labels = tables["chance"].labels.copy()
    labels[7] = 1 - labels[7]
    with pytest.raises(DatasetError, match=r"1 of the 240 common films.*") as caught:
        match_tables({"a": tables["good"], "b": replace(tables["chance"], labels=labels)})
    assert caught.value.where == "film007.png"


def test_one_name_for_two_files_is_refused(
    tables: dict[str, PredictionTable], with_bytes: Callable[[str], PredictionTable]
) -> None:
    a = with_bytes("good")
    assert a.sha256 is not None
    b = replace(with_bytes("middling"), sha256=("f" * 64, *a.sha256[1:]))
    with pytest.raises(DatasetError, match="another file") as caught:
        match_tables({"a": a, "b": b, "c": tables["chance"]})  # the third has no sha256, so paths decide
    assert caught.value.where == "film000.png"
