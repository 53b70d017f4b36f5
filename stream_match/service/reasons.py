"""An error as one short line for logs and events, without secrets."""

import re

from stream_match.capture.uri import redact
from stream_match.errors import StreamMatchError, words_of

MAX_CHARACTERS = 300
"""Longest reason [characters]. A library may put a whole web page into its message."""

_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


def reason_of(error: BaseException) -> str:
    """Say why something broke.

    Parameters
    ----------
    error : BaseException
        Any. The message of one of ours is a sentence already; others are told with their type.

    Returns
    -------
    str
        One printable line of at most `MAX_CHARACTERS`. Addresses in it are shown without their secrets.
    """
    said = _message(error)
    if not isinstance(error, StreamMatchError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return said[:MAX_CHARACTERS]


def _message(error: BaseException) -> str:
    try:
        text = words_of(error)
    except Exception:  # noqa: BLE001 - a message that cannot even be made is no reason to break again
        return ""
    # Masked before it is cut: half an address is no longer known as one.
    shown = _ADDRESS.sub(lambda found: redact(found.group()), text[: 10 * MAX_CHARACTERS])
    return " ".join("".join(letter if letter.isprintable() else " " for letter in shown).split())
