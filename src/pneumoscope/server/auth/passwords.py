"""Passwords: what makes a good one, and how one is kept and checked.

References:
    RFC 9106 (Argon2; the second recommended option), NIST SP 800-63B section 5.1.1 (length before rules, no forced
    change, a list of what everybody takes), OWASP Password Storage.
"""

from __future__ import annotations

import threading
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["MAX_LENGTH", "MIN_LENGTH", "Passwords", "check_rules"]

MIN_LENGTH = 10
"""Characters of a password."""
MAX_LENGTH = 256
"""More is refused: hashing a book costs time, and nobody types one."""

# Of the lists of passwords that were found in the open, those of ten characters and more that lead them.
_COMMON_TEXT = """
    1234567890 12345678910 123456789a 0123456789 0987654321 9876543210 1111111111 0000000000 1q2w3e4r5t 1q2w3e4r5t6y
    1qaz2wsx3edc qwertyuiop qwertyuiop123 qwerty12345 qwerty123456 q1w2e3r4t5y6 asdfghjkl1 zxcvbnm123 password12
    password123 password1234 password123456 passw0rd123 p@ssw0rd123 p@ssword123 iloveyou123 iloveyou12 letmein123
    welcome123 welcome1234 administrator admin12345 admin123456 changeme123 football123 baseball123 sunshine123
    princess123 superman123 dragon12345 monkey12345 abcdefghij abcd123456 abc1234567 aaaaaaaaaa qazwsxedcrfv
    radiology123 radiology1 pneumonia123 pneumonia1 pneumoscope pneumoscope1 pneumoscope123 hospital123
"""
_COMMON = frozenset(_COMMON_TEXT.split())
_STEMS_TEXT = """
    password passwort passwd pass admin administrator root user test testing guest login letmein welcome willkommen
    changeme secret geheim qwerty qwertz asdfgh iloveyou monkey dragon master superman batman football baseball
    soccer sunshine princess shadow michael jordan summer winter spring autumn fall sommer herbst fruehling january
    february march april may june july august september october november december monday hospital clinic klinik
    krankenhaus doctor doktor nurse ward station radiology radiologie xray roentgen pneumonia pneumoscope chest
    thorax lungs passwordpassword adminadmin testtest welcomeback
"""
_STEMS = frozenset(_STEMS_TEXT.split())
"""Words that are no password, also with digits and signs around them: "Summer2026!", "P@ssw0rd!!"."""
_LEET = str.maketrans("@4031!5$7", "aaoeiisst")
_TAILS = "0123456789!?.,:;-_+*#$%&@/()= "
_ROWS = ("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "1234567890")


def check_rules(password: str, name: str) -> None:
    """Hold a new password to the rules.

    Raises:
        UsageError: It breaks one; the message says which, and never holds the password.
    """
    plain = _normal(password).casefold()
    if len(password) < MIN_LENGTH:
        raise UsageError(f"the password is shorter than {MIN_LENGTH} characters", remedy="Take a few words in a row")
    if len(password) > MAX_LENGTH:
        raise UsageError(f"the password is longer than {MAX_LENGTH} characters", remedy="Take a shorter one")
    if name and name.casefold() in plain:
        raise UsageError("the password holds the user's name", remedy="Take one that does not")
    if _is_guessable(plain):
        raise UsageError("this password is one of the first that anybody tries", remedy="Take a few words in a row")


def _is_guessable(plain: str) -> bool:
    """Whether a password is a common one with a tail, a run of neighbours, or a repeated piece."""
    core = plain.strip(_TAILS)
    bare = core.translate(_LEET)
    if len(set(plain)) < 4 or plain in _COMMON or not core or {core, bare} & (_STEMS | _COMMON):
        return True
    for size in range(1, len(plain) // 2 + 1):  # "filmfilmfilm"
        if size < 7 and plain == (plain[:size] * len(plain))[: len(plain)]:
            return True
    near = sum(_neighbours(one, other) for one, other in pairwise(plain))
    return near >= 0.7 * (len(plain) - 1)


def _neighbours(one: str, other: str) -> bool:
    """Whether two characters follow each other in the alphabet, among the digits, or on a row of the keyboard."""
    if abs(ord(one) - ord(other)) <= 1 and one.isalnum() and other.isalnum():
        return True
    return any(abs(row.find(one) - row.find(other)) == 1 for row in _ROWS if one in row and other in row)


class Passwords:
    """Makes and checks hashes (Argon2id).

    Args:
        hasher: With its parameters; without it, those of RFC 9106 for little memory (64 MiB, 3 passes, 4 lanes).
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        if hasher is None:
            from argon2 import PasswordHasher  # noqa: PLC0415 - not before somebody has a password

            hasher = PasswordHasher()
        self._hasher = hasher
        self._nobody = ""
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        """The text to keep: parameters, salt and hash."""
        return self._hasher.hash(_normal(password))

    def check(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one that was hashed.

        It takes as long for nobody (``kept`` is None) as for somebody: then the hash of a password that no one knows
        is checked, made with the same parameters.
        """
        from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 - as above

        against = self.nobody() if kept is None else kept
        try:
            # A password of megabytes is cut before hashing; it was never accepted as a new one.
            self._hasher.verify(against, _normal(password[: MAX_LENGTH + 1]))
        except (Argon2Error, InvalidHashError):
            return False
        return kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than today's, so that it is made again at the next login."""
        return self._hasher.check_needs_rehash(kept)

    def nobody(self) -> str:
        """A hash that no password belongs to."""
        with self._lock:
            if not self._nobody:
                from pneumoscope.server.auth.tokens import new_secret  # noqa: PLC0415 - made once

                self._nobody = self._hasher.hash(new_secret())
            return self._nobody


def _normal(password: str) -> str:
    """The same characters however a keyboard has put them together (NFKC, as NIST asks)."""
    return unicodedata.normalize("NFKC", password)
