"""A client of DICOMweb (PS3.18): STOW-RS to send, QIDO-RS to ask, WADO-RS to fetch."""

from __future__ import annotations

import secrets
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

from pneumoscope.errors import ConfigError
from pneumoscope.server.node.delivery import PeerRefused, PeerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pneumoscope.server.node.config import DicomWebLogin, NodeConfig
    from pneumoscope.server.node.incoming import Receiving
    from pneumoscope.server.node.queue import PendingResult

__all__ = ["DicomWebClient", "DicomWebSender", "receive_parts"]

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


def receive_parts(kind: str, chunks: Iterable[bytes], into: Callable[[], Receiving]) -> Iterator[Receiving]:
    """The objects of a multipart/related body, each given out when it is whole.

    Args:
        kind: The Content-Type.
        chunks: The body.
        into: Gives a file for the next object; whoever gets it back takes it away.

    Raises:
        MultipartParseError: The body is damaged, ends too soon, or is of another kind.
    """
    parts = PartReader(kind, into)
    try:
        for chunk in chunks:
            yield from parts.feed(chunk)
        parts.end()
    finally:
        parts.close()


class PartReader:
    """Takes a multipart/related body apart while it comes.

    Args:
        kind: The Content-Type.
        into: Gives a file for the next object.

    Raises:
        MultipartParseError: It is of another kind.
    """

    def __init__(self, kind: str, into: Callable[[], Receiving]) -> None:
        media, options = parse_options_header(kind)
        boundary = options.get(b"boundary", b"")
        if media != b"multipart/related" or not boundary:
            raise MultipartParseError("this is not multipart/related")
        self._into = into
        self._file: Receiving | None = None
        self._whole: list[Receiving] = []
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._finish,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[Receiving]:
        """Take bytes; the objects that they complete."""
        self._parser.write(chunk)
        whole, self._whole = self._whole, []
        return whole

    def end(self) -> None:
        """See that the body was whole.

        Raises:
            MultipartParseError: It was not.
        """
        if not self._ended:
            raise MultipartParseError("the body ends too soon")

    def close(self) -> None:
        """Take away what is not whole."""
        for file in (self._file, *self._whole):
            if file is not None:
                file.remove()
        self._file, self._whole = None, []

    def _begin(self) -> None:
        self._file = self._into()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])

    def _finish(self) -> None:
        if self._file is not None:
            self._whole.append(self._file)
            self._file = None

    def _end(self) -> None:
        self._ended = True


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


def host_of(url: str) -> str:
    """The host of an address, for the log."""
    return urlsplit(url).hostname or ""
