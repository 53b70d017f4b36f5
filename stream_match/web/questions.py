"""What a page may ask and tell, beside the live stream."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from stream_match.errors import UsageError
from stream_match.web.past import Asked, Past
from stream_match.web.port import Answer, Clips, Control, Listener

MOST_AIRINGS = 500
LONGEST_TEXT = 500
LONGEST_S = 86_400.0

_SOUNDS = {".flac": "audio/flac", ".opus": "audio/ogg; codecs=opus"}

Question = Callable[[Request], Awaitable[Answer]]


class Questions:
    """Answers questions about the past, and hands requests to the control room.

    Parameters
    ----------
    listener : Listener
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._aside_files = listener.aside_files or listener.aside
        self._past = None if listener.state is None else Past(listener.state, listener.aside)

    def routes(self) -> list[Route]:
        """Return the routes of all questions."""
        asked: dict[str, Question] = {
            "day": self._day,
            "history": self._history,
            "kinds": self._kinds,
            "candidates": self._candidates,
            "health": self._health,
        }
        told: dict[str, Question] = {"name": self._name, "mark": self._mark, "pause": self._pause}
        return [
            *(Route(f"/api/{name}", _answering(question)) for name, question in asked.items()),
            *(Route(f"/api/{name}", _answering(word), methods=["POST"]) for name, word in told.items()),
            Route("/api/history.csv", self._table),
            Route("/clips/{name:path}", self._clip),
            Route("/report", self._report),
        ]

    async def _day(self, request: Request) -> Answer:
        return await self._kept().day(Asked.of(request.query_params))

    async def _history(self, request: Request) -> Answer:
        query = request.query_params
        return await self._kept().airings(
            Asked.of(query),
            offset=_number(query.get("offset"), 0, 1_000_000),
            limit=_number(query.get("limit"), 100, MOST_AIRINGS),
        )

    async def _table(self, request: Request) -> Response:
        table = await self._kept().table(Asked.of(request.query_params))
        headers = {"content-disposition": 'attachment; filename="stream_match-history.csv"'}
        return Response(table, media_type="text/csv; charset=utf-8", headers=headers)

    async def _kinds(self, request: Request) -> Answer:
        found = await self._kept().sound_kinds(Asked.of(request.query_params))
        if (clips := self._listener.clips) is not None:
            await self._aside_files(lambda: _with_clips(found["kinds"], clips))
        return found

    async def _candidates(self, request: Request) -> Answer:
        return await self._controlled().candidates(request.query_params.get("source", ""))

    async def _health(self, _: Request) -> Answer:
        return await self._controlled().health()

    async def _name(self, request: Request) -> Answer:
        told = await _content(request)
        return await self._controlled().name(
            _text(told, "source") or "",
            _text(told, "name"),
            cluster=_text(told, "cluster"),
            track=_text(told, "track"),
        )

    async def _mark(self, request: Request) -> Answer:
        told = await _content(request)
        return await self._controlled().mark(
            _text(told, "source") or "",
            _text(told, "name") or "",
            last_seconds=_seconds(told, "last_seconds"),
            clip=_text(told, "clip"),
        )

    async def _pause(self, request: Request) -> Answer:
        told = await _content(request)
        paused = told.get("paused")
        if not isinstance(paused, bool):
            raise UsageError("Expected paused, true or false.")
        return await self._controlled().pause(_text(told, "source") or "", paused=paused)

    async def _clip(self, request: Request) -> Response:
        clips = self._listener.clips
        name = request.path_params["name"]
        path = None if clips is None else await self._aside_files(lambda: clips.find(name))
        if path is None:
            raise HTTPException(404, "There is no such clip.")
        kind = _SOUNDS.get(path.suffix, "application/octet-stream")
        return FileResponse(path, media_type=kind, headers={"cache-control": "private, max-age=86400"})

    async def _report(self, _: Request) -> Response:
        path = self._listener.report
        if path is None or not await self._aside_files(path.is_file):
            raise HTTPException(404, "There is no report: `stream-match report --index` makes one.")
        # The page has a policy of its own, which allows what stands in it and nothing else.
        return FileResponse(
            path, media_type="text/html", headers={"content-security-policy": "frame-ancestors 'none'"}
        )

    def _kept(self) -> Past:
        if self._past is None:
            raise HTTPException(404, "Nothing is kept: start the listener with --state DIR.")
        return self._past

    def _controlled(self) -> Control:
        if self._listener.control is None:
            raise HTTPException(404, "This listener takes no requests.")
        return self._listener.control


def _with_clips(kinds: list[Answer], clips: Clips) -> None:
    for kind in kinds:
        kind["clip"] = clips.of_sound(kind["source"], kind["cluster_id"])


def _answering(question: Question) -> Any:
    async def answer(request: Request) -> Response:
        return JSONResponse(await question(request))

    return answer


async def _content(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UsageError("Expected an object of JSON.")
    return content


def _text(content: dict[str, Any], key: str) -> str | None:
    value = content.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise UsageError(f"Expected {key} to be a text of at most {LONGEST_TEXT} characters.")
    return value


def _seconds(content: dict[str, Any], key: str) -> float | None:
    value = content.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LONGEST_S:
        raise UsageError(f"Expected {key} to be a number of seconds above 0, and less than a day.")
    return float(value)


def _number(text: str | None, otherwise: int, most: int) -> int:
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        raise UsageError(f"{text[:20]!r} is no whole number up to {most}.")
    return min(int(text), most)
