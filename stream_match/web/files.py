"""The files of the page. They are read once; what is not among them has no path."""

import hashlib
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_PAGE = "index.html"


def file_routes() -> list[Route]:
    """Return the routes of all files."""
    found = {
        path.name: path.read_bytes()
        for path in (files("stream_match.web") / "assets").iterdir()
        if path.is_file()
    }
    routes = [Route(f"/assets/{name}", _serving(name, content)) for name, content in found.items()]
    return [Route("/", _serving(_PAGE, found[_PAGE])), *routes]


def _serving(name: str, content: bytes) -> Any:
    suffix = name[name.rindex(".") :]
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}  # asked for each time, sent when it has changed

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_TYPES[suffix], headers=headers)

    return serve
