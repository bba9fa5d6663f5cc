"""Card and sheets say of a model what its bundle declares: a single network, an ensemble, out of fold, a site."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.declared import calibration_films, network_count, seeds, unlabelled_films
from pneumoscope.evaluation.report.guidelines import fill_guidelines
from pneumoscope.evaluation.report.model_card import card_sections, data_flow
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.schema import SiteCalibration
from pneumoscope.types.provenance import Provenance

if TYPE_CHECKING:
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.model.schema import BundleMeta

SITE = SiteCalibration("St. Elsewhere", "A. Person", "2026-10-02T08:00:00+00:00", 300, 120, {}, "0" * 64, "1" * 64, 0.3)


@pytest.fixture(scope="session")
def single(tiny_meta: BundleMeta) -> BundleMeta:
    """One network, calibrated and given its thresholds on the validation part."""
    config = {
        "calibration": {"folds": 0},
        "optim": {"optimizer": "adamw", "monitor": "last"},
        "data": {"balance": "none"},
    }
    points = tuple(replace(point, chosen_on="522 validation films") for point in tiny_meta.operating_points)
    provenance = Provenance("2026-01-01T00:00:00Z", seed=7, films={"train": 100, "val": 522}, config=config)
    return replace(tiny_meta, architecture="residual {}", operating_points=points, provenance=provenance)


@pytest.fixture(scope="session")
def out_of_fold(single: BundleMeta) -> BundleMeta:
    config = {**single.provenance.config, "calibrated_out_of_fold": {"films": 4695, "folds": 4}}
    return replace(single, provenance=replace(single.provenance, config=config))


@pytest.fixture(scope="session")
def ensemble(out_of_fold: BundleMeta) -> BundleMeta:
    members = [
        {"seed": 0, "epochs": 50, "minutes": 46.5, "differs": {}},
        {"seed": 2, "epochs": 20, "minutes": 29.7, "differs": {"optim.epochs": 20}, "guests": {"films": 426}},
    ]
    config = {**out_of_fold.provenance.config, "members": members}
    provenance = replace(out_of_fold.provenance, config=config)
    return replace(out_of_fold, architecture="ensemble {}", provenance=provenance)


@pytest.fixture(scope="session")
def site(ensemble: BundleMeta) -> BundleMeta:
    points = tuple(replace(point, chosen_on="300 films of St. Elsewhere") for point in ensemble.operating_points)
    return replace(ensemble, operating_points=points, sites=(SITE,))


def card_text(facts: ReportContext) -> str:
    parts = []
    for section in card_sections(facts):
        for block in section.blocks:
            for row in getattr(block, "rows", ()):
                parts += [row.head, *(cell.value for cell in row.cells)]
            parts += getattr(block, "steps", ())
    return "\n".join(parts)


def all_text(table: PredictionTable, judgement: EvaluationResult, meta: BundleMeta) -> str:
    facts = ReportContext(table, judgement, meta=meta)
    return "\n".join([card_text(facts), *(row.answer for sheet in fill_guidelines(facts) for row in sheet.rows)])


def test_a_single_network_says_so(table: PredictionTable, judgement: EvaluationResult, single: BundleMeta) -> None:
    text = all_text(table, judgement, single)
    assert "A single network, no ensemble." in text
    assert "522 validation films" in text
    assert "out-of-fold" not in text
    assert network_count(single) == 1


def test_an_ensemble_is_never_called_one_network(
    table: PredictionTable, judgement: EvaluationResult, ensemble: BundleMeta
) -> None:
    text = all_text(table, judgement, ensemble)
    assert "no ensemble" not in text.lower()
    assert "the mean of 2 networks" in text
    assert seeds(ensemble) == (0, 2)
    assert "seeds 0, 2" in text
    assert unlabelled_films(ensemble) == 426
    assert "426 films without labels" in text


def test_out_of_fold_calibration_is_not_called_validation(
    table: PredictionTable, judgement: EvaluationResult, out_of_fold: BundleMeta
) -> None:
    text = all_text(table, judgement, out_of_fold)
    assert "out-of-fold predictions of 4,695 films in 4 folds" in text
    assert "validation films" not in text.replace("522 validation films", "")
    assert not [line for line in text.splitlines() if "alibrat" in line and "validation" in line]


def test_a_sites_calibration_is_the_sites(
    table: PredictionTable, judgement: EvaluationResult, site: BundleMeta
) -> None:
    text = all_text(table, judgement, site)
    assert "Re-calibrated on 300 films of 120 patients of St. Elsewhere by A. Person (2026-10-02)" in text
    assert "None since the training" not in text
    assert calibration_films(site) == "300 films of 120 patients of St. Elsewhere"
    boxes = [box.title for box in data_flow(ReportContext(table, judgement, meta=site))]
    assert boxes.index("Calibration and thresholds") + 1 == boxes.index("Re-calibration at St. Elsewhere")


def test_what_no_field_declares_is_not_said(
    table: PredictionTable, judgement: EvaluationResult, tiny_meta: BundleMeta
) -> None:
    silent = replace(tiny_meta, name="standard", architecture="")
    text = all_text(table, judgement, silent)
    assert "ensemble" not in text.lower().replace("not stated in the bundle", "").replace("\nensemble\n", "\n")
    assert "the bundle does not say on which films" in text
    assert "Apache-2.0, as the code" not in text  # a name is no licence
    assert network_count(silent) is None


@pytest.mark.parametrize("name", ["guangzhou", "standard"])
def test_the_shipped_bundles_are_described_as_they_are(
    name: str, table: PredictionTable, judgement: EvaluationResult
) -> None:
    _, meta, _ = read_bundle(find_bundle(name))
    text = all_text(table, judgement, meta)
    assert "A single network, no ensemble." in text
    assert "out-of-fold" not in text
    assert meta.operating_points[0].chosen_on in text
