"""The one place where FFmpeg (PyAV) opens media, and what it may open.

A container can name other files and addresses: playlists, references, lists of parts. What is sent to us
must not reach further than the bytes that were sent. Hence three ways in, each with its lists:

- `open_bytes`: a file that we opened ourselves, or the body of a response. FFmpeg may use no protocol at all.
- `open_playlist`: a playlist of HLS. FFmpeg says which addresses it wants, and our own client fetches them.
- `open_rtsp`: an address of RTSP. FFmpeg may use the protocols of RTSP, never a local file.

All read only the formats named here, with FFmpeg's decoders of audio. Lists of parts (``concat``), of
images, devices and the like are not among them.
"""

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from stream_match.errors import SourceError, install_command

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import InputContainer

FORMATS = (
    "aac", "ac3", "aea", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dsf",
    "dts", "dtshd", "eac3", "flac", "flv", "iff", "ircam", "latm", "lc3", "loas", "matroska", "mlp",
    "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf", "nistsphere", "nut", "ogg", "oma", "osq",
    "paf", "pvf", "qcp", "qoa", "rm", "rso", "shn", "sox", "tak", "truehd", "tta", "voc", "w64", "wav",
    "wtv", "wv", "xwma",
)  # fmt: skip
"""Demuxers that hold audio and name no other file."""

ADDRESSES = ("http", "https", "tcp", "tls", "crypto")
"""What a playlist of HLS may name; ``crypto`` stands before the address of an encrypted segment. FFmpeg
compares names only: it opens none of them."""

RTSP = ("rtsp", "rtsps", "rtp", "udp", "tcp", "tls")

NO_PROTOCOL = "none"  # an empty list would allow all
BUFFER_BYTES = 1 << 16
"""Read at once from an object. Smaller reads cost more time, larger ones more delay of what is live."""


STATING = (
    "ape", "au", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc8", "ogg", "tak", "tta", "w64", "wv",
)  # fmt: skip
"""Formats that say how long they should be."""


class Readable(Protocol):
    """Bytes to decode. With ``seek`` and ``tell`` too, FFmpeg moves about in them."""

    def read(self, n: int, /) -> bytes:
        """Return up to `n` bytes, none at the end."""


def import_av(shown: str) -> ModuleType:
    """Import PyAV.

    Parameters
    ----------
    shown : str
        What needs it, fit for a message.

    Returns
    -------
    module
        The module ``av``.

    Raises
    ------
    SourceError
        If it is not installed.
    """
    try:
        import av
    except ImportError:
        raise SourceError(
            f"{shown} needs FFmpeg's decoders, which are not installed: {install_command('stream')}"
        ) from None
    return av


def open_bytes(readable: Readable, *, shown: str, buffer_bytes: int = BUFFER_BYTES) -> "InputContainer":
    """Open what an object gives to read: a file, or the body of a response.

    Parameters
    ----------
    readable : Readable
        Stays open. Errors of its methods are raised here, and where the container is read.
    shown : str
        The source as messages name it, without secrets.
    buffer_bytes : int, > 0
        Read ahead of the decoder.

    Returns
    -------
    av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    SourceError
        If FFmpeg is not installed.
    av.error.FFmpegError or OSError
        If there is nothing in it that may be decoded.
    """
    av = import_av(shown)
    options = _options(FORMATS, (NO_PROTOCOL,))
    return _opened(av, readable, options, buffer_size=buffer_bytes)


