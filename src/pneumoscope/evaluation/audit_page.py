"""The page of a data set audit, and the files beside it."""

from __future__ import annotations

import base64
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pneumoscope.data.audit.acquisition import feature_names
from pneumoscope.data.pixels import open_film
from pneumoscope.errors import FilmError, MissingExtra
from pneumoscope.evaluation.report.engine import template_environment
from pneumoscope.evaluation.serialization import write_document
from pneumoscope.storage import make_folder, open_atomically, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from pneumoscope.data.audit.report import AucEstimate, AuditReport, LabelNoise
    from pneumoscope.data.audit.run import Audit

__all__ = [
    "AucBar",
    "Card",
    "ThumbnailGallery",
    "auc_bars",
    "audit_page",
    "cards",
    "class_table",
    "duplicates_view",
    "label_noise_view",
    "outlier_view",
    "plural",
    "write_audit",
]

_SIDE, _QUALITY = 224, 72


class ThumbnailGallery:
    """Opens films when a picture of them is asked for, each once.

    Args:
        root: The manifest's.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, str] = {}

    def picture(self, path: str) -> str:
        """A film as base64 of a small JPEG at its own aspect; "" if it cannot be read any more."""
        if path not in self._made:
            try:
                film = open_film(self._root, path)
            except FilmError:
                self._made[path] = ""
            else:
                levels = np.rint(film.pixels * (255 / film.white)).astype(np.uint8)
                picture = Image.fromarray(levels)
                picture.thumbnail((_SIDE, _SIDE))
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
                self._made[path] = base64.b64encode(file.getvalue()).decode("ascii")
        return self._made[path]


_GROUP_WORDS = {
    "size": "height, width, aspect",
    "file": "bytes, bytes per pixel",
    "coding": "JPEG quality, colour, bit depth",
    "sharpness": "Laplacian, spectrum, noise",
    "histogram": "gray levels, wherever they are",
    "borders": "even margins",
    "markers": "bright spots at the edges",
}
_PICTURED_GROUPS, _PICTURED_SUSPECTS, _PICTURED_ODD = 12, 24, 24


@dataclass(frozen=True, slots=True)
class Card:
    """One of the verdicts at the top.

    Attributes:
        title: "Leaks".
        value: "none".
        more: A line beneath.
        mark: "good", "bad" or "plain"; also told by a sign, not by colour alone.
    """

    title: str
    value: str
    more: str
    mark: str


@dataclass(frozen=True, slots=True)
class AucBar:
    """A row of the AUC chart; its places are percent of the axis from 0.5 to 1.

    Attributes:
        title: What is looked at.
        more: In smaller letters.
        value: As printed.
        at: Of the AUC; None where it cannot be computed.
        low: Of the interval's lower end.
        high: Upper.
        drop: What the whole loses without it, as printed.
        kind: "whole", "strict", "group" or "image".
    """

    title: str
    more: str
    value: str
    at: float | None
    low: float = 0.0
    high: float = 0.0
    drop: str = ""
    kind: str = "group"


def plural(number: int, noun: str) -> str:
    """``1,043 films``, ``1 film``, ``2 copies``."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def cards(report: AuditReport) -> list[Card]:
    """The verdicts."""
    leaks = report.leaks
    if not leaks.known:
        leak = Card("Leaks", "not known", "the films have no parts; give --split", "plain")
    elif leaks.found:
        told = [
            plural(leaks.exact_copies + leaks.near_copies, "group") + " of copies",
            plural(leaks.patients, "patient"),
        ]
        leak = Card("Leaks", "found", f"{' and '.join(told)} in several parts", "bad")
    else:
        leak = Card("Leaks", "none", f"no copy and no patient is in two of {', '.join(report.parts)}", "good")
    auc = report.shortcuts.auc
    strong = report.shortcuts.verdict in {"plain", "strong"}
    shortcut = Card(
        "Shortcut",
        f"AUC {auc.value:.3f}" if auc else "cannot be asked",
        f"{report.shortcuts.verdict}: told from how films were made" if auc else report.shortcuts.why_not,
        "bad" if strong else "good" if auc else "plain",
    )
    exact, near = (sum(group.how == how for group in report.copies) for how in ("bytes", "picture"))
    conflicts = sum(group.conflict for group in report.copies)
    copies = Card(
        "Copies",
        plural(exact + near, "group"),
        f"{exact} the same file, {near} near copies; {conflicts} with several labels",
        "bad" if conflicts else "plain" if exact + near else "good",
    )
    files = Card(
        "Files",
        plural(len(report.problems), "problem"),
        f"left out or unreadable; {plural(len(report.odd), 'odd film')}",
        "bad" if report.problems else "good",
    )
    noise = report.label_noise[0] if report.label_noise else None
    known = noise is not None and not noise.why_not
    wrong = Card(
        "Labels",
        f"{len(noise.suspects):,} doubtful" if noise and known else "cannot be asked",
        f"{noise.films:,} films, {' against '.join(noise.classes[:3])}" if noise and known else "",
        "plain" if not known or (noise and noise.suspects) else "good",
    )
    return [leak, shortcut, copies, files, wrong]


