"""Models: the bundles that are here, the card of each, which one reads, and two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from pneumoscope.errors import NotFound, UsageError
from pneumoscope.web.api.bundles import LARGEST
from pneumoscope.web.context import Here
from pneumoscope.web.intake.upload import TooMuch
from pneumoscope.web.pages import words
from pneumoscope.web.pages.model_card import model_card
from pneumoscope.web.pages.render import page
from pneumoscope.web.pages.trouble import PageRoute
from pneumoscope.web.security.who import Admin, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.web.engine import Known
    from pneumoscope.web.pages.model_card import ModelCard

__all__ = ["Compared", "compared", "router"]

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of the comparison: what, of the first, of the second."""

    what: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether the two differ."""
        return self.first != self.second


@router.get("/models")
def models(request: Request, here: Here, who: Reader, bundle: str = "") -> HTMLResponse:
    """All bundles, and the card of one: the one that is asked for, else the one in use."""
    known, in_use = here.bundles.all(), here.bundles.in_use
    chosen = _of(known, bundle or in_use)
    return page(
        request,
        who,
        "models",
        bundles=known,
        in_use=in_use,
        card=model_card(chosen, in_use=chosen.name == in_use),
        can_admin=who.may("admin"),
        say=words,
    )


@router.post("/models/use")
def use(here: Here, who: Admin, bundle: Annotated[str, Form()]) -> RedirectResponse:
    """Put a bundle in use; films that come after it are read with it."""
    here.bundles.use(bundle, by=who.name)
    return RedirectResponse("/models", status_code=303)


@router.post("/models/import")
async def import_bundle(request: Request, here: Here, who: Admin) -> RedirectResponse:
    """Import the bundle of the form (without a script); it is not put in use by that."""
    async with request.form(max_files=1, max_fields=1) as form:  # here, so that nobody else's body is even read
        given = form.get("bundle")
        if not isinstance(given, UploadFile) or not given.size:
            raise UsageError("no file was chosen", remedy="Choose an ONNX file with a bundle's metadata")
        if given.size > LARGEST:
            raise TooMuch(f"a bundle has at most {LARGEST / 2**20:.0f} MiB")
        data = await given.read()
    known = await run_in_threadpool(lambda: here.bundles.add(data, by=who.name, check=here.engine.check))
    return RedirectResponse(f"/models?bundle={quote(known.name, safe='')}", status_code=303)


@router.get("/models/compare")
def compare(request: Request, here: Here, who: Reader, a: str = "", b: str = "") -> HTMLResponse:
    """Two bundles side by side; without names, the one in use and the next."""
    known, in_use = here.bundles.all(), here.bundles.in_use
    first = _of(known, a or in_use)
    second = _of(known, b) if b else next((each for each in known if each.name != first.name), first)
    pair = (("card-1", first, second), ("card-2", second, first))
    cards = [model_card(one, in_use=one.name == in_use, name=name, beside=other) for name, one, other in pair]
    return page(
        request,
        who,
        "models_compare",
        title="Compare bundles",
        active="models",
        bundles=known,
        in_use=in_use,
        cards=cards,
        lines=compared(*cards),
        same_films=first.meta.figures_on == second.meta.figures_on,
        say=words,
    )


def compared(first: ModelCard, second: ModelCard) -> tuple[Compared, ...]:
    """All lines of the comparison: what each is, and each figure that one of them has."""
    pair = [_said(card) for card in (first, second)]
    names = dict.fromkeys([*pair[0], *pair[1]])
    return tuple(Compared(name, pair[0].get(name, "not told"), pair[1].get(name, "not told")) for name in names)


def _said(card: ModelCard) -> dict[str, str]:
    meta = card.known.meta
    told = {
        "Version": meta.version,
        "Finds": f"{meta.finding} in {', '.join(meta.class_names)}",
        "Learned from": meta.provenance.data,
        "Figures on": meta.figures_on,
        "Sees": f"{meta.preprocess.size} x {meta.preprocess.size} pixels",
        "Weights": f"{meta.parameters:,}",
        "Gate": "none" if meta.gate is None else "yes",
        "Re-calibrated for": ", ".join(site.site for site in meta.sites) or "no site",
    }
    for point in card.points:
        on = "held-out films" if point.held_out else "films that chose it"
        told[f"Sensitivity, {point.preset}, {on}"] = words.rate(point.sensitivity)
        told[f"Specificity, {point.preset}, {on}"] = words.rate(point.specificity)
    for group in card.groups:
        for name, value, interval, films in group.rows:
            if name.split(" (")[0] not in {"recall", "specificity"}:
                told[name] = f"{value} ({interval}; {films} films)" if interval else f"{value} ({films} films)"
    return told


def _of(known: Sequence[Known], name: str) -> Known:
    found = next((each for each in known if each.name == name), None)
    if found is None:
        raise NotFound(f"there is no bundle {name[:80]!r}", remedy="The page Models lists those there are")
    return found
