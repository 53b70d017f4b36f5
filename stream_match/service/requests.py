"""Requests in JSON: what may be asked, in which form, and the answer.

A request is an object, empty or absent where it needs nothing. Whoever asks may put a `transaction` into it,
which comes back with the answer: ``{"transaction", "status": "ok", "data"}`` or ``{"transaction", "status":
"error", "error"}``. Whatever is sent, there is an answer in one sentence, and listening goes on.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from stream_match.config import Settings
from stream_match.config.complaints import sentences
from stream_match.errors import StreamMatchError, UsageError
from stream_match.events import Name, Payload
from stream_match.service.control import Answer, Control
from stream_match.service.reasons import reason_of
from stream_match.text import printable

log = logging.getLogger(__name__)

LARGEST_BYTES = 64 * 1024
"""Of a request. The largest that make sense have a few hundred."""

PATIENCE_S = 60.0
"""How long a request may take before it is answered with an error: a mark writes an index."""

LONGEST_TRANSACTION = 200


class Request(Settings):
    """What all requests have in common."""

    transaction: str | int | None = Field(
        default=None, description="Comes back with the answer, which can so be told from others"
    )


class OfSource(Request):
    """A request about one source."""

    source: Name = Field(description="Name of the source in topics")


class Reload(Request):
    """Read again what may have changed on disk: settings and index."""


class Pause(OfSource):
    """Cease to listen to a source."""

    paused: bool = Field(default=True, description="False resumes: for switches, which know one topic")


class Resume(OfSource):
    """Listen to a source again."""


class Candidates(OfSource):
    """Say what nearly matched in the last minute, and why it was not claimed."""


class Naming(OfSource):
    """Give a cluster or a track the name that its events carry from then on."""

    name: str | None = Field(max_length=1000, description="None, or an empty text, takes the name away")
    cluster: str | None = Field(default=None, max_length=200, description="Id of the cluster")
    track: str | None = Field(default=None, max_length=1000, description="Or id of the track")


class Marking(OfSource):
    """Make a stretch of what was heard a reference of the index."""

    name: str = Field(max_length=1000, description="What it is called")
    from_s: float | None = Field(
        default=None, description="Stream time at which it begins; of a clip, seconds"
    )
    to_s: float | None = Field(default=None, description="Stream time at which it ends; of a clip, seconds")
    last_seconds: float | None = Field(default=None, description="Instead: how far back from now")
    clip: str | None = Field(
        default=None, max_length=200, description="Instead of what is heard now: a clip, as in an event"
    )


class FalseAlarms(OfSource):
    """Claim matches of a source with another budget of false alarms."""

    max_false_alarms_per_hour: float = Field(gt=0, description="Claims of unknown audio that are put up with")


class Health(Request):
    """Say how everything is."""


REQUESTS: Mapping[str, type[Request]] = {
    "reload": Reload,
    "pause": Pause,
    "resume": Resume,
    "candidates": Candidates,
    "name": Naming,
    "mark": Marking,
    "false_alarms": FalseAlarms,
    "health": Health,
}
"""Requests by their name, which is a method of `Control` as well."""


class Response(Payload):
    """The answer to a request."""

    transaction: str | int | None = Field(
        default=None, description="As in the request; absent if it had none"
    )
    status: Literal["ok", "error"]
    data: dict[str, Any] | None = Field(default=None, description="If it is ok: what was asked for")
    error: str | None = Field(default=None, description="If not: one sentence that says why, and what to do")


async def answer(control: Control, name: str, payload: bytes) -> str:
    """Do what is asked for; return the answer in JSON.

    Parameters
    ----------
    control : Control
    name : str
        Which request.
    payload : bytes
        What was sent: anything.
    """
    content: dict[str, Any] = {}
    try:
        content = _content(payload)
        model = _known(name)
        request = _checked(name, model, content)
        async with asyncio.timeout(PATIENCE_S):
            data = await _method(control, name)(**request)
        return _response(content, status="ok", data=data)
    except Exception as error:  # whatever is asked, it is the end of that request only
        if not isinstance(error, StreamMatchError):
            log.debug("The request %s broke", printable(name), exc_info=True)
        return _response(content, status="error", error=_said(error))


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of all requests, and that of their answers, by the names of their files."""
    schemas = {f"request.{name}": model.model_json_schema() for name, model in REQUESTS.items()}
    return schemas | {"response": Response.model_json_schema(mode="serialization")}


def _content(payload: bytes) -> dict[str, Any]:
    if len(payload) > LARGEST_BYTES:
        raise UsageError(f"The request is too large: expected up to {LARGEST_BYTES} bytes of JSON.")
    if not payload.strip():
        return {}
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        raise UsageError(
            'The request is no JSON: expected an object, such as {"source": "kitchen"}.'
        ) from None
    if not isinstance(content, dict):
        raise UsageError('The request is no object: expected one such as {"source": "kitchen"}.')
    return content


def _known(name: str) -> type[Request]:
    if name not in REQUESTS:
        raise UsageError(f"There is no request {name[:50]!r}: expected one of {', '.join(REQUESTS)}.")
    return REQUESTS[name]


def _checked(name: str, model: type[Request], content: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request."""
    if not _is_transaction(content.get("transaction")):
        raise UsageError(
            f"'transaction': expected a text of up to {LONGEST_TRANSACTION} letters, or a whole number."
        )
    try:
        request = model.model_validate(content)
    except ValidationError as error:
        _, told = next(sentences(model, error.errors()))
        raise UsageError(f"The request {name}: {told}") from None
    return request.model_dump(exclude={"transaction"})


def _method(control: Control, name: str) -> Callable[..., Awaitable[Answer]]:
    method: Callable[..., Awaitable[Answer]] = getattr(control, name)
    return method


def _response(content: dict[str, Any], **fields: Any) -> str:
    transaction = content.get("transaction")
    told = {"transaction": transaction} if _is_transaction(transaction) and transaction is not None else {}
    return json.dumps(told | fields, ensure_ascii=False)


def _is_transaction(given: object) -> bool:
    if isinstance(given, bool):
        return False
    if isinstance(given, int):
        return abs(given) < 1 << 63
    return given is None or (isinstance(given, str) and len(given) <= LONGEST_TRANSACTION)


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"It was not done within {PATIENCE_S:.0f} s."
    return printable(reason_of(error))