def auc_bars(report: AuditReport) -> list[AucBar]:
    """The rows of the chart: all features, those blind to disease, each group, the header, and the image model."""
    shortcuts = report.shortcuts
    rows = [
        _auc_bar("All features", "whatever is measured", shortcuts.auc, kind="whole"),
        _auc_bar("Blind to disease", "size, coding, borders, markers", shortcuts.strict, kind="strict"),
    ]
    rows += [
        _auc_bar(group.name.capitalize(), _GROUP_WORDS[group.name], group.alone, drop=f"{group.drop:.3f}")
        for group in shortcuts.groups
    ]
    rows.append(_auc_bar("Header alone", "size, file and coding: no pixel", shortcuts.no_pixels))
    rows.append(_auc_bar("Image model", report.image_model.kind, report.image_model.auc, kind="image"))
    return rows


def _auc_bar(title: str, more: str, value: AucEstimate | None, *, drop: str = "", kind: str = "group") -> AucBar:
    if value is None:
        return AucBar(
            title, more, "the films are alike" if kind in {"group", "strict"} else "cannot be computed", None, kind=kind
        )
    at, low, high = (round(200 * (min(1.0, max(0.5, end)) - 0.5), 2) for end in (value.value, value.low, value.high))
    return AucBar(title, more, f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})", at, low, high, drop, kind)


def class_table(found: Audit) -> dict[str, Any]:
    """Films and patients of each class, by part."""
    report = found.report
    parts = [*report.parts, ""] if any(not row.part for row in report.counts) else report.parts
    films = Counter[tuple[str, str]]()
    for row in report.counts:
        films[row.label, row.part] += row.films
    # A patient may have films of several sources, and counts once.
    people = {(film.label, part, film.patient) for film, part in zip(found.manifest.films, found.parts, strict=True)}
    patients = Counter((label, part) for label, part, _ in people)
    total = {name: sum(films[name, part] for part in parts) for name in report.classes}
    return {
        "parts": [part or "no part" for part in parts],
        "rows": [
            {
                "label": name,
                "cells": [(films[name, part], patients[name, part]) for part in parts],
                "films": total[name],
                "share": 100 * total[name] / max(1, report.films),
            }
            for name in report.classes
        ],
        "sources": _sources(report),
    }


def _sources(report: AuditReport) -> list[tuple[str, int, list[int]]]:
    """Each source with its films, and those of each class; the largest first."""
    films: dict[str, dict[str, int]] = {}
    for row in report.counts:
        by_class = films.setdefault(row.source, dict.fromkeys(report.classes, 0))
        by_class[row.label] += row.films
    found = [(name, sum(by_class.values()), list(by_class.values())) for name, by_class in films.items()]
    return sorted(found, key=lambda source: (-source[1], source[0]))


def duplicates_view(report: AuditReport, gallery: ThumbnailGallery) -> dict[str, Any]:
    """The first groups of copies with pictures; those that leak or conflict come first."""
    shown = [
        {
            "films": [
                (path, label, part, gallery.picture(path))
                for path, label, part in list(zip(group.paths, group.labels, group.parts, strict=True))[:6]
            ],
            "more": max(0, len(group.paths) - 6),
            "how": "the same file" if group.how == "bytes" else f"near copies, correlation {group.correlation:.2f}",
            "one_patient": len(set(group.patients)) == 1,
            "patients": len(set(group.patients)),
            "mirrored": group.mirrored,
            "crosses": group.crosses,
            "conflict": group.conflict,
        }
        for group in report.copies[:_PICTURED_GROUPS]
    ]
    return {"shown": shown, "rest": max(0, len(report.copies) - _PICTURED_GROUPS)}


