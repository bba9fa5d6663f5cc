"""Whether what ``calibrate-site`` states of a site is what new films of the site then show.

    python benchmarks/site_intervals.py --films 100 --draws 80

Draws made-up hospitals, on which a bundle is over-sure and biased; calibrates for each; and holds the cross-fitted
rates against those of 20,000 new films. Prints how often the 95 % intervals hold the true rate.
"""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from scipy.special import softmax

from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.training.site.films import SiteFilms
from pneumoscope.training.site.fit import SiteOptions, cross_fitted_metrics, fit_site, relative_logits

POSITIVE = np.array([False, True, True])
CENTRE = np.array([[2.4, -1.2, -1.2], [-1.3, 1.7, 0.3], [-1.0, 0.3, 1.4]])


def drawn(n: int, generator: np.random.Generator, *, each: int, apart: float) -> SiteFilms:
    """Films of patients with ``each`` films; ``apart`` 1 is an AUC of 0.99, 0.7 one of 0.96."""
    patients = np.arange(n) // each
    labels = generator.choice(3, n, p=[0.4, 0.4, 0.2])[patients * each]
    own, shared = generator.normal(size=(n, 3)), generator.normal(size=(n, 3))[patients]
    z = CENTRE[labels] * apart + 1.2 * (own if each == 1 else 0.6 * own + 0.8 * shared)
    p = softmax(z * 1.8 + np.array([-1.5, 0.5, 1.0]), axis=1)
    return SiteFilms(p, np.eye(3, dtype=np.bool_)[labels], patients.astype(np.str_), POSITIVE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--draws", type=int, default=80)
    parser.add_argument("--each", type=int, default=1, help="films of each patient")
    parser.add_argument("--apart", type=float, default=1.0, help="how far the classes are apart")
    chosen = parser.parse_args()
    meta: Any = cast("Any", SimpleNamespace(class_names=("normal", "bacterial", "viral")))
    options = SiteOptions("made up", missed=0.05, false_calls=0.05, screening_recall=0.95, repeats=1)
    generator = np.random.default_rng(0)
    new = drawn(20_000, generator, each=chosen.each, apart=chosen.apart)
    rows: dict[str, list[tuple[bool, float, float]]] = {}
    for _ in range(chosen.draws):
        films = drawn(chosen.films, generator, each=chosen.each, apart=chosen.apart)
        fitted, judged = fit_site(films, options), cross_fitted_metrics(films, meta, options)
        score = calibrated_probabilities(relative_logits(new.probabilities), fitted.calibrator)[:, 1:].sum(axis=1)
        with_it, without = score[new.truth], score[~new.truth]
        band, low, high = judged.band, fitted.bounds.lower, fitted.bounds.upper
        pairs = {}
        for preset, threshold in fitted.thresholds.items():
            pairs[f"sensitivity ({preset})"] = (with_it >= threshold.value, judged.sensitivity[preset])
            pairs[f"specificity ({preset})"] = (without < threshold.value, judged.specificity[preset])
        if band is not None:
            pairs["missed (three-way)"] = (with_it < low, band.missed)
            pairs["false calls (three-way)"] = (without >= high, band.false_calls)
            pairs["left open (three-way)"] = ((score >= low) & (score < high), band.between)
        for name, (hits, stated) in pairs.items():
            true = float(hits.mean())
            rows.setdefault(name, []).append((stated.low <= true <= stated.high, true, stated.value))
    print("| rate | interval holds it (%) | true | stated |\n| --- | --- | --- | --- |")
    for name, found in rows.items():
        held, true, stated_mean = np.mean(found, axis=0)
        print(f"| {name} | {100 * held:.0f} | {true:.3f} | {stated_mean:.3f} |")


if __name__ == "__main__":
    main()
