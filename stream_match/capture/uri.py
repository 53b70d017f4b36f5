"""URIs of sources: the names they give, and what of them may be shown."""

import hashlib
import re
import unicodedata
from pathlib import PurePath
from urllib.parse import SplitResult, parse_qsl, urlsplit

NAME_PATTERN = re.compile(r"[a-z0-9_-]{1,64}")
"""What a source's name may look like: it becomes one level of an MQTT topic."""

MAX_NAME = 64
HIDDEN = "***"
WEB_SCHEMES = ("http", "https", "rtsp", "rtsps")

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *(
            "aac",
            "flac",
            "m4a",
            "mka",
            "mp3",
            "mp4",
            "mpga",
            "oga",
            "ogg",
            "opus",
            "ts",
            "wav",
            "webm",
            "wma",
        ),
        *("asx", "m3u", "m3u8", "pls", "sdp", "xspf"),
    )
)
"""Endings of a path that may be shown: they say what was asked for, and hold no secret."""

# Parameters that change from session to session: they are left out of the name,
# so that a renewed token does not make another source.
_SECRET = re.compile(
    r"auth|expire|hash|key|passw|pwd|secret|session|sig|token|^(exp|hdnts|pass|policy|sid|user)$", re.I
)


def redact(uri: str) -> str:
    """Hide everything of a URL that may be a secret: user, password, path and query.

    Parameters
    ----------
    uri : str
        Any source URI.

    Returns
    -------
    str
        ``scheme://host:port/***.mp3?***``: the ending of the path is shown if it is a usual one.
        Anything but a web address is returned as it is.
    """
    parts = _split(uri)
    if parts is None:
        return uri
    suffix = PurePath(parts.path).suffix.lower()
    path = f"/{HIDDEN}{suffix if suffix in SUFFIXES else ''}" if parts.path.strip("/") else parts.path
    return f"{parts.scheme}://{_host(parts)}{path}{'?' + HIDDEN if parts.query else ''}"


def derive_name(uri: str) -> str:
    """Make a name for a source that was given none.

    Parameters
    ----------
    uri : str
        Any source URI.

    Returns
    -------
    str
        ``[a-z0-9_-]+``, at most 64 characters, the same for the same URI: the stem of a file, ``mic`` and
        the microphone, host and port of a URL with six digits of a hash. The path of a URL is in the hash
        only, for it may hold a token. User, password and parameters such as ``token`` are nowhere.
    """
    parts = _split(uri)
    if parts is not None:
        return _with_digest(slug(_host(parts)), _digest(_identity(parts)))
    scheme, colon, rest = uri.partition(":")
    if colon and scheme in ("mic", "pcm", "demo"):
        return _shorten(f"{scheme}-{slug(rest)}" if scheme == "mic" and slug(rest) else scheme)
    return _shorten(slug(PurePath(uri).stem) or f"file-{_digest(uri)}")


def slug(text: str) -> str:
    """Reduce a text to ``[a-z0-9_-]*``: accents dropped, everything else one dash.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The slug; empty if nothing of `text` is left.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")


def _split(uri: str) -> SplitResult | None:
    """Take a web address apart; None for everything else, and for what cannot be parsed."""
    uri = uri.strip()  # as it was copied
    if not uri.lower().startswith(tuple(f"{scheme}://" for scheme in WEB_SCHEMES)):
        return None
    try:
        return urlsplit(uri)
    except ValueError:  # an unbalanced [ in the host
        return SplitResult(uri.partition(":")[0], HIDDEN, "", "", "")


def _host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].lower()
    try:
        _ = parts.port
    except ValueError:  # no port: half a password, with a / or a # in it
        return HIDDEN
    return host


def _identity(parts: SplitResult) -> str:
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _SECRET.search(pair[0])]
    return f"{parts.scheme}://{_host(parts)}{parts.path}?{kept}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def _shorten(name: str) -> str:
    """Cut a name to the permitted length; a hash keeps cut names apart."""
    return name if len(name) <= MAX_NAME else _with_digest(name, _digest(name))


def _with_digest(name: str, digest: str) -> str:
    return f"{name[: MAX_NAME - 7].rstrip('-')}-{digest}".lstrip("-")
