"""The one place where FFmpeg (PyAV) opens media, and what it may open.

A container can name other files and addresses: playlists, references, lists of parts. What is sent to us
must not reach further than the bytes that were sent. Hence two ways in, each with its lists:

- `open_bytes`: a file that we opened ourselves, or the body of a response. FFmpeg may use no protocol at all.
- `open_address`: an address. FFmpeg may use the protocols of the network, never a local file.

Both read only the formats named here, with FFmpeg's decoders of audio. Lists of parts (``concat``), of
images, devices and the like are not among them; the playlists of HLS are followed from an address only.
"""

import functools
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from stream_match.errors import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer

FORMATS = (
    "aac", "ac3", "aea", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dsf",
    "dts", "dtshd", "eac3", "flac", "flv", "iff", "ircam", "latm", "lc3", "loas", "matroska", "mlp",
    "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf", "nistsphere", "nut", "ogg", "oma", "osq",
    "paf", "pvf", "qcp", "qoa", "rm", "rso", "shn", "sox", "tak", "truehd", "tta", "voc", "w64", "wav",
    "wtv", "wv", "xwma",
)  # fmt: skip
"""Demuxers that hold audio and name no other file."""

PLAYLISTS = ("hls",)
"""Those that name other addresses, which the protocols bound."""

WEB = ("http", "https", "httpproxy", "tcp", "tls", "crypto")
"""Protocols from an address of the web; ``crypto`` is that of encrypted HLS, over one of the others."""

RTSP = ("rtsp", "rtsps", "rtp", "udp", "tcp", "tls")

NO_PROTOCOL = "none"  # an empty list would allow all
BUFFER_BYTES = 1 << 16
"""Read at once from an object. Smaller reads cost more time, larger ones more delay of what is live."""


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
            f"{shown} needs FFmpeg's decoders, which are not installed: pip install av"
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


def open_address(
    address: str,
    *,
    shown: str,
    timeouts_s: tuple[float, float],
    options: Mapping[str, str] | None = None,
) -> "InputContainer":
    """Open an address of the network.

    Parameters
    ----------
    address : str
        ``http://``, ``https://``, ``rtsp://`` or ``rtsps://``.
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
    allowed = _options(*_reach(address, shown))
    return _opened(av, address, {**(options or {}), **allowed}, timeout=timeouts_s)


def _reach(address: str, shown: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the formats and protocols that an address may lead to."""
    scheme = urlsplit(address).scheme.lower()
    if scheme in ("http", "https"):
        return (*FORMATS, *PLAYLISTS), WEB
    if scheme in ("rtsp", "rtsps"):
        return ("rtsp", "rtp"), RTSP
    raise SourceError(f"{shown} is no address that is read; expected http(s):// or rtsp(s)://")


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
    container: InputContainer = av.open(target, "r", options=options, metadata_errors="replace", **how)
    return container
