"""The page as a whole: its routes, its guard, its server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stream_match.config import WebSettings
from stream_match.config.web_settings import web_address
from stream_match.errors import StreamMatchError, UsageError, words_of
from stream_match.web.access import host_names, token_of
from stream_match.web.entrance import Entrance
from stream_match.web.files import file_routes
from stream_match.web.guard import Guard
from stream_match.web.live import Live
from stream_match.web.port import Listener
from stream_match.web.questions import Questions
from stream_match.web.server import PageServer

log = logging.getLogger(__name__)

PUBLIC = ("/assets/", "/healthz")
"""What needs no token: the looks of the page, and whether the listener is well."""


@asynccontextmanager
async def shown(
    settings: WebSettings, listener: Listener, more: Sequence[BaseRoute] = ()
) -> AsyncIterator[PageServer]:
    """Show the page for as long as this is entered.

    Parameters
    ----------
    settings : WebSettings
        Its `listen` is set.
    listener : Listener
        What is shown.
    more : sequence of routes
        Further routes behind the same guard; ``/healthz`` needs no token.

    Yields
    ------
    PageServer
        Its `address` is None while it cannot be served.

    Raises
    ------
    UsageError
        If it needs a token that it has not.
    """
    assert settings.listen is not None
    live = Live(listener)
    server = PageServer(*web_address(settings.listen), guarded(settings, listener, live, more))
    tasks = [
        asyncio.create_task(live.run(), name="know what is true now"),
        asyncio.create_task(server.run(), name="show the page"),
    ]
    try:
        yield server
    finally:
        live.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def guarded(settings: WebSettings, listener: Listener, live: Live, more: Sequence[BaseRoute] = ()) -> Guard:
    """Return all that can be asked, behind its guard; parameters and errors as of `shown`."""
    token = token_of(settings)
    return Guard(
        application([Route("/api/live", live, methods=["GET"]), *Questions(listener).routes(), *more]),
        hosts=host_names(settings),
        entrance=None if token is None else Entrance(token),
        public=PUBLIC,
    )


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """Return all that can be asked, before its guard."""
    return Starlette(
        routes=[*file_routes(), *routes],
        exception_handlers={
            HTTPException: _refused,
            UsageError: _mistaken,
            StreamMatchError: _failed,
            Exception: _broken,
        },
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)


async def _mistaken(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s of the page broke (%s: %s)", request.url.path, type(error).__name__, words_of(error))
    return JSONResponse({"error": "This broke; the log of the listener says why."}, 500)
