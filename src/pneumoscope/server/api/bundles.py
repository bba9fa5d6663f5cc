"""The API of bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import BundleError, NotFound, UsageError
from pneumoscope.server.auth.identity import Admin, Reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.intake.upload import receive

if TYPE_CHECKING:
    from pneumoscope.server.engine.bundles import Known

__all__ = ["MAX_BUNDLE_BYTES", "router"]

router = APIRouter(prefix="/api/v1/bundles", tags=["bundles"])

MAX_BUNDLE_BYTES = 1024 * 2**20
"""Bytes of a bundle's file."""

Name = Annotated[str, Path(min_length=1, max_length=200)]


class BundleOut(BaseModel):
    """A line of the list of bundles."""

    name: str
    version: str
    finding: str
    classes: list[str]
    presets: list[str]
    sha256: str
    bytes: int
    shipped: bool
    in_use: bool

    @classmethod
    def of(cls, known: Known, in_use: str) -> BundleOut:
        """What the list says of a bundle."""
        meta = known.meta
        band = [] if meta.band is None else [meta.band.preset]
        return cls(
            name=known.name,
            version=meta.version,
            finding=meta.finding,
            classes=list(meta.class_names),
            presets=[point.preset for point in meta.operating_points] + band,
            sha256=known.sha256,
            bytes=known.bytes,
            shipped=known.shipped,
            in_use=known.name == in_use,
        )


class BundleList(BaseModel):
    """All bundles, and the name of the one in use."""

    items: list[BundleOut]
    in_use: str


class Use(BaseModel):
    """Which bundle is to read."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("", summary="List bundles")
def bundles(here: Here, _: Reader) -> BundleList:
    """Shipped ones first, then imported ones."""
    in_use = here.bundles.in_use
    return BundleList(items=[BundleOut.of(known, in_use) for known in here.bundles.all()], in_use=in_use)


@router.post(
    "",
    summary="Import a bundle",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_bundle(request: Request, here: Here, who: Admin) -> BundleOut:
    """The body is a bundle's file. It is taken only if its hashes are right and it can be loaded."""
    limit = min(MAX_BUNDLE_BYTES, here.config.max_request_bytes)
    upload = await receive(request, name="bundle.onnx", limit=limit, zip_limit=limit)
    try:
        if upload.size == 0:
            raise UsageError("the request has no body", remedy="Send the bytes of a bundle as the body")
        known = await run_in_threadpool(lambda: here.bundles.add(upload.read(), by=who.name, check=here.engine.check))
    finally:
        upload.close()
    in_use = await run_in_threadpool(lambda: here.bundles.in_use)
    return BundleOut.of(known, in_use)


@router.put("/in-use", summary="Put a bundle in use")
def use(here: Here, who: Admin, wanted: Use) -> BundleOut:
    """It reads from now on, unless another one is asked for."""
    try:
        here.engine.check(here.bundles.get(wanted.name).path)
    except BundleError as error:
        raise UsageError(f"this bundle cannot be used: {error.what}", remedy=error.remedy) from error
    return BundleOut.of(here.bundles.use(wanted.name, by=who.name), wanted.name)


@router.get("/{name}", summary="Look at a bundle")
def bundle(here: Here, _: Reader, name: Name) -> dict[str, Any]:
    """All that it says of itself: classes, operating points, calibration, gate, provenance, figures."""
    known = _known(here, name)
    line = BundleOut.of(known, here.bundles.in_use).model_dump()
    listed = {key: line[key] for key in ("sha256", "bytes", "shipped", "in_use", "presets")}
    return {**_meta(known), **listed, "name": known.name}


@router.get("/{name}/figures", summary="The figures of a bundle")
def figures(here: Here, _: Reader, name: Name) -> dict[str, Any]:
    """Its headline figures with their intervals, and on which films they were measured."""
    meta = _meta(_known(here, name))
    wanted = ("figures", "figures_on", "operating_points", "band", "conformal", "sites")
    return {"name": name, **{key: meta[key] for key in wanted}}


def _meta(known: Known) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(known.meta)
    del found["learned_films"]  # long, and of no use to a reader
    return found


def _known(here: Context, name: str) -> Known:
    try:
        return here.bundles.get(name)
    except UsageError as error:
        raise NotFound(error.what, remedy=error.remedy) from error
