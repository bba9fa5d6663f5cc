"""The API of users, tokens, sessions and the audit log, under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from pneumoscope.web.security.api import audit, session, tokens, users

__all__ = ["router"]

router = APIRouter(prefix="/api/v1")
for _part in (session, users, tokens, audit):
    router.include_router(_part.router)
