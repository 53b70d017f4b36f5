"""The token: asked for once, remembered by a cookie that does not show it."""

import asyncio
import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope

ENTER = "/enter"
COOKIE = "stream_match"
REMEMBERED_S = 400 * 86_400
"""Browsers keep no cookie for longer."""

WRONG_S = 0.5
"""Pause after a wrong token."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>stream_match</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/assets/icon.svg"><link rel="stylesheet" href="/assets/page.css"></head>
<body class="door"><main><h1>stream_match</h1><p>{sentence}</p>
<form method="post" action="/enter">
<input type="text" name="username" value="stream_match" autocomplete="username" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Enter</button></form></main></body></html>
"""


class Entrance:
    """Asks visitors for the token.

    Parameters
    ----------
    token : str
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._cookie = hmac.new(
            self._token, b"stream_match: a visitor of the page", hashlib.sha256
        ).hexdigest()

    async def refusal(self, scope: Scope, receive: Receive) -> Response | None:
        """Return what is answered instead; None if the visitor may enter."""
        headers = Headers(scope=scope)
        if scope["path"] == ENTER and scope["method"] == "POST":
            return await self._entered(await Request(scope, receive).body())
        if self._is_known(headers):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), None)
        if given is not None and scope["method"] == "GET":
            if self._is_right(given):
                rest = urlencode([pair for pair in query if pair[0] != "token"])
                return self._welcome(scope["path"] + (f"?{rest}" if rest else ""))
            return await _asked("This token is not the one of the page.", wrong=True)
        if "text/html" in headers.get("accept", ""):
            return await _asked("Whoever set this listener up knows the token.")
        return JSONResponse(
            {"error": "The page asks for its token."}, 401, headers={"www-authenticate": "Bearer"}
        )

    def _is_known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_right(given.strip()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self._cookie.encode())

    async def _entered(self, body: bytes) -> Response:
        given = dict(parse_qsl(body.decode("utf-8", "replace"))).get("token", "")
        if self._is_right(given.strip()):
            return self._welcome("/")
        return await _asked("This token is not the one of the page.", wrong=True)

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def _welcome(self, path: str) -> Response:
        response = RedirectResponse(f"/{path.lstrip('/')}", 303)
        response.set_cookie(COOKIE, self._cookie, max_age=REMEMBERED_S, httponly=True, samesite="lax")
        return response


async def _asked(sentence: str, *, wrong: bool = False) -> Response:
    if wrong:
        await asyncio.sleep(WRONG_S)
    return HTMLResponse(_PAGE.format(sentence=sentence), 401)
