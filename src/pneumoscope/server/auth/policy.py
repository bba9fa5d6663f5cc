"""The rules of one server, and where a request comes from: hosts, proxies, origins.

References:
    RFC 9110 section 7.2 (Host), RFC 6454 (Origin), W3C Fetch Metadata Request Headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Scope

    from pneumoscope.server.config import WebConfig

__all__ = [
    "Address",
    "Network",
    "Policy",
    "client_address",
    "cross_site",
    "foreign_origin",
    "host_allowed",
    "is_https",
    "rate_key",
    "says_origin",
]

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one server.

    Attributes:
        loopback: Only this machine can reach the server.
        login: "auto": as soon as there is a user, or beyond loopback; "always"; "never", on loopback alone.
        hosts: Names by which browsers may call the server, in lower case, beside what follows from its address.
        proxies: Whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        https: Persons come by https also where the last step to this server is plain.
        idle: A session that is not used for so long ends.
        absolute: Any session ends after so long.
        per_minute: Requests that one identity may make; 0 does not count them.
        max_request_bytes: Of a body that carries films or a bundle.
        max_form_bytes: Of any other body.
        max_header_bytes: Of all header lines of a request.
    """

    loopback: bool = True
    login: Literal["auto", "always", "never"] = "auto"
    hosts: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    https: bool = False
    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    per_minute: int = 1200
    max_request_bytes: int = 2 * 2**30
    max_form_bytes: int = 2**20
    max_header_bytes: int = 32 * 2**10

    @classmethod
    def of(cls, config: WebConfig) -> Policy:
        """Take the rules from the settings.

        Raises:
            ConfigError: They would leave the server open to the network, or a proxy is no address.
        """
        if config.login == "never" and not config.loopback:
            raise ConfigError(
                f"login=never lets everybody in who can reach {config.host}",
                where="login",
                remedy="Listen on 127.0.0.1, or leave login at auto",
            )
        return cls(
            loopback=config.loopback,
            login=config.login,
            hosts=frozenset(name.lower() for name in _listed(config.allowed_hosts)),
            proxies=tuple(_network(text) for text in _listed(config.trusted_proxies)),
            https=config.secure_cookies,
            idle=timedelta(minutes=config.idle_minutes),
            absolute=timedelta(hours=config.session_hours),
            per_minute=config.requests_per_minute,
            max_request_bytes=config.max_request_bytes,
        )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"{text!r} is neither an address nor a network",
            where="trusted_proxies",
            remedy="Give addresses as 10.0.0.5, or networks as 10.0.0.0/24, with commas between them",
        ) from None


Address = IPv4Address | IPv6Address


_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def host_allowed(headers: Headers, policy: Policy) -> bool:
    """Whether the request calls us by one of our names.

    A page of another site can make its own name point to this machine (DNS rebinding); then the browser believes that
    we are that site. The name in ``Host`` gives it away. An address instead of a name cannot be rebound.
    """
    hosts = headers.getlist("host")
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None:
        return False
    name = match["name"].lower()
    if name in _LOOPBACK or name in policy.hosts:
        return True
    return not policy.loopback and _address(name.strip("[]")) is not None


def client_address(scope: Scope, headers: Headers, policy: Policy) -> IPv4Address | IPv6Address | None:
    """The address of who asks; that of a proxy only if the proxy is not known to us.

    ``X-Forwarded-For`` grows to the right, and only what a known proxy wrote is believed: the last address that is
    not a known proxy's. None if there is no address (a Unix socket).
    """
    peer = _address(scope["client"][0]) if scope.get("client") else None
    if peer is None or not _trusted(peer, policy):
        return peer
    for text in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
        found = _address(text.strip())
        if found is None:
            break
        peer = found
        if not _trusted(found, policy):
            break
    return peer


def is_https(scope: Scope, headers: Headers, policy: Policy) -> bool:
    """Whether the person came by https; a known proxy is believed."""
    if policy.https or scope.get("scheme") == "https":
        return True
    peer = _address(scope["client"][0]) if scope.get("client") else None
    known = peer is not None and _trusted(peer, policy)
    return known and headers.get("x-forwarded-proto", "").strip().lower() == "https"


def rate_key(address: IPv4Address | IPv6Address | None) -> str:
    """What requests of one place are counted under: the address; for IPv6 the /64, which one machine has to itself."""
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return f"{address.exploded[:19]}/64"
    return str(address)


def foreign_origin(headers: Headers, *, https: bool) -> bool:
    """Whether an unsafe request says that it comes from a page that is not ours. Silence is not foreign."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    told = headers.get("origin")
    if told is None:
        told = headers.get("referer")
    if told is None:
        return False
    try:
        parts = urlsplit(told)
    except ValueError:
        return True
    schemes = ("https",) if https else ("http", "https")
    return parts.scheme not in schemes or parts.netloc.lower() != headers.get("host", "").lower()


def says_origin(headers: Headers) -> bool:
    """Whether a request says which page it comes from."""
    return any(name in headers for name in ("sec-fetch-site", "origin", "referer"))


def cross_site(method: str, headers: Headers) -> bool:
    """Whether a page of another site loads something of ours into itself; following a link is not that."""
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
    return not (method in ("GET", "HEAD") and opened)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _trusted(address: IPv4Address | IPv6Address, policy: Policy) -> bool:
    return any(address in network for network in policy.proxies)
