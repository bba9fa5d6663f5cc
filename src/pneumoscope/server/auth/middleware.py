"""The auth middleware: every request passes it before any route sees it.

It is closed by default. A route that forgets to ask who comes is still behind it; the routes' own ``Reader``,
``Writer`` and ``Admin`` say what the person inside may do.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.auth import policy as addresses
from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.identity import LOCAL_IDENTITY, PUBLIC, Denied, Identity, scopes_of
from pneumoscope.server.auth.limits import limit_body
from pneumoscope.server.auth.tokens import constant_time_equal, is_token, token_hash
from pneumoscope.server.error_responses import denied_response, redirect_to, redirect_to_login, wants_html

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from pneumoscope.server.auth.state import AuthState
    from pneumoscope.server.context import Context
    from pneumoscope.server.store.worklist import Worklist

_LOG = logging.getLogger(__name__)

__all__ = ["AuthMiddleware", "holds_local", "identify", "is_public"]

_UNTOUCHED = ("/api/v1/events",)
"""Paths that an open page asks for by itself: they do not keep a session going."""


def identify(
    guards: AuthState,
    worklist: Worklist,
    *,
    headers: Headers,
    path: str,
    https: bool,
) -> Identity | None:
    """Find who asks; called in a thread, for it asks the store.

    A token goes before a cookie, and a token that is wrong is never made good by a cookie. Where a request comes from
    proves nothing: a proxy, a forwarded port and another account of the machine all come from loopback.

    Raises:
        Denied: There is a token, and it is wrong.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":  # others are those of a proxy before us
        return _of_token(guards, worklist, token.strip())
    if secret := sessions.cookie_of(headers, sessions.SESSION_COOKIE, https=https):
        found = sessions.find_session(worklist, secret, guards.policy, now=guards.now(), used=path not in _UNTOUCHED)
        if found is not None:
            return found
    if holds_local(guards, headers, https=https) and guards.takes_local(worklist):
        return replace(LOCAL_IDENTITY, cookie=True)
    return None


