"""The files of an audit: the page, the findings as JSON, and one row a film."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pneumoscope.dataset.audit.acquisition import feature_names
from pneumoscope.errors import MissingExtra
from pneumoscope.evaluation.audit_page.page import audit_page
from pneumoscope.evaluation.document import write_document
from pneumoscope.storage import make_folder, open_atomically, write_atomically

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from pneumoscope.dataset.audit import Audit

__all__ = ["write_audit"]


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
