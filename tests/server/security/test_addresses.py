"""Whose request it is: proxies that are known, proxies that are not, and names of sites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from pneumoscope.errors import ConfigError
from pneumoscope.server.auth.policy import Policy, client_address, foreign_origin, host_allowed, is_https, rate_key
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from pathlib import Path

BEHIND = Policy.of(WebConfig(host="0.0.0.0", trusted_proxies="10.0.0.5, 10.1.0.0/16, fd00::/8"))  # noqa: S104


def come(peer: str | None, *passed: str, policy: Policy = BEHIND) -> str:
    scope = {"client": None if peer is None else (peer, 1)}
    headers = Headers(raw=[(b"x-forwarded-for", each.encode()) for each in passed])
    return str(client_address(scope, headers, policy))


@pytest.mark.parametrize(
    ("peer", "passed", "who"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("127.0.0.1",), "203.0.113.9"),  # a stranger's word
        ("10.0.0.5", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.5", ("127.0.0.1, 203.0.113.9",), "203.0.113.9"),  # forged before it came to the proxy
        ("10.0.0.5", ("127.0.0.1", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.5", ("203.0.113.9, 10.1.2.3",), "203.0.113.9"),  # two proxies of ours
        ("10.0.0.5", ("nonsense",), "10.0.0.5"),
        ("10.0.0.5", ("203.0.113.9, nonsense",), "10.0.0.5"),
        ("10.0.0.5", (), "10.0.0.5"),
        ("fd00::1", ("2001:db8::9",), "2001:db8::9"),
        ("::ffff:10.0.0.5", ("203.0.113.9",), "203.0.113.9"),
        (None, ("203.0.113.9",), "None"),
        ("testclient", ("127.0.0.1",), "None"),
    ],
)
def test_only_a_known_proxy_is_believed(peer: str | None, passed: tuple[str, ...], who: str) -> None:
    assert come(peer, *passed) == who


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=20), max_size=5))
def test_no_header_makes_a_stranger_somebody_else(passed: list[str]) -> None:
    headers = Headers(raw=[(b"x-forwarded-for", each.encode("latin-1")) for each in passed])
    assert str(client_address({"client": ("203.0.113.9", 1)}, headers, BEHIND)) == "203.0.113.9"


def test_https_is_told_by_a_known_proxy_alone() -> None:
    told = Headers({"x-forwarded-proto": "https"})
    assert is_https({"client": ("10.0.0.5", 1), "scheme": "http"}, told, BEHIND)
    assert not is_https({"client": ("203.0.113.9", 1), "scheme": "http"}, told, BEHIND)
    assert is_https({"client": ("203.0.113.9", 1), "scheme": "https"}, Headers({}), BEHIND)
    assert is_https({"client": None, "scheme": "http"}, Headers({}), replace(BEHIND, https=True))


def test_an_ipv6_network_counts_as_one_place() -> None:
    assert rate_key(client_address({"client": ("2001:db8::1", 1)}, Headers({}), BEHIND)) == "2001:0db8:0000:0000/64"
    assert rate_key(None) == "unknown"


@given(st.text(max_size=60))
def test_no_host_passes_that_is_not_one_of_ours(host: str) -> None:
    ours = {"localhost", "127.0.0.1", "[::1]"}
    if host_allowed(Headers(raw=[(b"host", host.encode("utf-8", "replace"))]), Policy()):
        assert host.lower().rpartition(":")[0] in ours or host.lower() in ours


def test_over_https_a_plain_page_of_the_same_name_is_foreign() -> None:
    headers = Headers({"host": "films.ward.example", "origin": "http://films.ward.example"})
    assert foreign_origin(headers, https=True)
    assert not foreign_origin(headers, https=False)
    secure = Headers({"host": "films.ward.example", "origin": "https://films.ward.example"})
    assert not foreign_origin(secure, https=True)


def test_a_proxy_that_is_no_address_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither an address nor a network"):
        Policy.of(WebConfig(data=tmp_path, trusted_proxies="10.0.0.5, nginx"))
