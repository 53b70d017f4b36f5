"""Files that were joined together (``cat a.flac b.flac``): where each part lies.

Demuxers stop at the end of the first part, or read the others with the settings of the first. MP3, ADTS and
MPEG-TS go on: each of their frames says what it is. Only the tags in the middle of MP3 and ADTS are in their
way. Parts may be of different formats.
"""

import errno
import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from stream_match.capture.heads import (
    AIFF,
    ALL,
    BARE_MP3,
    FLAC,
    FLAC_FRAME,
    FOLLOWED,
    HEAD_BYTES,
    HEADS,
    ID3,
    MPEG_FRAME,
    OGG,
    RIFF,
    Head,
)  # fmt: skip

FIRST_CHUNK_BYTES, CHUNK_BYTES = 1 << 14, 1 << 22  # parts may be short, or hours long
CIRCLES = 1000
"""Times over which a part may be read: a damaged table of contents can lead in circles."""

LEAST_READ_BYTES = 1024  # what a read counts for at least, so that empty ones end too

ID3_BYTES = 10
RIFF_BYTES = 8  # before what the size in the header counts
RIFF_SLACK_BYTES = 1024  # some writers count a little wrong
LARGEST_RIFF_BYTES = 0x7FF0_0000
"""Beyond, a size is what programs write into a pipe, not knowing the length."""

LARGEST_PAGE_BYTES = 27 + 255 + 255 * 255


class Part(io.RawIOBase):
    """A stretch of a file, to be read as if it were the whole.

    Parameters
    ----------
    file : binary file
        Open for reading; it is moved about in, and stays open.
    start, end : int, 0 <= start <= end [bytes]
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self.start, self.end = start, end
        self.failure: OSError | None = None
        """What kept it from being read to its end."""
        self._file = file
        self._position = 0
        self._budget_bytes = CIRCLES * (self.size + (1 << 16))

    @property
    def size(self) -> int:
        """Number of its bytes."""
        return self.end - self.start

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved about in."""
        return True

    def read(self, n: int = -1) -> bytes:
        """Return up to `n` bytes, all that are left if it is negative; none at the end, or at a failure."""
        left = max(0, self.size - self._position)
        wanted = left if n < 0 else min(n, left)
        self._budget_bytes -= max(wanted, LEAST_READ_BYTES)
        if self._budget_bytes < 0:
            return self._failed(OSError(errno.EIO, "its table of contents leads in circles"))
        try:
            data = self._read(wanted) if wanted else b""
        except OSError as error:
            return self._failed(error)
        self._position += len(data)
        return data

    def _failed(self, error: OSError) -> bytes:
        """Note a failure; for FFmpeg it is the end of the file, for it would print an error and go on."""
        self.failure = self.failure or error
        return b""

    def _read(self, n: int) -> bytes:
        self._file.seek(self.start + self._position)
        return self._file.read(n)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, and return the new place."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position


def parts_of(file: BinaryIO) -> Iterator[Part]:
    """Find the parts of a file; one, if it was not joined.

    Parameters
    ----------
    file : binary file
        Regular, open for reading.

    Yields
    ------
    Part
        In order, together the whole file but for what lies before its first head, and tags behind a part.
        Each is found when it is asked for. What cannot be read belongs to the part before it, whose
        reading tells.
    """
    size = file.seek(0, os.SEEK_END)
    start, head = _first_head(file)
    while start < size:
        end, following = (size, None) if head is None else _end(file, start, head, size)
        if not (head is ID3 and start and _own_bytes(file, start, head) + HEAD_BYTES >= end):
            yield Part(file, start, end)
        start, head = end, following


def riff_bytes(part: Part) -> int | None:
    """Return how long a WAV or AIFF file is by its header.

    Parameters
    ----------
    part : Part
        Moved about in.

    Returns
    -------
    int or None
        None if it is another kind of file, or its header does not tell.
    """
    part.seek(0)
    return _riff_bytes(part.read(HEAD_BYTES))


def cut_riff(head: bytes, size: int) -> str:
    """Say how much of a WAV or AIFF file is there, if its header says that it is longer.

    Parameters
    ----------
    head : bytes
        Its first `HEAD_BYTES`.
    size : int
        How many bytes are there.

    Returns
    -------
    str
        Such as ``300000 of 2646078 bytes are there``; empty if nothing is known to be missing.
    """
    promised = _riff_bytes(head[:HEAD_BYTES])
    short = promised is not None and size + RIFF_SLACK_BYTES < promised
    return f"{size} of {promised} bytes are there" if short else ""


def _riff_bytes(head: bytes) -> int | None:
    if not (RIFF.pattern.match(head) or AIFF.pattern.match(head)) or head[:4] in (b"RF64", b"BW64"):
        return None
    size = int.from_bytes(head[4:8], "big" if head[:4] in (b"FORM", b"RIFX") else "little")
    return size + RIFF_BYTES if HEAD_BYTES < size < LARGEST_RIFF_BYTES else None


