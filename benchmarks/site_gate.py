"""What a site's gate lets through, and what it refuses of films that did not choose it.

    PYTHONPATH=tools python benchmarks/site_gate.py --data DATA [--real FOLDER ...] [--each 25] [--draws 200]

First: of each family of drawn and remade pictures, and of real ones that are no chest films, how many pass the
package's limits, and the loosest that a site's may have. Second: for films of several sources, as they are and
shifted, the limits are chosen on some films, drawn by patient, and judged on the others. DATA holds chest_xray,
nih_sample and lung_masks.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gate_rates import as_film, films, nine, real, share
from pneumoscope.data.patients import patient_of
from pneumoscope.evaluation.robustness.corruptions import choose_corruptions, corrupt
from pneumoscope.films.load import load
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.training.site.films import LOGIT, LOOSEST, SPREAD, film_strain, fit_quality_limits, limits_at
from quality_head.kinds import KINDS, draw_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pneumoscope.types.radiograph import Radiograph

SHIFTS = ("", "local contrast away", "local mean away", "crop")
SEVERITY = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--real", action="append", default=[], type=Path)
    parser.add_argument("--each", type=int, default=25)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--asked", type=float, default=0.01)
    asked = parser.parse_args()
    sources = films(asked.data)
    limits = {f"strain {strain:g}": limits_at(strain, shipped_quality_spec()) for strain in (0.0, 0.5, LOOSEST)}
    print(f"A strain of 1: {LOGIT:g} of the logit, {SPREAD:g} of the distance.\n\n| pictures | {' | '.join(limits)} |")
    print("| --- " * (1 + len(limits)) + "|")
    of_films = [load(path) for path in sources["public set, test"][:60]]
    families: dict[str, list[Radiograph]] = {}
    for kind in KINDS:
        rng = np.random.default_rng([7, len(kind.name), sum(map(ord, kind.name))])
        family = f"{kind.family}, {'held out' if kind.held_out else 'learned from'}"
        families.setdefault(family, []).extend(
            as_film(draw_kind(kind, rng, nine(of_films, rng))) for _ in range(asked.each)
        )
    families["real pictures"] = [film for folder in asked.real for film in real(folder)]
    for family, pictures in families.items():
        print(f"| {family} | {' | '.join(through(pictures, gate) for gate in limits.values())} |", flush=True)

    print("\n| films | chosen on | refused of the others, before | after | stated | strain | draws with some beyond |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    others = sources["ChestX-ray14, other patients"] + sources["adults with masks"]
    for name, paths in {"public set, test": sources["public set, test"], "adults, not learned from": others}.items():
        for shift in SHIFTS:
            judged(f"{name}{', ' if shift else ''}{shift}", paths, shift, draws=asked.draws, asked=asked.asked)


def through(pictures: list[Radiograph], gate: object) -> str:
    passed = sum(check_quality(film, gate).refusal is None for film in pictures)  # type: ignore[arg-type]
    return share(passed, len(pictures))


def judged(name: str, paths: Iterable[Path], shift: str, *, draws: int, asked: float) -> None:
    """Choose on some, judge on the others."""
    gate = replace(shipped_quality_spec())
    found, people = [], []
    for path in paths:
        film = load(path)
        strain = film_strain(corrupt(film, choose_corruptions([shift])[0], SEVERITY) if shift else film, gate)
        if strain is not None:
            found.append(strain)
            people.append(patient(path))
    strains, refused = np.array(found).T
    patients = np.array(people)
    rng = np.random.default_rng(0)
    for count in (50, 100, 200):
        rows = []
        if count > 0.8 * len(strains):
            continue
        for _ in range(draws):
            names = rng.permutation(np.unique(patients))
            sizes = np.cumsum([(patients == each).sum() for each in names])
            here = np.isin(patients, names[: int(np.searchsorted(sizes, count)) + 1])
            site = fit_quality_limits(strains[here], refused[here] > 0, patients[here], gate, asked=asked)
            after = strains[~here] > site.strain
            rows.append((refused[~here].mean(), after.mean(), site.after.value, site.strain, site.beyond > 0))
        before, after_it, stated, strain, bound = np.mean(rows, axis=0)
        print(
            f"| {name} ({len(strains)}) | {count} | {before:.1%} | {after_it:.1%} ± {np.std(rows, axis=0)[1]:.1%} "
            f"| {stated:.1%} | {strain:.2f} | {bound:.0%} |",
            flush=True,
        )


def patient(path: Path) -> str:
    """ChestX-ray14 names the patient first; the other sources as their layouts do."""
    return (
        path.stem.partition("_")[0] if path.parent.parent.name == "nih_sample" else patient_of(path.name) or path.stem
    )


if __name__ == "__main__":
    main()
