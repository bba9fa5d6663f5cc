"""Settings of the server: frozen, unit-documented, from PNEUMOSCOPE_WEB_* and the options of serve."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pneumoscope.errors import ConfigError
from pneumoscope.server.root_path import checked_root_path

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOOPBACK", "Login", "WebConfig", "default_data_folder"]

Login = Literal["auto", "always", "never"]
LogFormat = Literal["text", "json"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that only this machine can reach."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def default_data_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where a user's data goes: ``$XDG_DATA_HOME/pneumoscope``, else ``~/.local/share/pneumoscope``."""
    environment = os.environ if environment is None else environment
    home = environment.get("XDG_DATA_HOME", "")
    base = Path(home) if home.startswith("/") else Path("~/.local/share").expanduser()
    return base / "pneumoscope"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Each field is also an environment variable: ``max_bytes`` is ``PNEUMOSCOPE_WEB_MAX_BYTES``.

    Attributes:
        host: Address to listen on; 127.0.0.1 is this machine alone.
        port: 0 takes a free one.
        data: Folder of everything that is kept: the database, the films, the imported bundles.
        database: SQLAlchemy URL; empty for SQLite in the data folder.
        films: Where films are kept: "file:" and a folder, or "s3://bucket/prefix"; empty for the data folder.
        s3_endpoint: Address of the S3 service, where it is not Amazon's.
        model: The bundle that reads until another one is put in use: a shipped one's name, or a path.
        workers: Threads that read films; 0 takes the CPUs that this process may use.
        queue: Films that may wait for a worker; one more is refused with 503.
        readers: Bundles that are kept loaded at the same time.
        max_bytes: Of one film. A request of several films may have ``max_request_bytes``.
        max_request_bytes: Of a whole request: a folder, or a zip, packed.
        max_pixels: Of one film.
        max_files: Films in one request.
        keep_identity: Keep DICOM files as they came, with the patient's identity.
        keep_names: Keep the names of files as labels of studies; DICOM files are never called by theirs.
        reserve_mb: Room in MiB that films leave free on the disk; below it they are refused, and all else goes on.
        keep_days: Studies are deleted after so many days; 0 keeps them.
        secure_cookies: Say Secure on cookies also where the request did not come by https (behind a proxy).
        login: "auto" asks for a login as soon as there is a user or the address is not loopback; "always"; "never".
        allowed_hosts: Names by which browsers may call this server, beside its own address; comma-separated.
        trusted_proxies: Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; with commas.
        idle_minutes: A login that is not used for so long ends.
        session_hours: Any login ends after so long.
        requests_per_minute: Of one user or token, or of one address; the local user is not counted. 0 counts nobody.
        root_path: Path below which a proxy shows the server, as "/pneumoscope"; empty for the root of its host.
        log_format: "text" or "json": lines of the log on standard error.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path()
    database: str = ""
    films: str = ""
    s3_endpoint: str = ""
    model: str = "standard"
    workers: int = 0
    queue: int = 64
    readers: int = 3
    max_bytes: int = 256 * 2**20
    max_request_bytes: int = 2 * 2**30
    max_pixels: int = 100_000_000
    max_files: int = 1000
    keep_identity: bool = False
    keep_names: bool = True
    reserve_mb: int = 512
    keep_days: int = 0
    secure_cookies: bool = False
    login: Login = "auto"
    allowed_hosts: str = ""
    trusted_proxies: str = ""
    idle_minutes: int = 30
    session_hours: int = 12
    requests_per_minute: int = 1200
    root_path: str = ""
    log_format: LogFormat = "text"

    def __post_init__(self) -> None:
        """Give the data folder its default, and hold every number to what makes sense."""
        if self.data == Path():
            object.__setattr__(self, "data", default_data_folder())
        least = {"queue": 1, "readers": 1, "max_bytes": 1, "max_request_bytes": 1, "max_pixels": 1, "max_files": 1}
        least |= {"idle_minutes": 1, "session_hours": 1}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and not isinstance(value, bool) and value < least.get(field.name, 0):
                raise ConfigError(f"{value} is too small", where=field.name, remedy="Give a larger number")
        if self.port > 65535:
            raise ConfigError(f"{self.port} is no port", where="port", remedy="Give 0 to 65535; 0 takes a free one")
        object.__setattr__(self, "root_path", checked_root_path(self.root_path))
        if self.log_format not in get_args(LogFormat):
            raise ConfigError(f"{self.log_format!r} is unknown", where="log_format", remedy="Give text or json")
        if self.login not in get_args(Login):
            raise ConfigError(f"{self.login!r} is unknown", where="login", remedy="Give auto, always or never")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: object) -> WebConfig:
        """Read ``PNEUMOSCOPE_WEB_*``; what is given and not None goes first.

        Raises:
            ConfigError: A value is not of its field's kind.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {}
        for field in fields(cls):
            key = f"PNEUMOSCOPE_WEB_{field.name.upper()}"
            if (text := environment.get(key)) is not None:
                values[field.name] = _value(text, field.default, key)
        values.update({name: value for name, value in given.items() if value is not None})
        if "data" not in values:
            values["data"] = default_data_folder(environment)
        return cls(**values)  # type: ignore[arg-type]  # each value was made of its field's kind just above

    @classmethod
    def unknown_variables(cls, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Variables that begin as those of this server and name no setting: misspelt ones, most likely."""
        environment = os.environ if environment is None else environment
        known = {f"PNEUMOSCOPE_WEB_{field.name.upper()}" for field in fields(cls)}
        return tuple(sorted(key for key in environment if key.startswith("PNEUMOSCOPE_WEB_") and key not in known))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK

    @property
    def database_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database or f"sqlite:///{(self.data / 'worklist.sqlite').absolute()}"

    @property
    def films_url(self) -> str:
        """Where films are kept, with the default filled in."""
        return self.films or f"file:{(self.data / 'films').absolute()}"


def _value(text: str, default: object, key: str) -> object:
    """A variable's text as a value of the kind of its field's default."""
    if isinstance(default, bool):
        if text.lower() not in _TRUE + _FALSE:
            raise ConfigError(f"{text!r} is neither yes nor no", where=key, remedy="Set it to 1 or 0")
        return text.lower() in _TRUE
    if isinstance(default, int):
        if not text.isdecimal():
            raise ConfigError(f"{text!r} is not a whole number", where=key, remedy="Set it to digits only")
        return int(text)
    return Path(text).expanduser() if isinstance(default, Path) else text
