"""What a site's labels say in the bundle's classes, and the films as the bundle reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.model.reader import Reader
from pneumoscope.model.schema import Calibrator, ClassSpec
from pneumoscope.training.site.films import admitted_classes, read_site_films

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta

SITE = ("normal", "pneumonia", "no finding", "bacterial", "atelectasis|pneumonia", "hernia", "0", "1")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("normal", [True, False, False]),
        ("no finding", [True, False, False]),
        ("bacterial", [False, True, False]),
        ("Bacteria", [False, True, False]),
        ("pneumonia", [False, True, True]),
        ("atelectasis|pneumonia", [False, True, True]),
        ("edema; viral", [False, False, True]),
        ("hernia", None),
        ("hernia|mass", None),
        ("", None),
    ],
)
def test_labels_in_the_bundles_classes(tiny_meta: BundleMeta, label: str, expected: list[bool] | None) -> None:
    found = admitted_classes(label, tiny_meta, SITE)
    assert (None if found is None else found.tolist()) == expected


def test_numbers_and_two_class_bundles(tiny_meta: BundleMeta) -> None:
    two = replace(
        tiny_meta,
        classes=(ClassSpec("normal", False), ClassSpec("pneumonia", True)),
        evidence_bias=(0.0, 0.0),
        calibrator=Calibrator(1.0, (0.0, 0.0)),
        conformal=(),
    )
    for label, expected in (("0", [True, False]), ("1", [False, True]), ("viral", [False, True])):
        found = admitted_classes(label, two, ("0", "1"))
        assert found is not None
        assert found.tolist() == expected
    assert admitted_classes("0", two, ("0", "1", "2")) is None


def test_films_are_read_as_any_film_is_and_the_others_are_counted(
    tmp_path: Path, tiny_bundle: Path, make_film: Callable[..., Path]
) -> None:
    rows = ["path,label,patient"]
    for seed, (label, patient) in enumerate(
        [("No Finding", "a"), ("Pneumonia|Edema", "b"), ("Viral", "b"), ("Hernia", "c")]
    ):
        make_film(tmp_path / f"{seed}.png", seed)
        rows.append(f"{seed}.png,{label},{patient}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    reader, manifest = Reader(tiny_bundle), scan(tmp_path / "table.csv")
    (tmp_path / "0.png").write_bytes(b"spoiled since the manifest was made")

    films = read_site_films(reader, manifest, progress=False)

    assert len(films) == 2
    assert films.unused == {"hernia": 1}
    assert [path for path, _ in films.refused] == ["0.png"]
    assert films.counts == {"pneumonia|edema": 1, "viral": 1}
    assert films.admitted.tolist() == [[False, True, True], [False, False, True]]
    assert films.single.tolist() == [False, True]
    assert films.patients.tolist() == ["b", "b"]
    assert films.manifest_sha256 == manifest.sha256
    probabilities = reader.read(tmp_path / "1.png").probabilities
    assert probabilities is not None
    assert films.probabilities[0].tolist() == list(probabilities.values())
    assert films.take(np.array([1])).truth.tolist() == [True]
