"""The numbers of the dashboard."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from pneumoscope.web.context import Here
from pneumoscope.web.security.who import Reader

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["numbers"])


@router.get("/numbers", summary="Numbers of the last days")
def numbers(here: Here, _: Reader, days: Annotated[int, Query(ge=1, le=3660)] = 30) -> dict[str, Any]:
    """Readings a day, calls, refusals, scores of the bundle in use, inputs, seconds, agreement; by days of UTC."""
    store = here.worklist.numbers
    bundle = here.bundles.get()
    return {
        "days": days,
        "bundle": {"name": bundle.name, "sha256": bundle.sha256},
        "totals": store.totals(),
        "per_day": [asdict(each) for each in store.per_day(days)],
        "calls": [asdict(each) for each in store.calls(days)],
        "refusals": [asdict(each) for each in store.refusals(days)],
        "scores": asdict(store.scores(days, bundle.sha256)),
        "inputs": [asdict(each) for each in store.inputs(days)],
        "seconds": [asdict(each) for each in store.seconds(days)],
        "agreement": [asdict(each) for each in store.agreement(days)],
    }
