"""Icecast and Shoutcast over HTTP: audio with the names of what is played in between."""

import re
from collections import deque
from collections.abc import Callable
from typing import Protocol

from stream_match.capture.charset import decode_text

REQUEST = {"Icy-MetaData": "1"}
"""Header that asks for metadata in the audio."""

HEADERS = ("icy-name", "icy-genre", "icy-description")

LONGEST_INTERVAL = 1 << 24
"""Most audio [bytes] between two pieces of metadata that is believed; usual are 8,000 to 64,000."""

MAX_WAITING = 64
"""Titles that wait for their place in the audio; of more, the oldest is dropped."""

MAX_FIELDS = 8
MAX_LETTERS = 500

# A value ends at the "';" that is followed by another field or by nothing: titles may hold "';", too.
# One that is cut off ends with the data.
_FIELD = re.compile(rb"(\w{1,64})='(.*?)(?:'(?:;(?=\s*(?:\w{1,64}='|$))|\s*$)|$)", re.DOTALL)


class Response(Protocol):
    """What is needed of an HTTP response."""

    def read(self, n: int, /) -> bytes:
        """Return up to `n` bytes, as soon as there are any; none at the end."""


class IcyStream:
    """The audio of a response as a readable file, its metadata set aside with their places.

    PyAV reads a stream's metadata once, when it opens it; the titles that follow are found here.

    Parameters
    ----------
    response : Response
        Just behind its headers.
    interval : int, > 0 [bytes]
        Audio between two pieces of metadata (the header ``icy-metaint``).
    charset : str, optional
        Of titles that are not UTF-8; a guess if absent.
    """

    def __init__(self, response: Response, interval: int, charset: str | None = None) -> None:
        self._response = response
        self._interval = interval
        self._charset = charset
        self._left = interval
        self._position = 0
        self._titles: deque[tuple[int, dict[str, str]]] = deque(maxlen=MAX_WAITING)

    def read(self, n: int) -> bytes:
        """Read audio, as it comes.

        Parameters
        ----------
        n : int, > 0
            Bytes at most.

        Returns
        -------
        bytes
            Nothing at the end, which may come in the middle of metadata.
        """
        if not self._left:
            self._read_metadata()
        data = self._response.read(min(n, self._left))
        self._left -= len(data)
        self._position += len(data)
        return data

    def news(self, position: int | None) -> dict[str, str]:
        """Return what the stream said of itself up to a byte of its audio, once.

        Parameters
        ----------
        position : int or None [bytes]
            Where the audio in hand begins; None if that is not known.

        Returns
        -------
        dict of str to str
            Such as ``{"StreamTitle": "…"}``; mostly empty.
        """
        found: dict[str, str] = {}
        while self._titles and (position is None or position < 0 or self._titles[0][0] <= position):
            found.update(self._titles.popleft()[1])
        return found

    def _read_metadata(self) -> None:
        self._left = self._interval
        length = self._exactly(1)
        if length and length[0]:
            data = self._exactly(16 * length[0])
            fields = parse_metadata(data, self._charset) if len(data) == 16 * length[0] else {}
            if fields:
                self._titles.append((self._position, fields))

    def _exactly(self, n: int) -> bytes:
        """Read `n` bytes, fewer only at the end."""
        data = b""
        while len(data) < n and (more := self._response.read(n - len(data))):
            data += more
        return data


def parse_metadata(data: bytes, charset: str | None = None) -> dict[str, str]:
    """Take one piece of metadata apart.

    Parameters
    ----------
    data : bytes
        ``StreamTitle='…';StreamUrl='…';`` padded with zeros.
    charset : str, optional
        Of what is not UTF-8; a guess if absent.

    Returns
    -------
    dict of str to str
        The fields that are not empty, and ``StreamTitle`` in any case when it was sent; at most
        `MAX_FIELDS` of `MAX_LETTERS` each.
    """
    fields = _FIELD.findall(data.partition(b"\0")[0])[:MAX_FIELDS]
    texts = {key.decode("ascii"): decode_text(value, charset)[:MAX_LETTERS].strip() for key, value in fields}
    return {key: text for key, text in texts.items() if text or key == "StreamTitle"}


def interval_of(text: str | None) -> int | None:
    """Understand the header ``icy-metaint``.

    Parameters
    ----------
    text : str or None
        As the server sent it; None if it did not.

    Returns
    -------
    int or None [bytes]
        None for anything but a number from 1 to `LONGEST_INTERVAL`: there is no metadata in the audio then.
    """
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):  # "²" is a digit, too
        return None
    return int(digits) if 0 < int(digits) <= LONGEST_INTERVAL else None


def about_station(header: Callable[[str], str | None], charset: str | None = None) -> dict[str, str]:
    """Gather what the headers say of a station.

    Parameters
    ----------
    header : callable (str) -> str or None
        Returns the header of a name, its bytes taken for Latin-1 as ``http.client`` does.
    charset : str, optional
        Of what is not UTF-8; a guess if absent.

    Returns
    -------
    dict of str to str
        Those of `HEADERS` that are there.
    """
    found = {name: header(name) for name in HEADERS}
    texts = {
        name: decode_text(text.encode("latin-1", "replace"), charset) for name, text in found.items() if text
    }
    return {name: text.strip()[:MAX_LETTERS] for name, text in texts.items()}
