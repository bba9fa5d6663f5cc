"""What the guards hold to: taken once from the settings of the reading room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from pneumoscope.web.config import WebConfig

__all__ = ["Network", "Policy"]

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
