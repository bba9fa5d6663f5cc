"""HL7 v2 messages over MLLP, each sent until it is acknowledged (HL7 transport specification, MLLP release 1)."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hl7Receiver", "acknowledgement"]

_START, _END = b"\x0b", b"\x1c\r"
_LONGEST = 1 << 20  # bytes of an acknowledgement


@dataclass(frozen=True, slots=True)
class Hl7Receiver:
    """A receiver of messages.

    Attributes:
        host: Its name or address.
        port: Its port.
        tls: Whether the connection is encrypted and the receiver's certificate checked.
        timeout: Seconds for connecting, and for the acknowledgement.
        attempts: How often a message is sent, where sending it again can help.
        wait: Seconds before the second attempt; each further one waits twice as long.
    """

    host: str
    port: int
    tls: bool = False
    timeout: float = 15.0
    attempts: int = 4
    wait: float = 1.0

    @classmethod
    def parse(cls, text: str, *, tls: bool = False) -> Hl7Receiver:
        """Of "HOST:PORT".

        Raises:
            UsageError: It is not of that form.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError("this is no receiver of HL7 messages", where=text, remedy="Give HOST:PORT")
        return cls(host.strip("[]"), int(port), tls=tls)

    def send(self, message: bytes, sleep: Callable[[float], None] = time.sleep) -> str:
        """Send a message and wait for its acknowledgement.

        A lost connection, a late answer and an application error (AE, CE) are tried again, with the same control id, so
        that a receiver that has it already can tell; a rejection (AR, CR) is final.

        Args:
            message: Segments ended by carriage returns, in UTF-8.
            sleep: Waits between attempts.

        Returns:
            The acknowledgement code: "AA" or "CA".

        Raises:
            DeliveryError: It was rejected, or not acknowledged in all attempts.
        """
        where, wait, reason = f"{self.host}:{self.port}", self.wait, ""
        for attempt in range(self.attempts):
            if attempt:
                sleep(wait)
                wait *= 2
            try:
                code, text = acknowledgement(self._exchange(message), message)
            except (OSError, ValueError) as error:
                reason = str(error) or type(error).__name__
                continue
            if code in {"AA", "CA"}:
                return code
            reason = f"{code}{f': {text}' if text else ''}"
            if code in {"AR", "CR"}:
                raise DeliveryError(f"the receiver rejects the message ({reason})", where=where)
        raise DeliveryError(
            f"the message was not acknowledged in {self.attempts} attempts ({reason})",
            where=where,
            remedy="Look whether the receiver runs, and send it again",
        )

    def _exchange(self, message: bytes) -> bytes:
        with socket.create_connection((self.host, self.port), timeout=self.timeout) as plain:
            if not self.tls:
                return _exchange(plain, message, self.timeout)
            with ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) as wrapped:
                return _exchange(wrapped, message, self.timeout)


def _exchange(line: socket.socket, message: bytes, timeout: float) -> bytes:
    line.sendall(_START + message + _END)
    until, got = time.monotonic() + timeout, b""
    while _END not in got:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no acknowledgement came")
        line.settimeout(left)
        part = line.recv(65536)
        if not part:
            raise ConnectionError("the connection was closed before the acknowledgement")
        got += part
        if len(got) > _LONGEST:
            raise ValueError("the acknowledgement has no end")
    return got.partition(_START)[2].partition(_END)[0]


def acknowledgement(answer: bytes, message: bytes) -> tuple[str, str]:
    """Code and text of an acknowledgement (MSA-1, MSA-3).

    Raises:
        ValueError: It is none, or of another message.
    """
    segments = [part.split("|") for part in answer.decode("utf-8", "replace").replace("\n", "\r").split("\r")]
    found = next((fields for fields in segments if fields[0] == "MSA" and len(fields) > 2), None)
    if found is None:
        raise ValueError("the answer is no acknowledgement")
    control = message.split(b"|")[9].decode("utf-8", "replace")
    if found[2] != control:
        raise ValueError("the acknowledgement is of another message")
    return found[1].strip(), found[3] if len(found) > 3 else ""
