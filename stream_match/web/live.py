"""What happens, as it happens: server-sent events, with what was missed since a last one.

A stream begins with ``now``, all that is true. Then come ``told``, events with their ids, first those that
were missed; and ``chroma``, pictures of what is heard. A reader who is slow misses pictures, and sounds when
too many wait; other events wait in the store. One who reads nothing is cut off by `connection`.
"""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from stream_match.errors import StoreError
from stream_match.events import Event, OnsetEvent, to_json
from stream_match.web.port import ChromaPiece, Listener
from stream_match.web.present import Present

MOST_STREAMS = 32
"""Pages that are looked at. For one more the oldest stream ends; a page that is looked at comes back."""

WAITING = 200
"""Sounds that wait for one page; other events too, where there is no store."""

ROOM = 16
"""Messages that are ready to be sent to one page."""

STILL_S = 15.0
"""Longest silence: proxies cut what is silent for longer, and a page can tell that its stream is alive."""

MISSED_S = 3600.0
"""Who was away for longer reads the history instead."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Live:
    """The streams of all pages.

    Parameters
    ----------
    listener : Listener
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._present = Present()
        self._streams: dict[asyncio.Queue[str], asyncio.Event] = {}
        self._closed = False

    async def run(self) -> None:
        """Keep what is true now up to date, until cancelled."""
        async with self._listener.events() as events:
            async for event in events:
                self._present.take(event)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for over in self._streams.values():
            over.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a stream until its reader leaves, or has to make room."""
        request = Request(scope)
        after = request.query_params.get("after") or request.headers.get("last-event-id")
        known = after if after is not None and self._is_recent(after) else None
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        messages: asyncio.Queue[str] = asyncio.Queue(ROOM)
        with self._counted(messages) as over:
            try:
                async with asyncio.TaskGroup() as group:
                    work = [
                        group.create_task(one)
                        for one in (
                            _left(receive),
                            over.wait(),
                            self._tell(messages, known),
                            self._show(messages),
                            _sent(messages, send),
                        )
                    ]
                    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                    for one in work:
                        one.cancel()
            except* StoreError:  # what was missed cannot be read: the page asks without it
                pass
        await send({"type": "http.response.body", "body": b""})

    def _is_recent(self, event_id: str) -> bool:
        """Whether an id was made within the last hour: its first ten letters are milliseconds."""
        if len(event_id) != 26 or not set(event_id) <= set(_CROCKFORD):
            return False
        milliseconds = 0
        for letter in event_id[:10]:
            milliseconds = milliseconds << 5 | _CROCKFORD.index(letter)
        return 0 <= self._listener.now() - milliseconds / 1000 <= MISSED_S

    @contextmanager
    def _counted(self, messages: "asyncio.Queue[str]") -> Iterator[asyncio.Event]:
        over = asyncio.Event()
        if self._closed:
            over.set()
        self._streams[messages] = over
        if len(self._streams) > MOST_STREAMS:
            self._streams.pop(next(iter(self._streams))).set()
        try:
            yield over
        finally:
            self._streams.pop(messages, None)

    async def _tell(self, messages: "asyncio.Queue[str]", after: str | None) -> None:
        async with self._listener.events(after=after, capacity=WAITING) as events:
            await messages.put(self._now(replayed=after is not None))
            async for event in events:
                if (message := _told(event)) is not None:
                    await messages.put(message)

    async def _show(self, messages: "asyncio.Queue[str]") -> None:
        async with self._listener.chroma() as pieces:
            async for piece in pieces:
                with suppress(asyncio.QueueFull):
                    messages.put_nowait(_shown(piece))

    def _now(self, *, replayed: bool) -> str:
        listener = self._listener
        now = {
            "node": listener.node,
            "time": listener.now(),
            "replayed": replayed,
            "history": listener.state is not None,
            "clips": listener.clips is not None,
            "held_s": listener.held_s,
            "report": listener.report is not None,
            "control": listener.control is not None,
            **self._present.told(),
        }
        return _message("now", json.dumps(now, ensure_ascii=False))


async def _sent(messages: "asyncio.Queue[str]", send: Send) -> None:
    while True:
        try:
            async with asyncio.timeout(STILL_S):
                message = await messages.get()
        except TimeoutError:
            message = "event: still\ndata: here\n\n"
        await send({"type": "http.response.body", "body": message.encode(), "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _told(event: Event) -> str | None:
    if isinstance(event, OnsetEvent):  # its cluster follows
        return None
    try:
        return f"id: {event.event_id}\n{_message('told', to_json(event))}"
    except ValueError:  # a name that is no UTF-8
        return None


def _shown(piece: ChromaPiece) -> str:
    told = {
        "source": piece.source,
        "time": round(piece.time, 3),
        "frame_s": piece.frame_s,
        "frames": base64.b64encode(piece.frames).decode(),
        "level_dbfs": piece.level_dbfs,
    }
    return _message("chroma", json.dumps(told))


def _message(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
