"""The client: one method a call."""

from __future__ import annotations

import time
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

from pneumoscope.client.problem import Busy, Problem, Unreachable
from pneumoscope.client.types import Reading, Stored, StoredReading, Study, StudyDetail, Verdict, reading_of
from pneumoscope.errors import MissingExtra, UnreadableFilm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    import httpx

__all__ = ["Client"]

_T = TypeVar("_T")
_PAGE = 200


class Client:
    """A reading room, asked from Python.

        >>> with Client("http://127.0.0.1:8000") as room:
        ...     reading = room.read("film.jpeg")
        ...     print(reading.finding.call)

    Args:
        url: Of the reading room; also as ``pneumoscope serve`` prints it, with the local token in it.
        token: An API token, or the local token of a reading room where nobody has an account yet.
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
        data, called = _bytes_of(film, name)
        answer = self._ask("POST", "/api/v1/read", query=_query(name=called, store=store, **chosen), content=data)
        return reading_of(answer.json())

    def send(
        self,
        film: str | PathLike[str] | bytes,
        *,
        name: str | None = None,
        bundle: str | None = None,
        preset: str | None = None,
    ) -> Stored:
        """Read one film and keep it; as ``read``, with the ids of the study and of the reading."""
        data, called = _bytes_of(film, name)
        query = _query(name=called, bundle=bundle, preset=preset)
        answer = self._ask("POST", "/api/v1/read", query=query, content=data)
        study = answer.headers.get("location", "").rpartition("/")[2] or None
        reading = reading_of(answer.json())
        return Stored(reading.film.path, reading, study, answer.headers.get("x-pneumoscope-reading"))

    def send_zip(
        self, path: str | PathLike[str], *, bundle: str | None = None, preset: str | None = None
    ) -> list[Stored]:
        """Read and keep the films of a zip.

        Raises:
            Problem: The server does not take the zip.
        """
        data, _ = _bytes_of(path, None)
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
            order: "newest" or "urgency".
            call: "pneumonia", "no pneumonia" or "indeterminate".
            status: "read" or "refused".
            source: "web", "api", "node" or "import".
            verdict: "none", "agree" or "correct".
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
        return self._typed("GET", f"/api/v1/studies/{study}", StudyDetail)

    def read_again(
        self, study: str, *, bundle: str | None = None, preset: str | None = None
    ) -> tuple[StoredReading, ...]:
        """Read the films of a study again, with another bundle or preset.

        Raises:
            Problem: There is no such study, or its films were not kept.
        """
        query = _query(bundle=bundle, preset=preset)
        return self._typed("POST", f"/api/v1/studies/{study}/readings", tuple[StoredReading, ...], query=query)

    def verdict(self, study: str, kind: str, *, corrected_to: str | None = None, comment: str = "") -> Verdict:
        """Say what a person says of a study: "agree", or "correct" and to which class.

        Raises:
            Problem: There is no such study, or the verdict makes no sense.
        """
        body = {"kind": kind, "corrected_to": corrected_to, "comment": comment}
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
                    f"the reading room does not answer ({type(error).__name__})",
                    where=str(self._http.base_url),
                    remedy="Check the address, and whether it runs",
                ) from error
            wait = _wait(answer)
            if wait is None or time.monotonic() + wait > end:
                break
            time.sleep(wait)
        if answer.status_code >= 400:
            raise _problem_of(answer)
        return answer


def _wait(answer: httpx.Response) -> float | None:
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


def _stored(item: dict[str, Any]) -> Stored:
    reading = None if item["reading"] is None else reading_of(item["reading"])
    return Stored(item["name"], reading, item["study"], item["reading_id"], item.get("problem", {}).get("detail", ""))


def _query(**values: str | float | bool | None) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _bytes_of(film: str | PathLike[str] | bytes, name: str | None) -> tuple[bytes, str | None]:
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
