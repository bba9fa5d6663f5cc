"""Settings, and bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from tests.server.store.conftest import Clock

    from pneumoscope.server.store.worklist import Worklist


def test_settings(worklist: Worklist) -> None:
    settings = worklist.settings
    assert settings.get("retention.days") is None
    assert settings.get("retention.days", 0) == 0
    for value in (30, None, [1, {"a": "\u00e9"}], "x", False):
        settings.set("retention.days", value, by="anna")
        assert settings.get("retention.days", "default") == value
    settings.set("a", 1.5, by="anna")
    assert settings.all() == {"a": 1.5, "retention.days": False}
    settings.clear("a", by="anna")
    settings.clear("a", by="anna")
    assert settings.get("a", "default") == "default"
    lines = worklist.audit.page(target="setting:a").items
    assert [(line.action, line.detail) for line in lines] == [
        ("setting.clear", {}),
        ("setting.set", {"before": None, "after": 1.5}),
    ]
    with pytest.raises(UsageError, match="JSON"):
        settings.set("a", {1, 2}, by="anna")


def test_bundles(worklist: Worklist, clock: Clock) -> None:
    bundles = worklist.bundles
    assert (bundles.in_use(), bundles.get("ours")) == (None, None)
    row = bundles.add("ours", "a" * 64, by="anna")
    assert (row.added, row.in_use) == (clock.at, False)
    clock.forward(seconds=1)
    assert bundles.add("ours", "a" * 64, by="bob") == row
    with pytest.raises(Conflict):
        bundles.add("ours", "b" * 64, by="anna")
    bundles.add("other", "b" * 64, by="anna")
    assert [one.name for one in bundles.list()] == ["other", "ours"]
    bundles.use("standard", by="anna")
    assert bundles.in_use() == "standard"
    bundles.use("ours", by="anna")
    bundles.use("ours", by="anna")
    assert bundles.get("ours") == bundles.list()[1]
    assert bundles.list()[1].in_use
    with pytest.raises(UsageError, match="in use"):
        bundles.remove("ours", by="anna")
    bundles.use("standard", by="anna")
    assert bundles.remove("ours", by="anna") == row
    with pytest.raises(NotFound):
        bundles.remove("ours", by="anna")
    lines = worklist.audit.page(action="bundle.").items
    assert [line.action for line in lines] == [
        "bundle.remove",
        "bundle.use",
        "bundle.use",
        "bundle.use",
        "bundle.add",
        "bundle.add",
    ]
