"""URIs of sources: the names they give, and what of them may be shown."""

import hashlib
import re
import unicodedata
from pathlib import PurePath
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

NAME_PATTERN = re.compile(r"[a-z0-9_-]{1,64}")
"""What a source's name may look like: it becomes one level of an MQTT topic."""

MAX_NAME = 64
HIDDEN = "***"
WEB_SCHEMES = ("http", "https", "rtsp", "rtsps")

# Parameters that change from session to session, or that nobody else may know: they
# are left out of the name, so that a renewed token does not make another source.
_SECRET = re.compile(
    r"auth|expire|hash|key|passw|pwd|secret|session|sig|token|^(exp|hdnts|pass|policy|sid|user)$", re.I
)


def redact(uri: str) -> str:
    """Hide user, password and the values of all query parameters of a URL.

    Parameters
    ----------
    uri : str
        Any source URI.

    Returns
    -------
    str
        The same URI, fit for logs; anything but a web address is returned as it is.
    """
    parts = _split(uri)
    if parts is None:
        return uri
    query = "&".join(f"{quote(key)}={HIDDEN}" for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    if parts.query and not query:
        query = HIDDEN
    shown = f"{parts.scheme}://{_host(parts)}{parts.path}"
    return f"{shown}?{query}" if query else shown


def derive_name(uri: str) -> str:
    """Make a name for a source that was given none.

    Parameters
    ----------
    uri : str
        Any source URI.

    Returns
    -------
    str
        ``[a-z0-9_-]+``, at most 64 characters, the same for the same URI, without credentials:
        the stem of a path, ``mic`` and the microphone, host and path of a URL with six digits
        of a hash that tells apart what reads alike.
    """
    parts = _split(uri)
    if parts is not None:
        return _shorten(slug(f"{_host(parts)}{parts.path}") + "-" + _digest(_identity(parts)))
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
    if not uri.lower().startswith(tuple(f"{scheme}://" for scheme in WEB_SCHEMES)):
        return None
    try:
        return urlsplit(uri)
    except ValueError:  # an unbalanced [ in the host
        return SplitResult(uri.partition(":")[0], HIDDEN, "", "", "")


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _identity(parts: SplitResult) -> str:
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _SECRET.search(pair[0])]
    return f"{parts.scheme}://{_host(parts)}{parts.path}?{kept}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def _shorten(name: str) -> str:
    """Cut a name to the permitted length; a hash keeps cut names apart."""
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 7].rstrip('-')}-{_digest(name)}"
