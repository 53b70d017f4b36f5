"""What monitors ask for: whether the listener is well, how everything is, and numbers for Prometheus."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream_match.web.port import Answer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def probe_routes(health: Callable[[], Answer], metrics: Callable[[], str]) -> list[Route]:
    """Return the routes.

    ``/healthz`` needs no token and says nothing but ``alive`` and ``ok``. Its status is 503 where a restart
    helps, and 200 else. ``/metrics`` gives the numbers.

    Parameters
    ----------
    health : callable () -> dict
        Returns how everything is, with the keys ``alive`` and ``ok``; called on the event loop.
    metrics : callable () -> str
        Returns the numbers in the text format of Prometheus.
    """

    async def healthz(_: Request) -> Response:
        now = health()
        said = {"alive": now["alive"], "ok": now["ok"]}
        return JSONResponse(said, 200 if said["alive"] else 503)

    async def numbers(_: Request) -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE)

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/metrics", numbers, methods=["GET"]),
    ]
