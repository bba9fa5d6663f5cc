"""Secrets and tokens: how they are made, what is kept of them, how they are compared.

Every secret has 256 bits of the operating system's chance, so that one round of SHA-256 is enough to keep it by:
there is nothing to guess. (Passwords are guessed; they have ``passwords.py``.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

__all__ = ["TOKEN_MARK", "constant_time_equal", "is_token", "local_cookie", "new_secret", "new_token", "token_hash"]

TOKEN_MARK: Final = "pneumo_"  # noqa: S105 - the open part of a token
"""API tokens begin with it, so that one that was published by mistake can be found."""

_TOKEN = re.compile(rf"{TOKEN_MARK}[A-Za-z0-9_-]{{43}}")


def new_secret() -> str:
    """43 characters of a URL's alphabet: 256 bits."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """An API token: the mark and 256 bits."""
    return TOKEN_MARK + new_secret()


def is_token(text: str) -> bool:
    """Whether this has the form of an API token."""
    return _TOKEN.fullmatch(text) is not None


def token_hash(secret: str) -> str:
    """What is kept of a secret: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def local_cookie(token: str) -> str:
    """The cookie's value of the local person: it follows from the token and does not tell it (43 characters)."""
    value = hmac.new(token.encode(), b"pneumoscope local cookie", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def constant_time_equal(one: str, other: str) -> bool:
    """Compare in a time that tells nothing; an empty text is never the same as anything."""
    return bool(one) and bool(other) and hmac.compare_digest(one.encode(), other.encode())
