"""A typed client of a pneumoscope server on this or another machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

from pneumoscope.errors import MissingExtra, PneumoscopeError, UnreadableFilm
from pneumoscope.reports.json_v1 import upgraded
from pneumoscope.storage import open_atomically
from pneumoscope.types import studies
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import Expected, Finding, ModelRef, Pattern, Refusal, Software
from pneumoscope.types.studies import StoredFilm, Study, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    import httpx

__all__ = [
    "Busy",
    "Client",
    "Evidence",
    "Expected",
    "FilmInfo",
    "Finding",
    "ModelRef",
    "Pattern",
    "Problem",
    "Reading",
    "Refusal",
    "Software",
    "Stored",
    "StoredFilm",
    "StoredReading",
    "Study",
    "StudyDetail",
    "Unreachable",
    "Verdict",
    "parse_reading",
]


class Problem(PneumoscopeError):
    """An answer that is an error (RFC 9457).

    Attributes:
        status: Of HTTP.
        kind: The code for programs: "busy", "not-found", "too-large", ...
    """

    code = "problem"

    def __init__(self, what: str, *, status: int, kind: str, where: str | None = None, remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status, self.kind = status, kind

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes."""
        return (_rebuilt_problem, (type(self), (self.what, self.status, self.kind, self.where, self.remedy)))


class Busy(Problem):
    """The queue stayed full for as long as the client was willing to wait."""


class Unreachable(PneumoscopeError):
    """The web application does not answer."""

    code = "unreachable"


def _rebuilt_problem(kind_of: type[Problem], parts: tuple[str, int, str, str | None, str]) -> Problem:
    what, status, kind, where, remedy = parts
    return kind_of(what, status=status, kind=kind, where=where, remedy=remedy)


class Evidence(msgspec.Struct, frozen=True):
    """Share of the evidence by zone, and in the lungs."""

    zones: dict[str, float]
    in_lungs: float | None


class Reading(msgspec.Struct, frozen=True):
    """The Reading; a refused one has no numbers. ``document`` is the JSON as it came."""

    film: FilmInfo
    status: Literal["read", "refused"]
    refusal: Refusal | None
    corrections: tuple[dict[str, Any], ...]
    forced: bool
    warnings: tuple[str, ...]
    probabilities: dict[str, float] | None
    positive_classes: tuple[str, ...]
    finding: Finding | None
    pattern: Pattern | None
    evidence: Evidence | None
    model: ModelRef | None
    software: Software
    notice: str
    document: dict[str, Any]


def parse_reading(document: dict[str, Any]) -> Reading:
    """The Reading of its JSON, of version 2 or 1 (servers before 0.4.0).

    Raises:
        msgspec.ValidationError: It is no Reading.
    """
    try:
        current = upgraded(document)
    except (KeyError, ValueError, TypeError) as error:
        raise msgspec.ValidationError(f"the answer is no reading ({error})") from error
    return msgspec.convert({**current, "document": document}, Reading)


class Stored(msgspec.Struct, frozen=True):
    """What became of one film that was sent.

    Attributes:
        name: Of the film.
        reading: Its reading; None if the server met a problem with this film.
        study: Id of the study; None if it was not stored.
        reading_id: Likewise.
        problem: What went wrong, in words.
    """

    name: str
    reading: Reading | None
    study: str | None
    reading_id: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StoredReading(studies.StoredReading):
    """A reading of a study; ``document`` is the Reading's JSON."""

    @property
    def reading(self) -> Reading:
        """The Reading."""
        return parse_reading(self.document)


@dataclass(frozen=True, slots=True)
class StudyDetail(studies.StudyDetail):
    """All that is known of a study; readings and verdicts newest first, films by position, history oldest first."""

    readings: tuple[StoredReading, ...]


_T = TypeVar("_T")
_PAGE = 200