def outlier_view(report: AuditReport, gallery: ThumbnailGallery) -> dict[str, Any]:
    """The first odd films with pictures."""
    shown = [(noted.path, noted.what, gallery.picture(noted.path)) for noted in report.odd[:_PICTURED_ODD]]
    return {"shown": shown, "rest": max(0, len(report.odd) - _PICTURED_ODD)}


def label_noise_view(noise: LabelNoise, gallery: ThumbnailGallery) -> dict[str, Any]:
    """The likely mislabelled films at one level, the least plausible first, and the estimated table."""
    shown = [(suspect, gallery.picture(suspect.path)) for suspect in noise.suspects[:_PICTURED_SUSPECTS]]
    return {
        "noise": noise,
        "title": _title(noise),
        "shown": shown,
        "rest": max(0, len(noise.suspects) - _PICTURED_SUSPECTS),
        "joint": _rounded(noise.joint),
    }


def _title(noise: LabelNoise) -> str:
    return (
        "Finding"
        if noise.level == "finding"
        else "Classes"
        if len(noise.classes) > 2
        else " against ".join(noise.classes)
    )


def _rounded(table: Sequence[Sequence[float]]) -> list[list[int]]:
    return [[round(cell) for cell in row] for row in table]


_LISTED = 25
"""Rows of a long list on the page; all of them are in audit.json."""


def audit_page(found: Audit) -> str:
    """The page's HTML. Films are opened once more for their pictures; one that is gone has none.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    environment = template_environment(
        Path(__file__).parent / "report" / "templates", extra="audit", needed_for="the audit's page"
    )
    environment.filters["plural"] = plural
    template = environment.get_template("audit.html.j2")
    report, gallery = found.report, ThumbnailGallery(found.manifest.root)
    return template.render(
        r=report,
        cards=cards(report),
        areas=auc_bars(report),
        classes=class_table(found),
        copies=duplicates_view(report, gallery),
        odd=outlier_view(report, gallery),
        noises=[label_noise_view(noise, gallery) for noise in report.label_noise],
        clusters=[
            (cluster, gallery.picture(cluster.example), _shares(cluster.by_class))
            for cluster in report.clusters.clusters
        ],
        listed=_LISTED,
    )


def _shares(by_class: dict[str, int]) -> list[tuple[str, int, float]]:
    """Each class with its films and its percent of the cluster."""
    total = max(1, sum(by_class.values()))
    return [(name, count, 100 * count / total) for name, count in by_class.items()]


def write_audit(found: Audit, folder: str | PathLike[str]) -> list[Path]:
    """Write ``audit.html``, ``audit.json`` and ``films.parquet``.

    The table has path, sha256, patient, label, part, cluster, p_CLASS (of the image model), and all acquisition
    features.

    Raises:
        MissingExtra: jinja2 or pyarrow is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    out = make_folder(folder)
    page, findings, films = out / "audit.html", out / "audit.json", out / "films.parquet"
    _write_films(found, films)
    write_document(found.report, findings)
    write_atomically(page, audit_page(found))
    return [page, findings, films]


def _write_films(found: Audit, path: Path) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="audit", needed_for="the audit's table") from error
    films = found.manifest.films
    columns: dict[str, Any] = {
        "path": [film.path for film in films],
        "sha256": [film.sha256 for film in films],
        "patient": [film.patient for film in films],
        "label": [film.label for film in films],
        "part": list(found.parts),
        "cluster": found.clusters,
    }
    p = found.predictions.probabilities
    columns |= {f"p_{name}": p[:, place] for place, name in enumerate(found.manifest.classes)}
    columns |= {name: found.measured.features[:, place] for place, name in enumerate(feature_names())}
    with open_atomically(path) as file:
        pq.write_table(pa.table(columns), file)
