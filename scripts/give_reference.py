"""Give a bundle the films that the dashboard compares later ones with: those that it was validated on.

    python scripts/give_reference.py BUNDLE.onnx DATA [--run RUN] [--out OTHER.onnx] [--none]

DATA is what the bundle was trained on; the split is drawn again as the bundle's provenance says, or taken from the
folder of its run (--run), and must be the one whose hash stands in the bundle. The graph stays as it is, and so does
every reading; only the metadata is written anew. New bundles need none of this: training does it. Needs torch.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pneumoscope.data.manifest import Manifest, is_manifest
from pneumoscope.data.pixels import read_film
from pneumoscope.data.progress import track_progress
from pneumoscope.data.scan import scan
from pneumoscope.data.split import Split
from pneumoscope.errors import DatasetError, PneumoscopeError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.preprocess import preprocess
from pneumoscope.model.session import Session
from pneumoscope.settings import Settings
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.drift_baseline import validation_drift_baseline
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.setup import split_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow
    from pneumoscope.model.schema import BundleMeta


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, replace, write, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--none", action="store_true")
    asked = parser.parse_args(arguments)
    if (asked.data is None) != asked.none:
        parser.error("give DATA, or --none to take the reference away")
    graph, meta, sha256 = read_bundle(asked.bundle)
    out = asked.out or asked.bundle
    if asked.none:
        write_bundle(out, graph, replace(meta, reference=None))
        return
    if meta.sites:
        raise DatasetError(
            f"the bundle was re-calibrated for {meta.sites[-1].site}: its validation films have other scores now",
            where=asked.bundle,
            remedy="Re-calibrate again with pneumoscope calibrate-site: it takes the site's films for the reference",
        )
    manifest, split = films_of(meta, asked.data, asked.run)
    places = split.parts["val"]
    rows = [manifest.films[place] for place in places.tolist()]
    p = calibrated_probabilities(
        logits_of(Session(graph, meta, where=asked.bundle), meta, manifest, rows), meta.calibrator
    )
    reference = validation_drift_baseline(manifest, places, p)
    if reference is None:
        raise DatasetError("the validation films are too few to compare others with", where=asked.data)
    write_bundle(out, graph, replace(meta, reference=reference))
    height, width = reference.size
    lines = [f"reference: {reference.on}, {reference.finding:,} with {meta.finding}, {height} x {width} pixels"]
    for name, values in {"score": reference.score, **reference.statistics}.items():
        lines.append(f"  {name:<10} from {values[0]:.4f}, middle {values[len(values) // 2]:.4f}, to {values[-1]:.4f}")
    lines.append(f"bundle:    {out} (sha256 {read_bundle(out)[2][:12]}, before {sha256[:12]})")
    sys.stdout.write("\n".join(lines) + "\n")


def films_of(meta: BundleMeta, data: Path, run: Path | None) -> tuple[Manifest, Split]:
    """The films that the bundle was trained on and how they were split.

    Raises:
        DatasetError: They are not those of its provenance.
    """
    origin = meta.provenance
    if run is not None:
        folder = RunFolder(run)
        manifest = Manifest.load(folder.manifest, root=data)
        split = Split.load(folder.split, manifest)
    else:
        config = msgspec.convert({"data": origin.config.get("data", {})}, TrainConfig)
        known = data.is_file() and is_manifest(data)
        manifest = (
            Manifest.load(data)
            if known
            else scan(data, source=config.data.source or None, labels=config.data.labels, progress=True)
        )
        split = split_for(manifest, config)
    if split.sha256 != origin.split_sha256:
        raise DatasetError(
            "these are not the films that the bundle was validated on, or not its split",
            where=data,
            remedy="Give what it was trained on, and --run with the folder of its run",
        )
    return manifest, split


def logits_of(session: Session, meta: BundleMeta, manifest: Manifest, rows: Sequence[FilmRow]) -> NDArray[np.float64]:
    """What the graph says of films, float64 [N, C], without the gate: as at the end of a training."""

    def said(row: FilmRow) -> NDArray[np.float32]:
        return session.run(preprocess(read_film(manifest, row), meta.preprocess))[0]

    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        return np.array(
            list(track_progress(pool.map(said, rows), total=len(rows), title="Reading", show=True)), np.float64
        )


if __name__ == "__main__":
    try:
        main()
    except PneumoscopeError as error:
        sys.exit(f"error: {error}")
