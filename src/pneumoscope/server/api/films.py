"""The API of pictures: thumbnails, films, whole values, evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from pneumoscope.errors import NotFound
from pneumoscope.films.load import load
from pneumoscope.reports.json import from_dict
from pneumoscope.reports.overlay import thumbnail_jpeg as draw_thumbnail
from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.pictures import as_read, eye_jpeg, layer_png, pixels_png, size_as_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.store.records import FilmRow, ReadingRow
    from pneumoscope.types.correction import Correction

__all__ = ["evidence_response", "pixels_response", "router"]

router = APIRouter(prefix="/api/v1", tags=["pictures"])

_CACHE = "private, max-age=31536000, immutable"
_VERSION = "1"  # of the drawing; another one makes browsers ask anew
_NO_PIXELS = "the film could not be decoded, and has no picture"

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


def _kinds(*types: str) -> dict[int | str, dict[str, object]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in types}
    return {200: {"description": "The picture", "content": content}, 304: {"description": "It has not changed"}}


@router.get(
    "/films/{sha256}/thumbnail", summary="A film in small", responses=_kinds("image/jpeg"), response_class=Response
)
async def thumbnail(request: Request, here: Here, _: Reader, sha256: Sha256) -> Response:
    """A film in small, 160 pixels on its longer side, JPEG."""

    def draw() -> tuple[bytes, dict[str, str]]:
        picture = here.thumbnails.get(sha256)
        if picture is None:
            picture = draw_thumbnail(load(_kept(here, sha256), max_pixels=here.config.max_pixels))
            here.thumbnails.put(sha256, picture)
        return picture, {}

    await to_thread.run_sync(here.worklist.studies.film, sha256)
    return await _picture(request, here, f"{sha256}-thumbnail", "image/jpeg", draw)


@router.get(
    "/films/{sha256}/picture", summary="A film for the eye", responses=_kinds("image/jpeg"), response_class=Response
)
async def film_picture(
    request: Request, here: Here, _: Reader, sha256: Sha256, size: Annotated[int | None, Query(ge=32, le=8192)] = None
) -> Response:
    """A film in 8 bits as it was stored, JPEG; ``size`` is the longer side, if the film is larger."""

    def draw() -> tuple[bytes, dict[str, str]]:
        return eye_jpeg(load(_kept(here, sha256), max_pixels=here.config.max_pixels), size), {}

    await to_thread.run_sync(here.worklist.studies.film, sha256)
    return await _picture(request, here, f"{sha256}-picture-{size or 0}", "image/jpeg", draw)


@router.get(
    "/readings/{reading}/picture",
    summary="A film as it was read",
    responses=_kinds("image/jpeg"),
    response_class=Response,
)
async def reading_picture(
    request: Request, here: Here, _: Reader, reading: str, size: Annotated[int | None, Query(ge=32, le=8192)] = None
) -> Response:
    """A film as its reading saw it: upright, not inverted, without borders. JPEG."""
    row = await to_thread.run_sync(here.worklist.studies.reading, reading)

    def draw() -> tuple[bytes, dict[str, str]]:
        return eye_jpeg(as_read(_kept(here, row.film), _corrections(row), max_pixels=here.config.max_pixels), size), {}

    return await _picture(request, here, f"{row.id}-picture-{size or 0}", "image/jpeg", draw)


@router.get(
    "/readings/{reading}/pixels",
    summary="Every pixel of a film",
    responses=_kinds("image/png"),
    response_class=Response,
)
async def pixels(request: Request, here: Here, _: Reader, reading: str) -> Response:
    """Every pixel of a film as its reading saw it, PNG.

    8-bit films are gray; deeper ones RGB with the high byte in red and the low byte in green. The headers ``X-White``
    and ``X-Spacing-Mm`` (rows, columns) say what white is, and how large a pixel.
    """
    row = await to_thread.run_sync(here.worklist.studies.reading, reading)
    return await pixels_response(request, here, row)


@router.get(
    "/readings/{reading}/evidence",
    summary="The evidence as a layer",
    responses=_kinds("image/png"),
    response_class=Response,
)
async def evidence(request: Request, here: Here, _: Reader, reading: str) -> Response:
    """The evidence of a reading as a see-through layer of the film's aspect, PNG.

    The header ``X-Limit`` is the end of the colour scale in natural log-odds.
    """
    row = await to_thread.run_sync(here.worklist.studies.reading, reading)
    return await evidence_response(request, here, row)


async def pixels_response(request: Request, here: Context, row: ReadingRow, *, held: bool = False) -> Response:
    """Every pixel of a film as its reading saw it, PNG, with its white and spacing in the headers.

    Args:
        request: What asks for it.
        here: Of the server.
        row: The reading.
        held: Keep the picture in memory: others will ask for it soon.
    """

    def draw() -> tuple[bytes, dict[str, str]]:
        film = as_read(_kept(here, row.film), _corrections(row), max_pixels=here.config.max_pixels)
        headers = {"X-White": str(film.white)}
        if film.spacing_mm is not None:
            headers["X-Spacing-Mm"] = f"{film.spacing_mm[0]:.6g}, {film.spacing_mm[1]:.6g}"
        return pixels_png(film), headers

    name = f"{row.id}-pixels"
    return await _picture(
        request, here, name, "image/png", (lambda: here.study_pictures.get(name, draw)) if held else draw
    )


async def evidence_response(request: Request, here: Context, row: ReadingRow) -> Response:
    """The evidence of a reading as a layer, PNG.

    Raises:
        NotFound: A refused film has none.
    """
    if row.evidence is None:
        raise NotFound("a refused film has no evidence")
    found = row.evidence.evidence()

    def draw() -> tuple[bytes, dict[str, str]]:
        film: FilmRow = here.worklist.studies.film(row.film)
        rows, columns = size_as_read(film.rows or 1, film.columns or 1, _corrections(row))
        picture, limit = layer_png(found, rows, columns)
        return picture, {"X-Limit": f"{limit:g}"}

    return await _picture(request, here, f"{row.id}-evidence", "image/png", draw)


def _corrections(row: ReadingRow) -> tuple[Correction, ...]:
    return from_dict(row.document).corrections


def _kept(here: Context, sha256: str) -> bytes:
    data = here.worklist.studies.kept(sha256)
    if not data:
        raise NotFound(_NO_PIXELS)
    return data


async def _picture(
    request: Request, here: Context, tag: str, media_type: str, draw: Callable[[], tuple[bytes, dict[str, str]]]
) -> Response:
    """The picture, or the news that the one that the browser has is still right; a few are drawn at a time."""
    headers = {"ETag": f'"{tag}-{_VERSION}"', "Cache-Control": _CACHE}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    picture, more = await to_thread.run_sync(draw, limiter=here.drawing)
    return Response(picture, media_type=media_type, headers=headers | more)