def holds_local(guards: AuthState, headers: Headers, *, https: bool) -> bool:
    """Whether the request brings the local person's cookie, or the local token in a header; nothing is asked for it."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return constant_time_equal(token.strip(), guards.local_token)
    name, value = guards.local_cookie
    return constant_time_equal(sessions.cookie_of(headers, name, https=https), value)


def _of_token(guards: AuthState, worklist: Worklist, token: str) -> Identity:
    if constant_time_equal(token, guards.local_token) and guards.takes_local(worklist):
        return LOCAL_IDENTITY
    found = worklist.tokens.get(token_hash(token)) if is_token(token) else None
    if found is None:
        raise Denied(
            401,
            "token",
            "this API token is unknown, or it has expired",
            "Make a new one on the Admin page",
            {"WWW-Authenticate": 'Bearer realm="pneumoscope", error="invalid_token"'},
        )
    row, user = found
    if not user.active or (row.expires is not None and row.expires <= guards.now()):
        raise Denied.unknown()
    worklist.tokens.used(row.id)
    # What its owner may not do any more, it may not either.
    return Identity(user.name, user.role, frozenset(row.scopes) & scopes_of(user.role), "token", token=row.id)


_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_SAFE, "POST", "PUT", "PATCH", "DELETE")
_PUBLIC_FORMS = ("/login", "/setup")  # public, and yet they change something
_LARGE = (  # bodies that carry films or bundles
    *("/api/v1/read", "/api/v1/studies", "/api/v1/bundles", "/api/v1/dicom-web", "/models/import"),
)
_OURS = "If you meant it, do it on a page of this web application"
_TABLES = "/api/v1/reader-studies"  # bodies that carry tables of readings
_LARGEST_TABLE = 32 * 2**20
_LONGEST_PATH = 2048
_LONGEST_QUERY = 8192


def is_public(path: str) -> bool:
    """Whether a path needs no identity."""
    return any(path == public or path.startswith(f"{public}/") for public in PUBLIC)


class AuthMiddleware:
    """Lets in whom the policy lets in, and writes into the request's state who it is.

    Args:
        app: What lies behind.
        context: Of the application.
        guards: With the policy and the memory.
    """

    def __init__(self, app: ASGIApp, *, context: Context, guards: AuthState) -> None:
        self.app = app
        self.context = context
        self.guards = guards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there are none here
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            answer, receive = await self._judge(request, receive)
        except Denied as no:
            answer = denied_response(request, no)
        except PneumoscopeError as error:
            # The store cannot be asked, or is not open yet: nobody comes in meanwhile.
            _LOG.error("request=%s the store cannot be asked: %s", getattr(request.state, "request_id", ""), error)
            answer = denied_response(
                request, Denied(503, error.code, "the server is not ready", "Try again", {"Retry-After": "5"})
            )
        await (answer or self.app)(scope, receive, send)

    async def _judge(self, request: Request, receive: Receive) -> tuple[Response | None, Receive]:
        scope, headers, path = request.scope, request.headers, request.scope["path"]
        policy = self.guards.policy
        self._form(request)
        if not addresses.host_allowed(headers, policy):
            raise Denied(
                421, "host", "this server does not go by that name", "An administrator can add it to allowed_hosts"
            )
        if addresses.cross_site(request.method, headers):
            raise Denied(403, "cross-site", "a page of another site asked for this", _OURS)
        if request.method not in _SAFE:
            large = path.startswith(_LARGE)
            most = policy.max_request_bytes if large else policy.max_form_bytes
            most = min(_LARGEST_TABLE, policy.max_request_bytes) if path.startswith(_TABLES) else most
            receive = limit_body(receive, headers, most)
        public = is_public(path)
        if public and path not in _PUBLIC_FORMS:
            return None, receive

        address = addresses.client_address(scope, headers, policy)
        https = addresses.is_https(scope, headers, policy)
        request.state.address = addresses.rate_key(address)
        request.state.https = https
        if self.guards.addresses is not None and not holds_local(self.guards, headers, https=https):
            _check_rate(self.guards.addresses.take(request.state.address))  # before the store is asked
        if request.method == "GET" and wants_html(request) and "token" in request.query_params:
            return await run_in_threadpool(self._take_token, request), receive
        who, users = await run_in_threadpool(self._who, headers, path, https)
        request.state.identity = who
        if who is None and not public:
            return self._outside(request, users=users), receive
        if who is not None and self.guards.identities is not None and who.via != "local":
            _check_rate(self.guards.identities.take(who.token or who.name))
        if request.method not in _SAFE:
            self._check_origin(headers, who, https=https)
        return None, receive

    def _who(self, headers: Headers, path: str, https: bool) -> tuple[Identity | None, bool]:
        worklist = self.context.worklist
        who = identify(self.guards, worklist, headers=headers, path=path, https=https)
        return who, self.guards.has_users(worklist)

    def _take_token(self, request: Request) -> Response:
        """Take the local token out of the address that the terminal printed: a cookie instead, and the page again.

        Raises:
            Denied: It is another server's, or an old one.
        """
        guards, https = self.guards, request.state.https
        left = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "token"])
        path = "/" + quote(request.url.path.lstrip("/\\"))  # never //host
        answer = redirect_to(request, path + (f"?{left}" if left else ""))
        if not guards.takes_local(self.context.worklist):
            return answer  # an old bookmark: everybody logs in by now
        if not constant_time_equal(request.query_params["token"], guards.local_token):
            raise Denied(
                403,
                "local-token",
                "this token is not that of this server",
                "Open the address that the server has printed on its terminal",
            )
        name, value = guards.local_cookie
        sessions.give_cookie(answer, name, value, https=https)
        return answer

    @staticmethod
    def _form(request: Request) -> None:
        """Refuse what no browser and no honest program sends."""
        scope = request.scope
        path, raw = scope["path"], scope.get("raw_path") or b""
        if request.method not in _METHODS:
            raise Denied(405, "method", "this method is not known here", headers={"Allow": ", ".join(_METHODS)})
        if len(path) > _LONGEST_PATH or len(raw) > 3 * _LONGEST_PATH or len(scope["query_string"]) > _LONGEST_QUERY:
            raise Denied(414, "address", "this address is too long")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
            raise Denied(400, "address", "this address holds characters that no address has")

    def _outside(self, request: Request, *, users: bool) -> Response | None:
        """Nobody is logged in: say what to do about it.

        Raises:
            Denied: To programs always, and to persons where there is nothing that they could do.
        """
        person = wants_html(request) and request.method in ("GET", "HEAD")
        if users:
            if person:
                return redirect_to_login(request)
            raise Denied.unknown()
        if self.guards.needs_code():
            if person:
                return redirect_to_login(request, "/setup")
            raise Denied(503, "no-users", "this web application has no administrator yet", "Open /setup in a browser")
        if person:
            return redirect_to_login(request, "/setup")
        raise Denied(
            401,
            "no-users",
            "this server has no users yet, so that only the token that it prints on its terminal lets in",
            "Send it as: Authorization: Bearer TOKEN",
            {"WWW-Authenticate": 'Bearer realm="pneumoscope"'},
        )

    @staticmethod
    def _check_origin(headers: Headers, who: Identity | None, *, https: bool) -> None:
        """Make sure that an unsafe request comes from a page of ours, or from no browser.

        Every browser of today says where such a request comes from (``Sec-Fetch-Site``, ``Origin``), and no page can
        change that. A cookie without a word about it is an old browser's, or somebody's who takes it out.

        Raises:
            Denied: It comes from another site, or does not say.

        References:
            OWASP Cross-Site Request Forgery Prevention, "Fetch Metadata headers" and "standard headers to verify
            origin".
        """
        if addresses.foreign_origin(headers, https=https):
            raise Denied(403, "origin", "a page of another site sent this", _OURS)
        if who is not None and who.cookie and not addresses.says_origin(headers):
            raise Denied(
                403,
                "origin",
                "this request does not say which page it comes from",
                "Use a browser of today; programs send an API token and no cookie",
            )


def _check_rate(wait: float) -> None:
    if wait:
        raise Denied.too_many(wait)
