"""What files and streams say of themselves: title, artist, album, whatever their charset."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stream_match.capture.charset import decode_text
from stream_match.capture.media import import_av, open_bytes
from stream_match.capture.sndfile import open_sndfile
from stream_match.errors import SourceError

TAGS = ("title", "artist", "album")
MAX_LETTERS = 500  # of one tag

ID3 = ("mp3", "aac", "aiff", "tta")
"""FFmpeg's names of formats with ID3 tags. Those say of their texts that they are Latin-1, and often they are
not: the texts are looked at again."""

_OF_LIBSNDFILE = {"title": 0x01, "artist": 0x04, "album": 0x07}


def tags(path: str | Path) -> dict[str, str]:
    """Read what a file says of itself.

    Parameters
    ----------
    path : str or Path
        Any path.

    Returns
    -------
    dict of str to str
        Those of ``title``, ``artist`` and ``album`` that the file has; empty if it cannot be read.
    """
    path = Path(path)
    found: dict[str, str] = {}
    with suppress(OSError, ValueError):  # ValueError: a zero byte in the path
        if path.is_file():
            found = _by_ffmpeg(path)
            if "title" not in found:
                found = _by_libsndfile(path) | found
    return found


def tags_of(container: Any, charset: str | None = None) -> dict[str, str]:
    """Read what an opened container says of itself.

    Parameters
    ----------
    container : av.container.InputContainer
        Opened by `media`, which keeps bytes that are not UTF-8.
    charset : str, optional
        Of texts that are not UTF-8; a guess if absent.

    Returns
    -------
    dict of str to str
        As `tags`.
    """
    # Ogg keeps its tags with the stream, everything else with the container.
    streams = container.streams.audio
    metadata = (dict(streams[0].metadata) if streams else {}) | dict(container.metadata)
    raw = {key: text.encode("utf-8", "surrogateescape") for key, text in metadata.items()}
    if container.format.name in ID3:
        raw = {key: _as_it_was(data) for key, data in raw.items()}
    return _kept(raw, charset)


def _as_it_was(data: bytes) -> bytes:
    """Undo that FFmpeg took a text for Latin-1."""
    try:
        return data.decode("utf-8").encode("latin-1")
    except UnicodeError:
        return data


def _kept(raw: Mapping[str, bytes], charset: str | None = None) -> dict[str, str]:
    texts = {key.lower(): decode_text(data, charset).strip()[:MAX_LETTERS] for key, data in raw.items()}
    return {key: texts[key] for key in TAGS if texts.get(key)}


def _by_ffmpeg(path: Path) -> dict[str, str]:
    """Read tags with FFmpeg; none if it is not installed or cannot read the file."""
    shown = repr(str(path))
    try:
        av = import_av(shown)
    except SourceError:
        return {}
    try:
        with path.open("rb") as handle, open_bytes(handle, shown=shown) as container:
            return tags_of(container)
    except av.error.FFmpegError:
        return {}


def _by_libsndfile(path: Path) -> dict[str, str]:
    """Read tags with libsndfile; none if it cannot read the file."""
    import soundfile

    handle = open_sndfile(path)
    if handle is None:
        return {}
    with handle:
        return _kept({tag: _bytes_of(soundfile, handle, number) for tag, number in _OF_LIBSNDFILE.items()})


def _bytes_of(soundfile: Any, handle: Any, number: int) -> bytes:
    """Ask libsndfile itself: soundfile replaces what is not UTF-8."""
    text = soundfile._snd.sf_get_string(handle._file, number)
    return bytes(soundfile._ffi.string(text)) if text else b""