def open_playlist(
    readable: Readable,
    fetch: Callable[[str, Mapping[str, str]], Readable],
    *,
    shown: str,
    timeouts_s: tuple[float, float],
    options: Mapping[str, str] | None = None,
) -> "InputContainer":
    """Open a playlist of HLS.

    Parameters
    ----------
    readable : Readable
        The playlist; its attribute ``name`` is the address that it came from.
    fetch : callable (str, mapping of str to str) -> Readable
        Given an address that the playlist names and FFmpeg's options for it, what is there. It says what may
        be reached, and must not raise.
    shown : str
        The source as messages name it, without secrets.
    timeouts_s : tuple of float, > 0 [seconds]
        Longest silence while opening, and later.
    options : mapping of str to str, optional
        Further options of FFmpeg; they do not change what may be opened.

    Returns
    -------
    av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    SourceError
        If FFmpeg is not installed.
    av.error.FFmpegError or OSError
        If there is nothing in it that may be decoded.
    """
    av = import_av(shown)
    allowed = {
        **_options((*FORMATS, "hls"), ADDRESSES),
        "http_persistent": "0",  # connections that are kept would be FFmpeg's own
        "extension_picky": "0",  # segments may be called anything
    }
    return _opened(
        av,
        readable,
        {**(options or {}), **allowed},
        format="hls",
        timeout=timeouts_s,
        io_open=lambda address, _flags, given: fetch(address, given),
    )


def open_rtsp(
    address: str,
    *,
    shown: str,
    timeouts_s: tuple[float, float],
    options: Mapping[str, str] | None = None,
) -> "InputContainer":
    """Open an address of RTSP.

    Parameters
    ----------
    address : str
        ``rtsp://`` or ``rtsps://``.
    shown : str
        The source as messages name it, without secrets.
    timeouts_s : tuple of float, > 0 [seconds]
        Longest silence while opening, and later.
    options : mapping of str to str, optional
        Further options of FFmpeg; they do not change what may be opened.

    Returns
    -------
    av.container.InputContainer
        To be closed by the caller.

    Raises
    ------
    SourceError
        If FFmpeg is not installed, or the address is of another kind.
    av.error.FFmpegError or OSError
        If it cannot be opened, or there is nothing in it that may be decoded.
    """
    av = import_av(shown)
    if urlsplit(address).scheme.lower() not in ("rtsp", "rtsps"):
        raise SourceError(f"{shown} is no address that FFmpeg opens; expected rtsp(s)://")
    allowed = _options(("rtsp", "rtp"), RTSP)
    return _opened(av, address, {**(options or {}), **allowed}, timeout=timeouts_s)


def default_audio(container: "InputContainer", shown: str) -> "AudioStream":
    """Choose the audio to decode: what is marked as default, or else the first.

    Parameters
    ----------
    container : av.container.InputContainer
    shown : str
        The source as messages name it, without secrets.

    Raises
    ------
    SourceError
        If there is none.
    """
    streams = container.streams.audio
    if not streams:
        raise SourceError(f"{shown} holds no audio")
    default = type(streams[0].disposition).default
    stream = next((one for one in streams if default in one.disposition), streams[0])
    if stream.codec_context is not None and stream.codec_context.name == "flac":
        # Without it a damaged frame is decoded into noise. Others check, or have nothing to check.
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    return stream


def stated_s(container: "InputContainer", stream: "AudioStream") -> float | None:
    """Return how long the audio of a container is by what the container states.

    Parameters
    ----------
    container : av.container.InputContainer
    stream : av.AudioStream
        One of its own.

    Returns
    -------
    float or None [seconds]
        None where FFmpeg concludes it from what is there.
    """
    if stream.duration is None or stream.time_base is None or container.format.name not in STATING:
        return None
    return float(stream.duration * stream.time_base)


def _options(formats: tuple[str, ...], protocols: tuple[str, ...]) -> dict[str, str]:
    return {
        "format_whitelist": ",".join(formats),
        "protocol_whitelist": ",".join(protocols),
        "codec_whitelist": _audio_decoders(),
    }


@functools.cache
def _audio_decoders() -> str:
    """Return the names of FFmpeg's decoders of audio: a picture or a film beside it is not looked at."""
    import av

    names = []
    for name in sorted(av.codecs_available):
        try:
            kind = av.codec.Codec(name, "r").type
        except ValueError:  # an encoder only
            continue
        names += [name] if kind == "audio" else []
    return ",".join(names)


def _opened(av: ModuleType, target: Any, options: dict[str, str], **how: Any) -> "InputContainer":
    # Tags in another charset than UTF-8 keep their bytes; `tags.decoded` makes text of them.
    container: InputContainer = av.open(
        target, "r", options=options, metadata_errors="surrogateescape", **how
    )
    return container
