"""What the client of Milvus, or the wire, raises: said in one sentence, without secrets."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from stream_match.errors import CatalogError
from stream_match.milvus.address import TOKEN_VARIABLE, MilvusAddress

T = TypeVar("T")

_NOT_FOUND = 100
_NOT_FOUND_BEFORE = 4
_AWAY = r"retry (timeout|run out)|fail connecting|not ready yet|timed? ?out"
_NO_SUCH_HOST = ("Domain name not found", "Name or service not known")
_NO_NAMES = ("errors resolving", "DNS resolution failed")
_TOO_OFTEN = 8
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "auth check failure")


class MilvusError(CatalogError):
    """A server that is away, or that refuses.

    Parameters
    ----------
    message : str
        One sentence for a person, without secrets.
    away : bool
        Whether asking again may help: it could not be reached, or did not answer in time.
    busy : bool
        Whether it is there, and has been asked too often.
    """

    def __init__(self, message: str, *, away: bool, busy: bool = False) -> None:
        super().__init__(message)
        self.away = away
        self.busy = busy


def retried(
    ask: Callable[[float], T],
    within_s: float,
    *,
    pause_s: float = 0.2,
    when: Callable[[MilvusError], bool] = lambda error: error.away,
) -> T:
    """Ask a server, and again while that may help, until the time is used up.

    Parameters
    ----------
    ask : callable (float) -> T
        Asks once, within so many seconds.
    within_s, pause_s : float [seconds]
    when : callable (MilvusError) -> bool
        Whether to ask again after an error.
    """
    until = time.monotonic() + within_s
    left_s = within_s
    while True:
        try:
            return ask(left_s)
        except MilvusError as error:
            left_s = until - time.monotonic() - pause_s
            if left_s <= 0 or not when(error):
                raise
        time.sleep(pause_s)


@contextmanager
def told(address: MilvusAddress, what: str) -> Iterator[None]:
    """Say in one sentence what the client or the wire raises: a MilvusError.

    Parameters
    ----------
    address : MilvusAddress
        Of the server that is asked.
    what : str
        What it does then, as "cannot list its collections".
    """
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
        raise _failure(error, address, what) from error


def _failure(error: Exception, address: MilvusAddress, what: str) -> MilvusError:
    said = _said(error, address)
    if _says(error, _REFUSED):
        return MilvusError(
            f"the Milvus server {address.server} refuses "
            f"{'this token' if address.token else 'who has no token'}: set {TOKEN_VARIABLE} to USER:PASSWORD",
            away=False,
        )
    if _says(error, _NO_NAMES):
        why = (
            "there is no host of this name" if _says(error, _NO_SUCH_HOST) else "its name cannot be looked up"
        )
        return MilvusError(f"the Milvus server {address.server} cannot be reached: {why}", away=True)
    if getattr(error, "code", None) == _TOO_OFTEN:
        return MilvusError(
            f"the Milvus server {address.server} is asked more often than it allows: {said}",
            away=True,
            busy=True,
        )
    if _is_away(error, said):
        return MilvusError(f"the Milvus server {address.server} cannot be reached, or is too slow", away=True)
    return MilvusError(f"the Milvus server {address.server} {what}: {said}", away=False)


def _says(error: Exception, words: tuple[str, ...]) -> bool:
    return any(word in cause for cause in _causes(error) for word in words)


def _causes(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says, and those that it came from; the client raises some from themselves."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield str(error)
        seen.append(error)
        error = error.__cause__


def _is_away(error: Exception, said: str) -> bool:
    import grpc

    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    states = grpc.StatusCode  # a connection that is torn may be any of these
    gone = (
        *(states.UNAVAILABLE, states.DEADLINE_EXCEEDED, states.CANCELLED),
        *(states.ABORTED, states.INTERNAL, states.UNKNOWN),
    )
    return (
        code in gone
        or isinstance(error, grpc.FutureTimeoutError)
        or re.search(_AWAY, said, re.IGNORECASE) is not None
    )


def _said(error: Exception, address: MilvusAddress) -> str:
    """Return what an error says, on one line, without the token."""
    details = getattr(error, "details", None)
    code = getattr(error, "code", None)
    code = code() if callable(code) else ""
    text = getattr(error, "message", None) or (details() if callable(details) else None) or str(error)
    text = re.sub(r"\s+", " ", f"{code} {text}").partition("stack trace:")[0].strip()
    for secret in filter(None, [address.token, *(address.token or "").split(":", 1)]):
        text = text.replace(secret, "***")
    return text if len(text) <= 300 else f"{text[:300]}…"


def is_not_found(error: Exception) -> bool:
    """Return whether an error of the client says that there is no such collection."""
    code, before = getattr(error, "code", None), getattr(error, "compatible_code", None)
    return code == _NOT_FOUND or before == _NOT_FOUND_BEFORE or "can't find collection" in str(error)