class Client:
    """A web application, asked from Python.

        >>> with Client("http://127.0.0.1:8000") as room:
        ...     reading = room.read("film.jpeg")
        ...     print(reading.finding.call)

    Args:
        url: Of the web application; also as ``pneumoscope serve`` prints it, with the local token in it.
        token: An API token, or the local token of a web application where nobody has an account yet.
        timeout: Seconds for one answer.
        patience: Seconds to go on trying while the queue is full.
        transport: In place of the network, for tests.

    Raises:
        MissingExtra: httpx is not installed.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        timeout: float = 60.0,
        patience: float = 120.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            import httpx  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra.named("httpx", extra="client", needed_for="the client") from error
        url, inside = _split(url)
        token = token or inside
        headers = {"User-Agent": "pneumoscope-client"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._httpx = httpx
        self._patience = patience
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(
        self,
        film: str | PathLike[str] | bytes,
        *,
        name: str | None = None,
        bundle: str | None = None,
        preset: str | None = None,
        coverage: float | None = None,
        mend: bool = True,
        force: bool = False,
        store: bool = True,
    ) -> Reading:
        """Read one film.

        Args:
            film: A path, or the bytes of a file.
            name: What to call it; a path is called by its last part.
            bundle: Its name; the one in use without it.
            preset: The operating point; the bundle's own without it.
            coverage: Of the pattern's prediction set.
            mend: Whether turned, inverted and tilted films and wide borders are put right.
            force: Read what the gate refuses too.
            store: Keep the film and the reading in the worklist.

        Raises:
            Problem: The server says no.
            Busy: The queue stayed full.
            UnreadableFilm: The path cannot be read.
        """
        chosen = {"bundle": bundle, "preset": preset, "coverage": coverage, "mend": mend, "force": force}
        data, called = _film_bytes(film, name)
        answer = self._ask("POST", "/api/v1/read", query=_query(name=called, store=store, **chosen), content=data)
        return parse_reading(answer.json())

    def send(
        self,
        film: str | PathLike[str] | bytes,
        *,
        name: str | None = None,
        bundle: str | None = None,
        preset: str | None = None,
    ) -> Stored:
        """Read one film and keep it; as ``read``, with the ids of the study and of the reading."""
        data, called = _film_bytes(film, name)
        query = _query(name=called, bundle=bundle, preset=preset)
        answer = self._ask("POST", "/api/v1/read", query=query, content=data)
        study = answer.headers.get("location", "").rpartition("/")[2] or None
        reading = parse_reading(answer.json())
        return Stored(reading.film.path, reading, study, answer.headers.get("x-pneumoscope-reading"))

    def send_zip(
        self, path: str | PathLike[str], *, bundle: str | None = None, preset: str | None = None
    ) -> list[Stored]:
        """Read and keep the films of a zip.

        Raises:
            Problem: The server does not take the zip.
        """
        data, _ = _film_bytes(path, None)
        answer = self._ask("POST", "/api/v1/read", query=_query(bundle=bundle, preset=preset), content=data)
        return [_stored(item) for item in answer.json()["readings"]]

    def studies(
        self,
        *,
        order: str | None = None,
        call: str | None = None,
        status: str | None = None,
        source: str | None = None,
        verdict: str | None = None,
        refusal: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> Iterator[Study]:
        """The worklist, page after page as it is needed.

        Args:
            order: "newest", "urgency" or "priority".
            call: "pneumonia", "no pneumonia" or "indeterminate".
            status: "read" or "refused".
            source: "web", "api", "node" or "import".
            verdict: "none", "agree", "correct" or "not-assessable".
            refusal: The code.
            since: Received at or after.
            until: Received before.
            text: Words of the label, the note or the name.

        Raises:
            Problem: The server says no.
        """
        query = _query(
            order=order,
            call=call,
            status=status,
            source=source,
            verdict=verdict,
            refusal=refusal,
            since=None if since is None else since.isoformat(),
            until=None if until is None else until.isoformat(),
            q=text,
            limit=_PAGE,
        )
        while True:
            page = self._ask("GET", "/api/v1/studies", query=query).json()
            yield from msgspec.convert(page["items"], list[Study])
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def study(self, study: str) -> StudyDetail:
        """All that is known of a study.

        Raises:
            Problem: There is none.
        """
        found = self._ask("GET", f"/api/v1/studies/{study}").json()
        readings = [_with_document(item) for item in found["readings"]]
        return msgspec.convert({**found, "readings": readings}, StudyDetail)

    def previous(self, study: str) -> tuple[Study, ...]:
        """Other studies of the same patient, newest first; none where the films told no patient.

        Raises:
            Problem: There is no such study.
        """
        return self._typed("GET", f"/api/v1/studies/{study}/previous", tuple[Study, ...])

    def save_table(
        self, path: str | PathLike[str], form: Literal["csv", "json", "parquet"] | None = None, **filters: Any
    ) -> None:
        """Save the worklist as a table, one row a study with its reading and verdict; it is written as it comes.

        Args:
            path: The file; written whole or not at all.
            form: Without it, by the file's suffix.
            filters: As for ``studies``.

        Raises:
            Problem: The server says no, or cannot write this form.
            StorageError: The file cannot be written.
        """
        times = {name: value.isoformat() for name, value in filters.items() if hasattr(value, "isoformat")}
        query = _query(**filters | times | {"format": form or Path(path).suffix.removeprefix(".")})
        if "text" in query:
            query["q"] = query.pop("text")
        with self._http.stream("GET", "/api/v1/studies/table", params=query) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _problem_of(answer)
            with open_atomically(path) as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)

    def read_again(
        self, study: str, *, bundle: str | None = None, preset: str | None = None
    ) -> tuple[StoredReading, ...]:
        """Read the films of a study again, with another bundle or preset.

        Raises:
            Problem: There is no such study, or its films were not kept.
        """
        query = _query(bundle=bundle, preset=preset)
        found = self._ask("POST", f"/api/v1/studies/{study}/readings", query=query).json()
        return msgspec.convert([_with_document(item) for item in found], tuple[StoredReading, ...])

    def verdict(
        self,
        study: str,
        kind: str,
        *,
        corrected_to: str | None = None,
        comment: str = "",
        findings: Sequence[str] = (),
    ) -> Verdict:
        """Say what a person says of a study: "agree", "correct" and to which class, or "not-assessable".

        Raises:
            Problem: There is no such study, or the verdict makes no sense.
        """
        body = {"kind": kind, "corrected_to": corrected_to, "comment": comment, "findings": list(findings)}
        return self._typed("POST", f"/api/v1/studies/{study}/verdicts", Verdict, json=body)

    def note(self, study: str, text: str) -> Study:
        """Write the note of a study, in place of the one before.

        Raises:
            Problem: There is no such study.
        """
        return self._typed("PATCH", f"/api/v1/studies/{study}", Study, json={"note": text})

    def delete(self, study: str) -> None:
        """Delete a study with its films, readings and verdicts; for administrators.

        Raises:
            Problem: There is no such study, or you may not.
        """
        self._ask("DELETE", f"/api/v1/studies/{study}")

    def report(self, study: str, form: str = "pdf") -> bytes:
        """The report of a study: "json", "html", "pdf", "fhir" or "dcm".

        Raises:
            Problem: There is no such study, or the server cannot write this form.
        """
        content: bytes = self._ask("GET", f"/api/v1/studies/{study}/report.{form}").content
        return content

    def bundles(self) -> dict[str, Any]:
        """Which bundles there are, and which one is in use."""
        found: dict[str, Any] = self._ask("GET", "/api/v1/bundles").json()
        return found

    def ready(self) -> bool:
        """Whether the server is ready to read."""
        try:
            return bool(self._http.get("/readyz").status_code == 200)
        except self._httpx.HTTPError:
            return False

    def _typed(
        self,
        method: str,
        path: str,
        kind: type[_T],
        *,
        query: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
    ) -> _T:
        return msgspec.convert(self._ask(method, path, query=query, json=json).json(), kind)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Ask, and ask again as long as the server says that it is busy.

        Nothing is done twice by that: the same film is answered from the worklist.
        """
        end = time.monotonic() + self._patience
        while True:
            try:
                answer = self._http.request(method, path, params=query, json=json, content=content)
            except self._httpx.HTTPError as error:
                raise Unreachable(
                    f"the web application does not answer ({type(error).__name__})",
                    where=str(self._http.base_url),
                    remedy="Check the address, and whether it runs",
                ) from error
            wait = _retry_after(answer)
            if wait is None or time.monotonic() + wait > end:
                break
            time.sleep(wait)
        if answer.status_code >= 400:
            raise _problem_of(answer)
        return answer


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds to wait before asking again; None if the answer stands."""
    after = answer.headers.get("retry-after", "")
    return max(0.1, float(after)) if answer.status_code in (429, 503) and after.isdecimal() else None


def _problem_of(answer: httpx.Response) -> Problem:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    kind = Busy if answer.status_code in (429, 503) else Problem
    return kind(
        str(said.get("detail") or f"the server answered {answer.status_code}"),
        status=answer.status_code,
        kind=str(said.get("code") or "problem"),
        remedy=str(said.get("remedy") or ""),
    )


def _with_document(item: dict[str, Any]) -> dict[str, Any]:
    """A stored reading's JSON, in which the document is called "reading"."""
    return {**item, "document": item["reading"]}


def _stored(item: dict[str, Any]) -> Stored:
    reading = None if item["reading"] is None else parse_reading(item["reading"])
    return Stored(item["name"], reading, item["study"], item["reading_id"], item.get("problem", {}).get("detail", ""))


def _query(**values: str | float | bool | None) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _film_bytes(film: str | PathLike[str] | bytes, name: str | None) -> tuple[bytes, str | None]:
    """The bytes of a film and what it is called.

    Raises:
        UnreadableFilm: The path cannot be read.
    """
    if isinstance(film, bytes):
        return film, name
    path = Path(fspath(film))
    try:
        return path.read_bytes(), name or path.name
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableFilm(f"the file cannot be read ({reason})", where=path, remedy="Check the path") from error


def _split(url: str) -> tuple[str, str | None]:
    """An address as the server prints it, without the token; and the token."""
    parts = urlsplit(url)
    found = parse_qs(parts.query).get("token", [None])[0]
    return (url, None) if found is None else (urlunsplit((*parts[:3], "", "")), found)
