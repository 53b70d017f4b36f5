"""What the client of Milvus, or the wire, raises: said in one sentence, without secrets."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from stream_match.errors import CatalogError
from stream_match.milvus.address import TOKEN_VARIABLE, MilvusAddress

_NOT_FOUND = 100
_NOT_FOUND_BEFORE = 4
_AWAY = r"retry (timeout|run out)|fail connecting|not ready yet|timed? ?out"
_UNKNOWN = ("errors resolving", "DNS resolution failed")
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "auth check failure")


class MilvusError(CatalogError):
    """A server that is away, or that refuses.

    Parameters
    ----------
    message : str
        One sentence for a person, without secrets.
    away : bool
        Whether asking again may help: it could not be reached, or did not answer in time.
    """

    def __init__(self, message: str, *, away: bool) -> None:
        super().__init__(message)
        self.away = away


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
    if any(word in cause for cause in _causes(error) for word in _REFUSED):
        return MilvusError(
            f"the Milvus server {address.server} refuses "
            f"{'this token' if address.token else 'who has no token'}: set {TOKEN_VARIABLE} to USER:PASSWORD",
            away=False,
        )
    if any(word in cause for cause in _causes(error) for word in _UNKNOWN):
        return MilvusError(
            f"the Milvus server {address.server} cannot be reached: there is no host of this name", away=True
        )
    if _is_away(error, said):
        return MilvusError(f"the Milvus server {address.server} cannot be reached, or is too slow", away=True)
    return MilvusError(f"the Milvus server {address.server} {what}: {said}", away=False)


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
    gone = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
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
