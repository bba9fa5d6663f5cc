"""Settings of the node: frozen, from a TOML file and the options of ``pneumoscope node``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from pneumoscope.errors import ConfigError
from pneumoscope.reports.dicom.results import DEFAULT_KINDS
from pneumoscope.server.config import LOOPBACK
from pneumoscope.server.node.rules import Rule

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Allow", "DicomWebLogin", "Limits", "NodeConfig", "Peer", "Poll", "Priors", "Tls", "is_url", "load_config"]

_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
_PEER = re.compile(r"(?P<tls>tls://)?(?P<aet>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another application entity.

    Attributes:
        aet: Its AE title (PS3.5 table 6.2-1: 1 to 16 characters).
        host: Name or address.
        port: Of TCP.
        tls: Whether it is called by TLS.
    """

    aet: str
    host: str
    port: int
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Peer:
        """``AET@HOST:PORT``, or ``tls://AET@HOST:PORT``.

        Raises:
            ConfigError: It is written in another way.
        """
        found = _PEER.fullmatch(text.strip())
        if found is None or not _AE_TITLE.fullmatch(found["aet"]) or not 0 < int(found["port"]) < 65536:
            raise ConfigError("this is no application entity", where=text, remedy="Give AET@HOST:PORT")
        return cls(found["aet"], found["host"].strip("[]"), int(found["port"]), tls=found["tls"] is not None)

    def __str__(self) -> str:
        """As ``parse`` takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{self.aet}@{host}:{self.port}"


def is_url(text: str) -> bool:
    """Whether a place is one of DICOMweb, and not an application entity."""
    return text.startswith(("http://", "https://"))


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen and strict: an unknown key is an error."""


class Allow(_Section, frozen=True):
    """Who may call.

    Attributes:
        aets: AE titles; empty for any.
        addresses: Addresses and networks ("10.1.0.0/16"); empty for any.
    """

    aets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the addresses to their form."""
        for each in self.addresses:
            ipaddress.ip_network(each, strict=False)

    def address(self, host: str) -> bool:
        """Whether this address may call."""
        if not self.addresses:
            return True
        found = ipaddress.ip_address(host.removeprefix("::ffff:").partition("%")[0])
        return any(found in ipaddress.ip_network(each, strict=False) for each in self.addresses)


class Tls(_Section, frozen=True):
    """TLS of the node as a server, and towards peers that are called by ``tls://``.

    Attributes:
        certificate: PEM file of the node's certificate and those that vouch for it; empty for no TLS.
        key: PEM file of its private key.
        ca: PEM file of the authorities that peers' certificates must come from; then peers must show one.
    """

    certificate: str = ""
    key: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        """Hold the files together."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together")


class Limits(_Section, frozen=True):
    """What the node takes.

    Attributes:
        associations: At one time; one more is rejected for the moment.
        object_mb: MiB of one object; a larger one is refused with A700.
        network_seconds: That an association may be silent.
        remember_days: How long the node knows objects that it has dealt with.
        refusals: How often a result that a peer says no to is sent before it is given up.
        longest_pause_seconds: Between two tries to reach a peer.
    """

    associations: int = 32
    object_mb: int = 1024
    network_seconds: float = 60.0
    remember_days: int = 30
    refusals: int = 10
    longest_pause_seconds: float = 300.0

    def __post_init__(self) -> None:
        """Hold each number to what makes sense."""
        for name in self.__struct_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")


class Priors(_Section, frozen=True):
    """Earlier examinations of a patient, fetched when a film comes.

    Attributes:
        source: ``AET@HOST:PORT`` of the PACS that is asked; empty for none.
        method: "get" has them sent on the same association (C-GET); "move" has them sent to this node (C-MOVE), which
            the PACS must know by its AE title.
        most: Studies a patient, newest first.
        years: No older ones.
    """

    source: str = ""
    method: str = "get"
    most: int = 2
    years: float = 5.0

    def __post_init__(self) -> None:
        """Hold the method to those that there are."""
        if self.method not in {"get", "move"}:
            raise ValueError("method must be get or move")


class DicomWebLogin(_Section, frozen=True):
    """How the node says who it is to a DICOMweb server.

    Attributes:
        url: The server's base address; the login is sent to it alone.
        token_file: File of a bearer token, read anew for each connection, so that another program may renew it.
        user: For basic authentication.
        password_file: File of the user's password.
        ca: PEM file of the authorities that the server's certificate must come from.
    """

    url: str
    token_file: str = ""
    user: str = ""
    password_file: str = ""
    ca: str = ""