def behind_id3(file: BinaryIO | Part) -> int:
    """Return where an ID3 tag at the beginning of a file ends; 0 if there is none.

    Parameters
    ----------
    file : binary file or Part
        Moved about in.
    """
    file.seek(0)
    tag = file.read(ID3_BYTES)
    if len(tag) < ID3_BYTES or tag[:3] != b"ID3":
        return 0
    sizes = zip(tag[6:], (21, 14, 7, 0), strict=True)
    return ID3_BYTES + sum((byte & 0x7F) << shift for byte, shift in sizes)


def is_mpeg_audio(file: BinaryIO) -> bool:
    """Say whether a file begins as MP3 or ADTS, or with their tag.

    Parameters
    ----------
    file : binary file
        Moved about in.
    """
    behind = behind_id3(file)
    file.seek(behind)
    return behind > 0 or MPEG_FRAME.match(file.read(HEAD_BYTES)) is not None


def _first_head(file: BinaryIO) -> tuple[int, Head | None]:
    """Return where the first part begins and its kind of head, if it is one of those known here."""
    behind = behind_id3(file)
    file.seek(behind)
    data = file.read(FIRST_CHUNK_BYTES)
    if (behind and MPEG_FRAME.match(data)) or any(_find(head, data, 0, 1) == 0 for head in BARE_MP3):
        return 0, ID3
    found = [(head, _find(head, data, 0, len(data))) for head in HEADS]
    head, at = min(found, key=lambda one: len(data) if one[1] is None else one[1])
    if at is None:
        return 0, ID3 if behind or MPEG_FRAME.match(data) else None
    return (behind + at if at else 0), head


def _find(head: Head, data: bytes, start: int, end: int) -> int | None:
    """Return where a head begins in some bytes, at `start` or later and before `end`."""
    at = data.find(head.literal, start + head.before)
    while 0 <= at < end + head.before:
        if head.pattern.match(data, at - head.before):
            return at - head.before
        at = data.find(head.literal, at + 1)
    return None


def _end(file: BinaryIO, start: int, head: Head, size: int) -> tuple[int, Head | None]:
    """Return where a part ends, and which head is there: None at the end of the file."""
    try:
        if head in (RIFF, AIFF) and riff_bytes(Part(file, start, size)) is not None:
            followed = ALL
        else:
            followed = FOLLOWED.get(head, (head,))
        return _next(file, followed, _own_bytes(file, start, head), size)
    except OSError:
        return size, None


def _own_bytes(file: BinaryIO, start: int, head: Head) -> int:
    """Return the place from which on another part may begin."""
    if head is ID3:
        return start + behind_id3(Part(file, start, file.seek(0, os.SEEK_END)))
    if head is OGG:
        return _behind_first_pages(file, start)
    if head is FLAC:
        return _behind_metadata(file, start)
    if head in (RIFF, AIFF):
        told = riff_bytes(Part(file, start, file.seek(0, os.SEEK_END)))
        if told is not None:
            return start + told
    return start + len(head.literal) + head.before


def _behind_first_pages(file: BinaryIO, start: int) -> int:
    """Return where the pages end that open the streams of an Ogg file, which may be several at once."""
    place = start
    while True:
        file.seek(place)
        data = file.read(LARGEST_PAGE_BYTES)
        if not OGG.pattern.match(data) or len(data) < 27:
            return max(place, start + 1)
        lacing = data[27 : 27 + data[26]]
        place += 27 + len(lacing) + sum(lacing)


def _behind_metadata(file: BinaryIO, start: int) -> int:
    """Return where the metadata of a FLAC file ends, which may hold pictures and heads of other files."""
    place, last = start + 4, False
    while not last:
        file.seek(place)
        block = file.read(4)
        if len(block) < 4 or (block[0] == 0 and place > start + 4):
            return start + 4  # damaged
        place, last = place + 4 + int.from_bytes(block[1:], "big"), block[0] >= 0x80
    file.seek(place)
    return place if FLAC_FRAME.match(file.read(2)) else start + 4


def _next(file: BinaryIO, heads: tuple[Head, ...], start: int, size: int) -> tuple[int, Head | None]:
    """Return where the next of some heads begins and which it is; the end of the file if there is none."""
    place, chunk = start, FIRST_CHUNK_BYTES
    while place < size:
        file.seek(place)
        data = file.read(chunk + HEAD_BYTES)
        found = [(at, n) for n, head in enumerate(heads) if (at := _find(head, data, 0, chunk)) is not None]
        if found:
            at, n = min(found)
            return place + at, ID3 if heads[n] in BARE_MP3 else heads[n]
        place, chunk = place + chunk, min(2 * chunk, CHUNK_BYTES)
    return size, None
