"""Where a request comes from, and by which name it calls us. Nothing here asks a name server.

References:
    RFC 9110 section 7.2 (Host), RFC 6454 (Origin), W3C Fetch Metadata Request Headers.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Scope

    from pneumoscope.web.security.policy import Policy

Address = IPv4Address | IPv6Address

__all__ = [
    "Address",
    "by_https",
    "caller",
    "cross_site",
    "foreign_origin",
    "host_allowed",
    "key_of",
]

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


def caller(scope: Scope, headers: Headers, policy: Policy) -> IPv4Address | IPv6Address | None:
    """The address of who asks; that of a proxy only if the proxy is not known to us.

    ``X-Forwarded-For`` grows to the right, and only what a known proxy wrote is believed: the last address that is
    not a known proxy's. None if there is no address (a Unix socket).
    """
    peer = _address(scope["client"][0]) if scope.get("client") else None
    if peer is None or not _known(peer, policy):
        return peer
    for text in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
        found = _address(text.strip())
        if found is None:
            break
        peer = found
        if not _known(found, policy):
            break
    return peer


def by_https(scope: Scope, headers: Headers, policy: Policy) -> bool:
    """Whether the person came by https; a known proxy is believed."""
    if policy.https or scope.get("scheme") == "https":
        return True
    peer = _address(scope["client"][0]) if scope.get("client") else None
    known = peer is not None and _known(peer, policy)
    return known and headers.get("x-forwarded-proto", "").strip().lower() == "https"


def key_of(address: IPv4Address | IPv6Address | None) -> str:
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


def _known(address: IPv4Address | IPv6Address, policy: Policy) -> bool:
    return any(address in network for network in policy.proxies)
