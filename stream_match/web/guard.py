"""Who may ask for what: names, origins, tokens, sizes; and what browsers are told never to do."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_match.web.entrance import ENTER, Entrance

LARGEST_BODY_BYTES = 64 << 10

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""Everything comes from here, nothing stands in the page itself, and no text becomes markup."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without any, browsers hide the origin of a form
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Stands before the page and lets in what may come in.

    Parameters
    ----------
    inside : ASGIApp
        The page.
    hosts : collection of str
        Names by which the page may be called. An address is always right: a page of a stranger can only
        make its own name lead here (DNS rebinding), and that name then stands in ``Host``.
    entrance : Entrance or None
        Asks for the token; None lets everybody in.
    public : collection of str
        Paths, or beginnings of paths that end with ``/``, which need no token.
    """

    def __init__(
        self, inside: ASGIApp, *, hosts: Collection[str], entrance: Entrance | None, public: Collection[str]
    ) -> None:
        self._inside = inside
        self._hosts = frozenset(hosts)
        self._entrance = entrance
        self._public = tuple(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return
        send = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST":
            body = await _body(receive)
            receive = _replayed(body or b"", receive)
            refusal = (
                None if body is not None else _said(413, f"At most {LARGEST_BODY_BYTES} bytes are read.")
            )
        if refusal is None and self._entrance is not None and not self._is_public(scope["path"]):
            refusal = await self._entrance.refusal(scope, receive)
        await (refusal or self._inside)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        called = headers.getlist("host")
        if len(called) != 1 or not self._is_ours(called[0]):
            return _said(
                421, "The page is not called by this name: use its address, or list the name in [web] hosts."
            )
        if scope["method"] in ("GET", "HEAD"):
            return None
        if scope["method"] != "POST":
            return _said(405, "Only GET and POST are understood.")
        origin = headers.get("origin")
        if origin is not None and _place(origin) != called[0].lower():
            return _said(403, "Another page asked for this.")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _said(403, "Another page asked for this.")
        wanted = "application/x-www-form-urlencoded" if scope["path"] == ENTER else "application/json"
        if headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
            return _said(415, f"Expected {wanted}.")
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if parts.netloc != host or "@" in host:
            return False
        return name in self._hosts or _is_address(name)

    def _is_public(self, path: str) -> bool:
        return any(path == one or (one.endswith("/") and path.startswith(one)) for one in self._public)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _place(origin: str) -> str:
    """Return host and port of an origin, as ``Host`` names them; nothing where it has none, as ``null``."""
    return origin.partition("://")[2].lower()


def _said(status: int, sentence: str) -> Response:
    # What is left of the request is not read.
    return JSONResponse({"error": sentence}, status_code=status, headers={"connection": "close"})


async def _body(receive: Receive) -> bytes | None:
    """Read a request to its end; None if it is too long, or never ends."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
