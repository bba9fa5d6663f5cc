"""How the server was started, for an administrator's eye."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pneumoscope.web.pages.words import bytes_of

if TYPE_CHECKING:
    from pneumoscope.web.config import WebConfig

__all__ = ["Setting", "configured"]

_SECRET = re.compile(r"(://[^:/@]+:)[^@]+@")
_LABELS = {
    "host": "Address to listen on",
    "port": "Port",
    "data": "Data folder",
    "database_url": "Database",
    "films_url": "Films are kept in",
    "model": "Bundle until another is put in use",
    "workers": "Films read at the same time",
    "queue": "Films that may wait",
    "readers": "Bundles kept loaded",
    "max_bytes": "Largest film",
    "max_request_bytes": "Largest request",
    "max_pixels": "Most pixels of a film",
    "max_files": "Films in one request",
    "keep_identity": "Patient's identity in DICOM files",
    "keep_names": "Names of files",
    "login": "Login",
    "secure_cookies": "Cookies over https only",
    "allowed_hosts": "Other names of this server",
    "trusted_proxies": "Proxies that are believed",
    "idle_minutes": "A session that is not used ends after",
    "session_hours": "Any session ends after",
    "requests_per_minute": "Requests a minute of one person",
}
_UNITS = {"idle_minutes": "minutes", "session_hours": "hours"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: in words, its value, and the variable that sets it; ``changed`` from its default."""

    label: str
    value: str
    variable: str
    changed: bool


def configured(config: WebConfig) -> tuple[Setting, ...]:
    """The settings that matter to who runs the server; a password within an address is left out."""
    defaults = {field.name: field.default for field in fields(config)}
    found = []
    for name, label in _LABELS.items():
        if not hasattr(config, name):
            continue
        plain = name.removesuffix("_url")
        value = getattr(config, name)
        found.append(
            Setting(
                label,
                _words(name, value),
                f"PNEUMOSCOPE_WEB_{plain.upper()}",
                plain in defaults and getattr(config, plain) != defaults[plain] and plain != "data",
            )
        )
    return tuple(found)


_TOLD = {
    ("keep_identity", True): "kept",
    ("keep_identity", False): "removed when they come in",
    ("keep_names", True): "kept as labels; never of DICOM files",
    ("keep_names", False): "not kept",
    ("secure_cookies", True): "yes",
    ("secure_cookies", False): "where the request came by https",
    ("workers", 0): "one a CPU",
    ("requests_per_minute", 0): "not counted",
}


def _words(name: str, value: object) -> str:
    if isinstance(value, int) and (name, value) in _TOLD:
        return _TOLD[name, value]
    if isinstance(value, int) and name.endswith("bytes"):
        return bytes_of(value)
    if isinstance(value, int):
        return str(value) if name == "port" else f"{value:,} {_UNITS.get(name, '')}".strip()
    return _SECRET.sub(r"\1...@", str(value)) or "none"
