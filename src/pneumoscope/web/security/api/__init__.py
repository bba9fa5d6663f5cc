"""The API of users, tokens, sessions and the audit log, under /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from pneumoscope.web.security.api.audit import router as audit_router
from pneumoscope.web.security.api.session import router as session_router
from pneumoscope.web.security.api.tokens import router as tokens_router
from pneumoscope.web.security.api.users import router as users_router

__all__ = ["router"]

router = APIRouter(prefix="/api/v1")
for _router in (session_router, users_router, tokens_router, audit_router):
    router.include_router(_router)
