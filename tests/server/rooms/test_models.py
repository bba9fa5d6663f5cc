"""Models: the card, importing, comparing, putting in use."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

from pneumoscope.model.bundle import find_bundle, read_bundle, shipped_bundles, write_bundle
from pneumoscope.model.schema import BundleMetric
from pneumoscope.server.pages.models import confusions, held_out
from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint

    Look = Callable[..., Page]
    Room = Any


def test_the_card_tells_what_it_is_for_and_what_is_not_held(room: Room, look: Look) -> None:
    page = look(room, "/models")
    card = page.locator("article.card")
    expect(card).to_contain_text("What it learned from")
    expect(card).to_contain_text("It has no gate: whatever it is given, it reads.")
    expect(card).to_contain_text("the bundle holds counts at its settings, not the score of each film")
    expect(card).to_contain_text("The bundle holds no reliability curve")
    expect(card.get_by_role("img")).to_have_count(2)


def test_import_compare_and_put_in_use(
    empty_room: Room, look: Look, tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    other = tmp_path / "other.onnx"
    write_bundle(
        other, tiny_graph, replace(tiny_meta, name="other", version="2", figures={"AUC": BundleMetric(0.8, 50)})
    )
    page = look(empty_room, "/models")
    page.get_by_label("ONNX file with a bundle's metadata").set_input_files(str(other))
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/models?bundle=other")
    expect(page.locator(".card-title")).to_have_text("other 2")
    page.get_by_role("link", name="tiny").click()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/models/compare?**")
    expect(page.locator("table.compare .differs").first).to_contain_text("Version")
    page.goto("/models?bundle=other")
    page.get_by_role("button", name="Put in use").click()
    expect(page.locator(".page-head").first).to_contain_text("other reads unless another is asked for")
    assert empty_room.context.bundles.in_use == "other"


def test_a_bundle_is_imported_without_a_script(
    empty_room: Room, look: Look, tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    other, wrong = tmp_path / "other.onnx", tmp_path / "wrong.onnx"
    write_bundle(other, tiny_graph, replace(tiny_meta, name="other", version="2"))
    wrong.write_bytes(b"not a bundle")
    page = look(empty_room, "/models", java_script_enabled=False, expected="status of 422")
    page.get_by_label("ONNX file with a bundle's metadata").set_input_files(str(wrong))
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/models/import")
    expect(page.get_by_role("link", name="Worklist").first).to_be_visible()
    assert len(empty_room.context.bundles.all()) == len(shipped_bundles()) + 1
    page.goto("/models")
    page.get_by_label("ONNX file with a bundle's metadata").set_input_files(str(other))
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".card-title")).to_have_text("other 2")
    assert len(empty_room.context.bundles.all()) == len(shipped_bundles()) + 2
    assert empty_room.context.bundles.in_use == "tiny"


def test_what_is_no_bundle_is_refused_with_a_reason(empty_room: Room, look: Look, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a bundle")
    page = look(empty_room, "/models", expected="status of 422")
    page.get_by_label("ONNX file with a bundle's metadata").set_input_files(str(wrong))
    with page.expect_response(re.compile("/api/v1/bundles")) as answer:
        page.get_by_role("button", name="Import").click()
    assert answer.value.status == 422
    expect(page.locator("#import-error")).not_to_be_empty()
    assert len(empty_room.context.bundles.all()) == len(shipped_bundles()) + 1


def test_confusions_are_counted_from_the_rates(tiny_meta: BundleMeta, tiny_band: ThreeWayPoint) -> None:
    found = {each.title: each for each in confusions(replace(tiny_meta, band=tiny_band))}
    assert found["screening"].rows == (("with pneumonia", (10, 90)), ("without pneumonia", (90, 10)))
    three = found["three-way"]
    assert three.columns == ("no pneumonia", "indeterminate", "pneumonia")
    assert three.rows[0] == ("with pneumonia", (2, 12, 86))
    assert three.rows[1] == ("without pneumonia", (87, 8, 5))
    assert sum(three.share(1, column) for column in range(3)) == 1


def test_held_out_rates_are_counts_again() -> None:
    meta = read_bundle(find_bundle("standard"))[1]
    for point in meta.operating_points:
        found = held_out(meta, point.preset)
        assert found is not None
        for rate in found:
            assert isinstance(rate, Proportion)
            assert rate.k / rate.n == rate.value