class Poll(_Section, frozen=True):
    """A DICOMweb server that is asked for new films.

    Attributes:
        url: Its base address.
        seconds: Between two questions.
        days: Studies of so many days are looked at.
        modalities: Of studies that are looked at.
    """

    url: str
    seconds: float = 60.0
    days: int = 1
    modalities: tuple[str, ...] = ("CR", "DX")

    def __post_init__(self) -> None:
        """Hold each number to what makes sense."""
        if self.seconds <= 0 or self.days < 0 or not self.modalities:
            raise ValueError("seconds must be above 0, days 0 or more, and modalities not empty")


class NodeConfig(_Section, frozen=True):
    """All of it; the TOML file has these keys and tables.

    Attributes:
        aet: The node's AE title; calls to another one are rejected.
        host: Address to listen on; 127.0.0.1 is this machine alone.
        port: 0 takes a free one.
        send_to: Where results go: ``AET@HOST:PORT``, ``tls://AET@HOST:PORT``, or the base address of a DICOMweb server.
        peers: Other application entities by ``AET@HOST:PORT``: answers to storage commitment go to them.
        results: What is sent of each film, by the names of ``reports.dicom.results``.
        stable_seconds: A study is read when nothing of it has come for so long.
        allow: Who may call.
        tls: Certificates.
        limits: What is taken.
        priors: Earlier examinations.
        poll: DICOMweb servers that are asked for new films.
        login: How the node says who it is to DICOMweb servers.
        rules: Which films are read; see ``node.rules``.
    """

    aet: str = "PNEUMOSCOPE"
    host: str = "127.0.0.1"
    port: int = 11112
    send_to: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    results: tuple[str, ...] = DEFAULT_KINDS
    stable_seconds: float = 5.0
    allow: Allow = Allow()
    tls: Tls = Tls()
    limits: Limits = Limits()
    priors: Priors = Priors()
    poll: tuple[Poll, ...] = ()
    login: tuple[DicomWebLogin, ...] = ()
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        """Hold every value to what makes sense."""
        if not _AE_TITLE.fullmatch(self.aet):
            raise ValueError("aet must be 1 to 16 characters without a backslash")
        if not 0 <= self.port < 65536:
            raise ValueError("port must be 0 to 65535")
        if self.stable_seconds < 0:
            raise ValueError("stable_seconds must be 0 or more")
        for place in self.send_to:
            if is_url(place):
                if not urlsplit(place).hostname:
                    raise ValueError(f"{place} is no address")
            else:
                Peer.parse(place)
        for place in self.peers:
            Peer.parse(place)
        if self.priors.source:
            Peer.parse(self.priors.source)

    def check_open(self) -> None:
        """Refuse to take films from everybody.

        Raises:
            ConfigError: Others can reach the node, and nobody has said who may.
        """
        if self.host not in LOOPBACK and not self.allow.addresses:
            raise ConfigError(
                "others can reach this address, and nobody has said who may send films",
                where=f"host {self.host}",
                remedy="Give --allow-address (10.1.0.0/16), or allow.addresses in the file",
            )

    def peer(self, aet: str) -> Peer | None:
        """Where an application entity is; None if nobody has said."""
        places = [*self.peers, *(place for place in self.send_to if not is_url(place))]
        return next((peer for peer in map(Peer.parse, places) if peer.aet == aet), None)

    def login_for(self, url: str) -> DicomWebLogin | None:
        """The login for a DICOMweb server; None without one."""
        return next((each for each in self.login if url.rstrip("/") == each.url.rstrip("/")), None)


def load_config(path: str | PathLike[str] | None, **given: object) -> NodeConfig:
    """Read the TOML file; what is given and not None goes first.

    Raises:
        ConfigError: The file cannot be read, or has an unknown key or a wrong value.
    """
    values: dict[str, object] = {}
    where = "the settings of the node" if path is None else str(path)
    try:
        if path is not None:
            values = msgspec.toml.decode(Path(path).read_bytes())
        values |= {name: value for name, value in given.items() if value is not None}
        config = msgspec.convert(values, NodeConfig)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"it cannot be read ({reason})", where=where, remedy="Give the node's TOML file") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(str(error), where=where, remedy="See docs/dicom-node.md for the keys") from error
    return config
