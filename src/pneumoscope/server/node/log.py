"""The node's log: one line an event, with fields for programs, and nothing that tells whose a film is."""

from __future__ import annotations

import logging

from pneumoscope.server.intake.deidentify import hash_of

__all__ = ["short", "tell"]

_LOG = logging.getLogger("pneumoscope.server.node")


def tell(level: int, event: str, **fields: object) -> None:
    """Write a line: ``node received film=3fa9... sender=CR1 status=0000``; as JSON, with the fields as keys."""
    if _LOG.isEnabledFor(level):
        words = " ".join(f"{name}={value}" for name, value in fields.items())
        _LOG.log(level, "node %s %s", event, words, extra={"fields": {"event": event, **fields}})


def short(uid: str, secret: bytes) -> str:
    """What the log calls a film or study: the beginning of the keyed hash of its UID."""
    return hash_of(uid.encode(), secret)[:12]
