"""STOW-RS: films by DICOMweb (PS3.18 section 10.5), into the node's queue if there is a node, else read at once."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydicom import dcmread
from python_multipart.exceptions import MultipartParseError
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError, UsageError
from pneumoscope.quiet import capture_warnings
from pneumoscope.server.auth.identity import Identity, Writer
from pneumoscope.server.context import Context, Here
from pneumoscope.server.engine.job import Choice, Film
from pneumoscope.server.intake.filing import Sender, find_stored, store_outcome
from pneumoscope.server.intake.multipart import PartReader
from pneumoscope.server.intake.receiving import Receiving
from pneumoscope.server.intake.upload import counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/dicom-web", tags=["dicomweb"])

_LOG = logging.getLogger(__name__)
_JSON = "application/dicom+json"
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
_OTHER_STUDY, _CANNOT_UNDERSTAND, _NO_RESOURCES = 0xA900, 0xC000, 0xA700  # PS3.18 table I.2-2
_BODY = {
    "requestBody": {
        "required": True,
        "content": {'multipart/related; type="application/dicom"': {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All objects were taken", "content": {_JSON: {"schema": {"type": "object"}}}},
    202: {"description": "Some were, as FailedSOPSequence tells", "content": {_JSON: {"schema": {"type": "object"}}}},
    409: {"description": "None was", "content": {_JSON: {"schema": {"type": "object"}}}},
}


@router.post(
    "/studies", summary="Store films (STOW-RS)", response_class=Response, openapi_extra=_BODY, responses=_ANSWERS
)
async def store(request: Request, here: Here, who: Writer) -> Response:
    """The body is multipart/related of application/dicom; the answer is PS3.18's, in the DICOM JSON model.

    With a DICOM node in this process its rules say which films are read, and results are sent; without one every film
    is read, and stands in the worklist.
    """
    return await _store(request, here, who, None)


@router.post(
    "/studies/{study}",
    summary="Store films of one study (STOW-RS)",
    response_class=Response,
    openapi_extra=_BODY,
    responses=_ANSWERS,
)
async def store_of_study(request: Request, here: Here, who: Writer, study: str) -> Response:
    """As above; objects of another study (Study Instance UID) are refused."""
    return await _store(request, here, who, study)


async def _store(request: Request, here: Context, who: Identity, study: str | None) -> Response:
    await run_in_threadpool(here.worklist.disk.check)
    answer = _Answer(here, who, study)
    async with _place(here) as into:
        try:
            parts = PartReader(request.headers.get("content-type", ""), into)
        except MultipartParseError as error:
            raise UsageError(
                "the body is not multipart/related", remedy='Send multipart/related; type="application/dicom"'
            ) from error
        try:
            async for piece in counted(request, here.config.max_request_bytes):
                for file in await run_in_threadpool(parts.feed, piece):
                    await answer.take(file)
            parts.end()
        except MultipartParseError as error:
            raise UsageError("the body is damaged, or ends too soon", remedy="Send it again") from error
        finally:
            parts.close()
    if not answer.taken and not answer.failed:
        raise UsageError("the body has no object", remedy='Send multipart/related; type="application/dicom"')
    told: dict[str, Any] = {}
    if answer.taken:
        told["00081199"] = {"vr": "SQ", "Value": answer.taken}
    if answer.failed:
        told["00081198"] = {"vr": "SQ", "Value": answer.failed}
    status = 200 if not answer.failed else 202 if answer.taken else 409
    return JSONResponse(told, status, media_type=_JSON)


@asynccontextmanager
async def _place(here: Context) -> AsyncIterator[Callable[[], Receiving]]:
    """Where objects are written while they come."""
    if here.node is not None:
        yield here.node.intake.open
        return
    folder = Path(tempfile.mkdtemp(prefix="pneumoscope-stow-"))
    try:
        yield lambda: Receiving(folder, here.config.max_bytes)
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


class _Answer:
    """Takes the objects of one request, and writes down what became of each.

    Attributes:
        taken: Items of ReferencedSOPSequence.
        failed: Items of FailedSOPSequence.
    """

    def __init__(self, here: Context, who: Identity, study: str | None) -> None:
        self._here, self._who, self._study = here, who, study
        self.taken: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []

    async def take(self, file: Receiving) -> None:
        """Take one object; its file is gone afterwards."""
        try:
            uids = await run_in_threadpool(_uids, file)
            reason = await self._reason(file, uids)
        finally:
            await run_in_threadpool(file.remove)
        item = {"00081150": _uid(uids[0]), "00081155": _uid(uids[1])} if all(uids) else {}
        if reason:
            self.failed.append({**item, "00081197": {"vr": "US", "Value": [reason]}})
        else:
            self.taken.append(item)

    async def _reason(self, file: Receiving, uids: tuple[str, ...]) -> int:
        """Why an object is not taken (PS3.18 table I.2-2); 0 if it is."""
        if not all(uids):
            return _NO_RESOURCES if file.trouble else _CANNOT_UNDERSTAND
        if self._study is not None and uids[2] != self._study:
            return _OTHER_STUDY
        if self._here.node is None:
            return await self._read(file)
        take = self._here.node.intake.take
        received = await run_in_threadpool(take, file, sender=self._who.name, sop_class=uids[0], instance=uids[1])
        return received.status

    async def _read(self, file: Receiving) -> int:
        """Read a film at once, and file it."""
        here, choice = self._here, Choice()
        data = await run_in_threadpool(Path(file.name).read_bytes)
        try:
            known = await run_in_threadpool(find_stored, here, sha256(data).hexdigest(), choice)
            if known is None:
                outcome = await here.engine.read(Film.of(data, "film"), choice, wait=True)
                await run_in_threadpool(store_outcome, here, outcome, choice, Sender(self._who.name, "api"))
                here.changed()
        except PneumoscopeError as error:
            _LOG.warning("an object could not be read and filed: %s", error)
            return _NO_RESOURCES
        return 0


def _uids(file: Receiving) -> tuple[str, ...]:
    """SOP class, instance and study of an object; empty where it is damaged or not whole."""
    file.finish()
    if file.trouble is not None:
        return "", "", ""
    try:
        with capture_warnings():
            header = dcmread(file.name, specific_tags=list(_UIDS))
    except Exception:  # noqa: BLE001 - whatever pydicom says of foreign bytes
        return "", "", ""
    return tuple(str(header.get(name) or "") for name in _UIDS)


def _uid(value: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [value]}
