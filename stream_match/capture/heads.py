"""How files of audio begin, format by format: what is looked for where files were joined."""

import re
from dataclasses import dataclass

HEAD_BYTES = 64  # as far as a pattern looks


@dataclass(frozen=True)
class Head:
    """How a file of some format begins.

    Parameters
    ----------
    literal : bytes
        What is searched for.
    before : int, >= 0
        Bytes of the head before `literal`.
    pattern : re.Pattern
        What the head has to match. It holds enough fixed bits that chance does not.
    """

    literal: bytes
    before: int
    pattern: re.Pattern[bytes]


def _head(literal: bytes, pattern: bytes, before: int = 0) -> Head:
    return Head(literal, before, re.compile(pattern, re.DOTALL))


RIFF = _head(b"WAVE", rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE[A-Za-z0-9]{3}[A-Za-z0-9 ]", 8)
FLAC = _head(b"fLaC", rb"fLaC[\x00\x80]\0\0\x22")
AIFF = _head(b"AIF", rb"FORM.{4}AIF[FC][A-Z]{3}[A-Z ]", 8)
ID3 = _head(b"ID3", rb"ID3[\x02-\x04]\0[\0\x10-\xf0][\0-\x7f]{4}")
OGG = _head(b"OggS\0", rb"OggS\0[\x02\x06]\0{8}")
FLAC_FRAME = re.compile(rb"\xff[\xf8-\xfb]")
MPEG_FRAME = re.compile(rb"\xff[\xe0-\xff]")  # MP3 or ADTS
HEADS = (
    RIFF,
    AIFF,
    OGG,
    FLAC,
    _head(b"ftyp", rb"\0\0\0.ftyp[ -~]{4}", 4),
    _head(b"\x1aE\xdf\xa3", rb"\x1aE\xdf\xa3.{1,48}?\x42\x82[\x80-\x88](?:matroska|webm)"),
    _head(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", rb".{8}\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),  # ASF
    _head(b".snd\0\0", rb"\.snd\0\0.{6}\0\0\0[\x01-\x1b]"),
    _head(b"caff\0", rb"caff\0[\x01\x02].{2}desc\0{7}"),
    _head(b"riff\x2e\x91\xcf\x11", rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"),  # W64
)
BARE_MP3 = tuple(
    _head(literal, rb"\xff[\xe2-\xff].{%d}%b\0\0\0" % (before - 2, literal), before)
    for literal in (b"Xing", b"Info")
    for before in (36, 21, 13)  # MPEG 1 and 2, stereo and mono
)
"""MP3 without a tag, but with the frame that counts the others."""

ALL = (*HEADS, ID3, *BARE_MP3)
FOLLOWED = {ID3: (*HEADS, ID3), FLAC: ALL, OGG: ALL}
"""Heads that may follow a part of each kind. What may hold other files is followed by its own kind only, but
for `RIFF` and `AIFF` that say where they end."""
