"""A client of DICOMweb (PS3.18): STOW-RS to send, QIDO-RS to ask, WADO-RS to fetch."""

from __future__ import annotations

import secrets
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from python_multipart.exceptions import MultipartParseError

from pneumoscope.errors import ConfigError
from pneumoscope.server.intake.multipart import receive_parts
from pneumoscope.server.node.delivery import PeerRefused, PeerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pneumoscope.server.intake.receiving import Receiving
    from pneumoscope.server.node.config import DicomWebLogin, NodeConfig
    from pneumoscope.server.node.queue import PendingResult

__all__ = ["DicomWebClient", "DicomWebSender"]

_DICOM = "application/dicom"
_JSON = "application/dicom+json"
_CHUNK = 2**20
_LATER = frozenset({408, 429, 500, 502, 503, 504, 507})  # the server has trouble, and not with what was sent
_LOGIN = frozenset({401, 403})
_PAGE = 100  # matches of one question


class DicomWebClient:
    """One server; a connection is kept for as long as the client is open.

    Args:
        url: Base address, to which /studies is added.
        login: Sent to this server alone.
        seconds: That it may be silent.

    Raises:
        ConfigError: The login's files cannot be read.
    """

    def __init__(self, url: str, login: DicomWebLogin | None = None, *, seconds: float = 60.0) -> None:
        self._url = url.rstrip("/")
        headers, auth, verify = _access(login)
        self._client = httpx.Client(
            headers=headers, auth=auth, verify=verify, timeout=seconds, follow_redirects=False, trust_env=False
        )

    def __enter__(self) -> DicomWebClient:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connection."""
        self._client.close()

    def store(self, files: Sequence[Path]) -> dict[str, int]:
        """Send objects (STOW-RS, PS3.18 section 10.5).

        Returns:
            Of each object that the server refused, by its SOP Instance UID, the reason (PS3.18 table I.2-2).

        Raises:
            PeerUnreachable: It does not answer, or cannot now.
            PeerRefused: It refuses all of them.
        """
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="{_DICOM}"; boundary={boundary}'
        length = sum(len(_part_head(boundary)) + file.stat().st_size + 2 for file in files) + len(boundary) + 6
        headers = {"Content-Type": kind, "Accept": _JSON, "Content-Length": str(length)}
        with self._asking():
            answer = self._client.post(f"{self._url}/studies", content=_body(files, boundary), headers=headers)
        told = self._json(answer, also=(202, 409))
        found: dict[str, int] = {}
        for item in (told[0] if isinstance(told, list) and told else told or {}).get("00081198", {}).get("Value", []):
            found[_first(item, "00081155") or ""] = int(_first(item, "00081197") or 0)
        if answer.status_code == 409 and not found:
            raise PeerRefused("it refuses the objects (status 409)", where=self._url)
        return found

    def search(self, level: str, query: Mapping[str, str | Sequence[str]]) -> Iterator[dict[str, Any]]:
        """Ask (QIDO-RS, PS3.18 section 10.6): the matches, page by page, as the DICOM JSON model has them.

        Args:
            level: "studies", "series" or "instances", or a path below a study.
            query: Keywords of attributes, and what they are to be.

        Raises:
            PeerUnreachable: It does not answer, or cannot now.
            PeerRefused: It refuses the question.
        """
        seen = 0
        while True:
            asked = {**query, "limit": str(_PAGE), "offset": str(seen)}
            with self._asking():
                answer = self._client.get(f"{self._url}/{level}", params=asked, headers={"Accept": _JSON})
            found = self._json(answer, also=(204,)) or []
            yield from found
            seen += len(found)
            if len(found) < _PAGE:
                return

    def retrieve(self, path: str, into: Callable[[], Receiving]) -> Iterator[Receiving]:
        """Fetch objects (WADO-RS, PS3.18 section 10.4), each written while it comes.

        Args:
            path: "studies/UID", with /series and /instances where fewer are wanted.
            into: Gives a file for the next object.

        Raises:
            PeerUnreachable: It does not answer, or the answer is not whole.
            PeerRefused: It refuses.
        """
        accept = f'multipart/related; type="{_DICOM}"; transfer-syntax=*'
        with self._asking(), self._client.stream("GET", f"{self._url}/{path}", headers={"Accept": accept}) as answer:
            if answer.status_code != 200:
                answer.read()
                self._check(answer)
            yield from receive_parts(answer.headers.get("content-type", ""), answer.iter_bytes(_CHUNK), into)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise PeerUnreachable(
                f"it does not answer ({type(error).__name__})", where=self._url, remedy="See that it runs"
            ) from error
        except MultipartParseError as error:
            raise PeerUnreachable("its answer is damaged", where=self._url) from error

    def _json(self, answer: httpx.Response, *, also: tuple[int, ...]) -> Any:
        if answer.status_code != 200 and answer.status_code not in also:
            self._check(answer)
        if not answer.content.strip():
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise PeerUnreachable("its answer is no JSON", where=self._url) from error

    def _check(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in _LATER:
            raise PeerUnreachable(f"it cannot now (status {status})", where=self._url)
        if status in _LOGIN:
            raise PeerUnreachable(
                f"it does not let us in (status {status})", where=self._url, remedy="See to the login of this address"
            )
        raise PeerRefused(f"it refuses (status {status})", where=self._url)


class DicomWebSender:
    """Sends results by STOW-RS.

    Args:
        url: The server's base address.
        config: Of the node.
    """

    def __init__(self, url: str, config: NodeConfig) -> None:
        self._url, self._config = url, config

    def send(self, results: Iterable[PendingResult]) -> Iterator[tuple[PendingResult, PeerRefused | None]]:
        """Send results, each in a request of its own, so that one that is refused does not hold up the others."""
        seconds = self._config.limits.network_seconds
        with DicomWebClient(self._url, self._config.login_for(self._url), seconds=seconds) as client:
            for result in results:
                try:
                    failed = client.store([result.path])
                except PeerRefused as error:
                    yield result, error
                    continue
                except FileNotFoundError:
                    yield result, PeerRefused("the file of the result is gone", where=result.path)
                    continue
                reason = failed.get(result.instance)
                refusal = None if reason is None else PeerRefused(f"reason {reason:04X}", where=self._url)
                yield result, refusal


def _part_head(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: {_DICOM}\r\n\r\n".encode()


def _body(files: Sequence[Path], boundary: str) -> Iterator[bytes]:
    for file in files:
        yield _part_head(boundary)
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _first(item: Mapping[str, Any], tag: str) -> Any:
    """The first value of an attribute of the DICOM JSON model; None if there is none."""
    return next(iter(item.get(tag, {}).get("Value", [])), None)


def _access(login: DicomWebLogin | None) -> tuple[dict[str, str], httpx.BasicAuth | None, ssl.SSLContext | bool]:
    if login is None:
        return {}, None, True
    headers = {"Authorization": f"Bearer {_secret(login.token_file)}"} if login.token_file else {}
    auth = httpx.BasicAuth(login.user, _secret(login.password_file)) if login.user else None
    if not login.ca:
        return headers, auth, True
    try:
        return headers, auth, ssl.create_default_context(cafile=login.ca)
    except OSError as error:
        raise ConfigError(
            "the authorities' certificates cannot be used", where=login.ca, remedy="Give a PEM file"
        ) from error


def _secret(path: str) -> str:
    try:
        return Path(path).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError("the login's file cannot be read", where=path, remedy="Give a text file") from error
