"""A transaction bundle to a FHIR server (R4 3.1.0.11.1): posted to its base address, retried, its answer looked at."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pneumoscope.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FhirServer"]

_LOCAL = {"localhost", "127.0.0.1", "::1"}
_ANSWER = 4 << 20  # bytes that are read of an answer
_PATIENCE = 30.0  # seconds that a server may ask to wait


class _NoRedirect(HTTPRedirectHandler):
    """An address that moved is told, and credentials go nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""
        return


@dataclass(frozen=True, slots=True)
class FhirServer:
    """A server and how to get in.

    Attributes:
        url: Base address, "https://fhir.hospital.example/r4".
        token: Bearer token.
        user: Or user, for basic authentication.
        password: And password.
        timeout: Seconds that one attempt may take.
        attempts: How often it is tried, where trying again can help.
        wait: Seconds before the second attempt; each further one waits twice as long.
    """

    url: str
    token: str = ""
    user: str = ""
    password: str = ""
    timeout: float = 30.0
    attempts: int = 4
    wait: float = 1.0

    def __post_init__(self) -> None:
        """Hold the address to what it may be.

        Raises:
            UsageError: It is no address, or credentials would go over it in clear.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise UsageError(
                "this is no address of a FHIR server", where=_without_secrets(self.url), remedy="Give https://HOST/PATH"
            )
        if (self.token or self.user) and parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise UsageError(
                "a token or password would go over the network in clear", where=self.url, remedy="Give an https address"
            )

    def post(self, bundle: Mapping[str, object], sleep: Callable[[float], None] = time.sleep) -> tuple[str, ...]:
        """Post a transaction bundle.

        Args:
            bundle: Of ``fhir.to_bundle`` with kind "transaction".
            sleep: Waits between attempts.

        Returns:
            The status of each entry: "201 Created", or "200 OK" where the server had it already.

        Raises:
            DeliveryError: The server refuses it, or cannot be reached after all attempts.
        """
        body = json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        wait = self.wait
        for attempt in range(1, self.attempts + 1):
            try:
                return _statuses(self._send(body), self.url)
            except _TryAgain as trouble:
                if attempt == self.attempts:
                    raise DeliveryError(
                        f"the FHIR server could not take it in {attempt} attempts ({trouble.reason})",
                        where=self.url,
                        remedy="Look whether it runs, and send it again",
                    ) from trouble
                sleep(min(max(wait, trouble.after), _PATIENCE))
                wait *= 2
        raise AssertionError("unreachable")

    def _send(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/fhir+json; charset=utf-8", "Accept": "application/fhir+json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.user:
            headers["Authorization"] = f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        request = Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310 - the scheme was looked at
        try:
            with build_opener(_NoRedirect).open(request, timeout=self.timeout) as answer:
                data: bytes = answer.read(_ANSWER)
                return data
        except HTTPError as error:
            with error:
                told = _outcome(error.read(_ANSWER))
            if error.code == 429 or error.code >= 500:
                after = error.headers.get("Retry-After", "")
                raise _TryAgain(f"{error.code}{told}", float(after) if after.isdecimal() else 0.0) from error
            raise DeliveryError(
                f"the FHIR server refuses it ({error.code}{told})",
                where=self.url,
                remedy="Check the address, the credentials and what the server demands",
            ) from error
        except (OSError, HTTPException) as error:
            raise _TryAgain(str(getattr(error, "reason", error)) or type(error).__name__) from error


class _TryAgain(Exception):
    """Trouble that may pass."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


def _statuses(answer: bytes, url: str) -> tuple[str, ...]:
    try:
        found = json.loads(answer)
        kind = found["resourceType"], found["type"]
        statuses = tuple(str(entry["response"]["status"]) for entry in found["entry"])
    except (ValueError, KeyError, TypeError):
        kind, statuses = ("", ""), ()
    if kind != ("Bundle", "transaction-response"):
        raise DeliveryError(
            "the answer is not that of a FHIR server", where=url, remedy="Give the base address of its REST interface"
        )
    bad = [status for status in statuses if not status.startswith("2")]
    if bad:
        raise DeliveryError(f"the FHIR server did not make all of it ({bad[0]})", where=url)
    return statuses


def _outcome(answer: bytes) -> str:
    """What an OperationOutcome says, first issue."""
    try:
        issue = json.loads(answer)["issue"][0]
        told = issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code", "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
    return f": {str(told)[:200]}" if told else ""


def _without_secrets(url: str) -> str:
    return url.rpartition("@")[2].partition("?")[0]
