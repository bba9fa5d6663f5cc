"""What every answer carries, so that a browser refuses what we never send.

The policy allows no inline script and no inline style: text that finds its way into a page stays text.

References:
    CSP Level 3 (W3C); OWASP Secure Headers Project; Fetch Metadata and COOP/CORP (WHATWG HTML, Fetch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_SECURITY_POLICY", "SecurityHeaders"]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), display-capture=()"
    ),
    "X-Robots-Tag": "noindex, nofollow",
}
_HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds the headers to every answer, in place of what a route has set.

    A route may only bring a policy that allows less: nothing by default, no script at all (a report's own page).

    Args:
        app: What answers.
        https: Every person comes over https, also if the last step to us is plain (a proxy).
    """

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; write into the answer's head."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get("Content-Security-Policy", "")
                for name, value in _ALWAYS.items():
                    headers[name] = value
                if _stricter(own):
                    headers["Content-Security-Policy"] = own
                if self.https or scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = _HSTS
                # What a person saw must not stay in a shared cache; routes of films and static files say otherwise.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _stricter(policy: str) -> bool:
    told = policy.lower()
    loose = ("script-src", "unsafe", "*", "http:", "https:", "frame-src", "connect-src", "object-src")
    return (
        told.startswith("default-src 'none';")
        and "frame-ancestors 'none'" in told
        and not any(word in told for word in loose)
    )
