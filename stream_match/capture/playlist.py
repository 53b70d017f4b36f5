"""Playlists as stations publish them: .pls, .m3u, .xspf and .asx name addresses, HLS names segments."""

import html
import re
import xml.parsers.expat
from typing import Literal
from urllib.parse import urlsplit

from stream_match.capture.address import absolute
from stream_match.capture.charset import decode_text
from stream_match.capture.uri import WEB_SCHEMES

Kind = Literal["hls", "pls", "m3u", "xspf", "asx"]

HEAD_BYTES = 512
"""Of what a server sends, so much is looked at to tell a playlist from audio."""

MAX_BYTES = 4 << 20
"""Longest playlist. One of HLS for ten hours has 6,000 lines of at most a few hundred bytes."""

MAX_ENTRIES = 20
"""Addresses that are taken from a playlist; the rest is left."""

_HLS = re.compile(rb"^#EXT-X-(TARGETDURATION|STREAM-INF|MEDIA-SEQUENCE)", re.M)
_MARKS: tuple[tuple[Kind, "re.Pattern[bytes]"], ...] = (
    ("m3u", re.compile(rb"#EXTM3U\b")),
    ("pls", re.compile(rb"\[playlist\]", re.I)),
    ("asx", re.compile(rb"<asx\b|\[Reference\]", re.I)),
    ("xspf", re.compile(rb"(<\?xml[^>]*>)?\s*(<!--.{0,300}?-->\s*)?<(\w+:)?playlist\b", re.S)),
    ("m3u", re.compile(rb"(#[^\n]{0,200}\n)*(https?|rtsps?)://", re.I)),
)
_TYPES: dict[str, Kind] = {
    "audio/x-scpls": "pls",
    "audio/scpls": "pls",
    "audio/x-mpegurl": "m3u",
    "audio/mpegurl": "m3u",
    "application/x-mpegurl": "m3u",
    "application/vnd.apple.mpegurl": "m3u",
    "application/xspf+xml": "xspf",
}
_SUFFIXES: dict[str, Kind] = {".pls": "pls", ".m3u": "m3u", ".m3u8": "m3u", ".xspf": "xspf", ".asx": "asx"}


class PlaylistError(ValueError):
    """A playlist that leads nowhere; the text finishes a sentence that begins with its address."""


def kind_of(head: bytes, content_type: str, address: str) -> Kind | None:
    """Say which playlist something is.

    Parameters
    ----------
    head : bytes
        Its beginning, `HEAD_BYTES` of it if it has so many.
    content_type : str
        As the server says; often wrong, so that the content counts first.
    address : str
        Where it came from.

    Returns
    -------
    str or None
        None for anything that is not text, and for text that looks like no playlist. ``"m3u"`` may turn out
        to be HLS: see `is_hls`.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for kind, mark in _MARKS:
        if mark.match(text):
            return kind
    if not _is_text(head) or text.startswith(b"<"):  # a web page, whatever the server calls it
        return None
    named = _TYPES.get(content_type.partition(";")[0].strip().lower())
    return named or next((k for suffix, k in _SUFFIXES.items() if _path(address).endswith(suffix)), None)


def is_hls(data: bytes) -> bool:
    """Say whether a whole playlist that begins with ``#EXTM3U`` is one of HLS."""
    return _HLS.search(data) is not None


def entries(data: bytes, kind: Kind, base: str) -> list[str]:
    """Return the addresses that a playlist names.

    Parameters
    ----------
    data : bytes
        All of it.
    kind : str
        As `kind_of` says; not HLS.
    base : str
        Its own address, which relative ones start from.

    Returns
    -------
    list of str
        Addresses of the network in their order, each once; never a local file.

    Raises
    ------
    PlaylistError
        If there is none.
    """
    found = {"pls": _pls, "m3u": _m3u, "xspf": _xspf, "asx": _asx}[kind](data)
    addresses = [address for text in found[: 10 * MAX_ENTRIES] if (address := _followed(base, text))]
    if not addresses:
        msg = "is a playlist without an address that can be followed"
        raise PlaylistError(msg)
    return list(dict.fromkeys(addresses))[:MAX_ENTRIES]


def _followed(base: str, text: str) -> str | None:
    try:
        address = absolute(base, text)
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme.lower() in WEB_SCHEMES and parts.hostname else None


def _pls(data: bytes) -> list[str]:
    numbered: dict[int, str] = {}
    for line in decode_text(data).splitlines():
        key, _, address = line.partition("=")
        number = key.strip().lower().removeprefix("file")
        if key.strip().lower().startswith("file") and number.isascii() and number.isdigit():
            numbered.setdefault(int(number[:6]), address.strip())
    return [numbered[number] for number in sorted(numbered)]


def _m3u(data: bytes) -> list[str]:
    lines = [line.strip() for line in decode_text(data).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _asx(data: bytes) -> list[str]:
    # Hardly ever valid XML.
    text = decode_text(data)
    found = re.findall(r"<ref\b[^<>]{0,200}?href\s*=\s*[\"']([^\"'<>]{1,2000})[\"']", text, re.I)
    return [html.unescape(one) for one in found] + re.findall(r"^Ref\d{1,4}\s*=\s*(\S+)", text, re.I | re.M)


def _xspf(data: bytes) -> list[str]:
    """Return the locations of tracks; a DTD, whose entities could grow without bound, is refused."""
    found: list[str] = []
    path: list[str] = []

    def begin(name: str, _: object) -> None:
        path.append(name.rpartition(":")[2])
        if path[-2:] == ["track", "location"]:
            found.append("")

    def text(piece: str) -> None:
        if path[-2:] == ["track", "location"]:
            found[-1] += piece

    def refuse(*_: object) -> None:
        msg = "is a playlist with a DTD, which is not read"
        raise PlaylistError(msg)

    parser = xml.parsers.expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except PlaylistError:
        raise
    except (xml.parsers.expat.ExpatError, LookupError, ValueError):  # also an encoding that Python has not
        if not found:
            msg = "is a playlist in broken XML"
            raise PlaylistError(msg) from None
    return [one.strip() for one in found if one.strip()]


def plain_hls(data: bytes) -> bytes:
    """Make a playlist of HLS readable for FFmpeg, which takes addresses for ASCII or UTF-8.

    Parameters
    ----------
    data : bytes
        Lines of any charset.

    Returns
    -------
    bytes
        The same with each byte beyond ASCII percent-encoded.
    """
    return re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], data.removeprefix(b"\xef\xbb\xbf"))


def _is_text(head: bytes) -> bool:
    return not re.search(rb"[\x00-\x08\x0e-\x1a]", head)


def _path(address: str) -> str:
    try:
        return urlsplit(address).path.lower()
    except ValueError:
        return ""
