"""Passwords: rules and hashes."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from pneumoscope.errors import UsageError
from pneumoscope.server.auth.passwords import MAX_LENGTH, MIN_LENGTH, Passwords, check_rules


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.mark.parametrize("good", ["a lamp beside", "клавиша лампы", "xkcd-936-horse", "          tab"])
def test_good_ones(good: str) -> None:
    check_rules(good, "ada")


@pytest.mark.parametrize(
    "bad",
    ["", "lamp", "123456789", "1234567890", "password123", "Password123", "aaaaaaaaaaaa", "my ADA too", "a" * 257],
)
def test_bad_ones(bad: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_rules(bad, "ada")
    assert not bad or bad not in str(caught.value)


def test_the_least_length_is_ten() -> None:
    assert MIN_LENGTH == 10
    check_rules("lampbeside", "ada")
    with pytest.raises(UsageError):
        check_rules("lampbesid", "ada")


def test_a_hash_holds_no_password_and_differs_each_time(passwords: Passwords) -> None:
    one, two = passwords.hash("a lamp beside"), passwords.hash("a lamp beside")
    assert one != two
    assert one.startswith("$argon2id$")
    assert "lamp" not in one
    assert passwords.check("a lamp beside", one)
    assert not passwords.check("a lamp besidf", one)


def test_letters_that_look_alike_to_unicode_are_alike(passwords: Passwords) -> None:
    assert passwords.check("Ångström fi lm", passwords.hash("A\u030angstro\u0308m \ufb01 lm"))


def test_nobody_has_no_password(passwords: Passwords) -> None:
    assert not passwords.check("anything", None)
    assert passwords.nobody() == passwords.nobody()


def test_what_is_no_hash_opens_nothing(passwords: Passwords) -> None:
    for kept in ("", "plain", "$argon2id$v=19$broken", "a" * 500):
        assert not passwords.check(kept, kept)


def test_a_password_of_megabytes_costs_no_more(passwords: Passwords) -> None:
    kept = passwords.hash("a" * MAX_LENGTH)
    assert passwords.check("a" * MAX_LENGTH, kept)
    assert not passwords.check("a" * 5_000_000, kept)


def test_today_it_takes_64_mib() -> None:
    assert "$m=65536,t=3,p=4$" in Passwords().hash("a lamp beside")  # RFC 9106, second recommended option


@pytest.mark.parametrize(
    "password",
    [
        "Summer2026!",
        "P@ssw0rd!!!",
        "Hospital2026",
        "Radiology#1",
        "qwertzuiopa",
        "abcdefghijk",
        "filmfilmfilm",
        "9876543210a",
        "2026-01-05-",
    ],
)
def test_common_and_patterned_passwords_are_refused(password: str) -> None:
    with pytest.raises(UsageError):
        check_rules(password, "ada")


@pytest.mark.parametrize("password", ["a lamp beside the film", "Vexed-Otter-41", "trumpet sandal", "k8#Vq2!mZx"])
def test_good_ones_are_taken(password: str) -> None:
    check_rules(password, "ada")
