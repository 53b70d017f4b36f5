"""Edge in: sources of audio."""

import importlib
import re
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from stream_match.capture.base import Source
from stream_match.capture.uri import NAME_PATTERN, derive_name, redact
from stream_match.config import SourceSettings
from stream_match.errors import UsageError

# Scheme → module and class, imported when asked for; each takes (uri, name).
SOURCES = {
    "": "file:FileSource",
    "http": "url:UrlSource",
    "https": "url:UrlSource",
    "rtsp": "url:UrlSource",
    "rtsps": "url:UrlSource",
    "mic": "microphone:MicrophoneSource",
    "pcm": "pcm:PcmSource",
    "demo": "demo:DemoSource",
}

_WEB = ("channel", "user_agent", "headers", "username", "password", "charset")
SETTINGS = {
    "": ("channel",),
    "http": _WEB,
    "https": _WEB,
    "rtsp": tuple(key for key in _WEB if key != "headers"),
    "rtsps": tuple(key for key in _WEB if key != "headers"),
    "mic": ("channel",),
    "pcm": ("channel",),
    "demo": (),
}
"""Scheme → the settings that its source takes, as keywords of its class."""

EXPECTED = "PATH, http(s)://…, rtsp://…, mic:[NAME], pcm:-?rate=48000&channels=2&format=s16le, or demo:"


def open_source(wanted: SourceSettings | str) -> Source:
    """Make the source that a URI stands for; nothing is opened before its `blocks` is called.

    Parameters
    ----------
    wanted : SourceSettings or str
        Its settings, or just ``URI`` or ``name=URI``. The text before ``=`` is a name only if the whole is
        not the path of something that exists.

    Returns
    -------
    Source
        Named as asked, or after its URI.

    Raises
    ------
    UsageError
        If the name or the URI is not what a source takes, or it does not take one of the settings.
    """
    settings = SourceSettings.model_construct(uri=wanted) if isinstance(wanted, str) else wanted
    name, uri = (settings.name, settings.uri) if settings.name else _split_name(settings.uri)
    uri = uri if _known_scheme(uri.strip()) is None else uri.strip()
    if not uri:
        raise UsageError(f"the source {redact(settings.uri)!r} names no audio; expected {EXPECTED}")
    scheme = _scheme(uri)
    name = name or derive_name(uri)
    module, _, class_name = SOURCES[scheme].partition(":")
    made = getattr(importlib.import_module(f"{__name__}.{module}"), class_name)
    return cast("Source", made(uri, name, **_taken(settings, scheme, name)))


def _taken(settings: SourceSettings, scheme: str, name: str) -> dict[str, object]:
    """Return the settings that are given as the source takes them; refuse those that it does not know."""
    given = {key: value for key in _WEB if (value := getattr(settings, key)) is not None}
    for key in given:
        if key not in SETTINGS[scheme]:
            takes = ", ".join(SETTINGS[scheme]) or "none of these settings"
            kind = f"{scheme}: source" if scheme else "file"
            raise UsageError(
                f"the source {name!r} is a {kind}, which does not take {key!r}; it takes {takes}"
            )
    return {key: _open(value) for key, value in given.items()}


def _open(value: object) -> object:
    """Take the seal off secrets."""
    if isinstance(value, dict):
        return {key: _open(inner) for key, inner in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _split_name(spec: str) -> tuple[str, str]:
    """Separate ``name=URI``; the name is empty where none was given."""
    head, equals, rest = spec.partition("=")
    if not equals or _exists(spec) or _known_scheme(head) is not None or re.search(r"[:/?]", head):
        return "", spec
    if NAME_PATTERN.fullmatch(head):
        return head, rest
    if _known_scheme(rest) is None and not _exists(rest):
        return "", spec  # the path of a file that is not there: the file source says so
    raise UsageError(
        f"the source name {head!r} is not allowed; expected 1 to 64 of a-z, 0-9, _ and -, as in kitchen=mic:"
    )


def _scheme(uri: str) -> str:
    """Return the table's key for a URI: its scheme, or nothing for a path."""
    known = _known_scheme(uri)
    if known is not None:
        return known
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", uri) or (re.match(r"[a-z]{2,8}:", uri) and not _exists(uri)):
        raise UsageError(
            f"the source {uri.partition(':')[0] + ':'!r} is of no kind that is known; expected {EXPECTED}"
        )
    if re.search(r"(https?|rtsps?)://", uri, re.I) and not _exists(uri):  # it may hold a password
        raise UsageError(f"a source holds a web address, but does not begin with it; expected {EXPECTED}")
    return ""


def _known_scheme(uri: str) -> str | None:
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    if not colon or not scheme or scheme not in SOURCES:
        return None
    return None if scheme.startswith(("http", "rtsp")) and not rest.startswith("//") else scheme


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a path, or holding a zero byte
        return False
