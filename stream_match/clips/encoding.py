"""Samples as the bytes of a file."""

import io
from typing import Literal

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.clips.samples import Int16, sixteen_bits
from stream_match.errors import UsageError

Format = Literal["flac", "opus"]

OPUS_RATE_HZ = 24_000
"""Opus knows few rates; this is the next one above `SAMPLE_RATE_HZ`."""

_TAG_LETTERS = 500

_CONTAINERS = {"flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}


def check_format(format_: Format) -> None:
    """Refuse a format that cannot be written here.

    Raises
    ------
    UsageError
        If libsndfile does not write it.
    """
    import soundfile

    container, subtype = _CONTAINERS[format_]
    if subtype not in soundfile.available_subtypes(container):
        raise UsageError(
            f"Clips cannot be written as {format_}: libsndfile {soundfile.__libsndfile_version__} does not "
            'write it; take format = "flac", or a newer libsndfile.'
        )


def encoded(
    y: Int16,
    format_: Format,
    *,
    title: str | None = None,
    artist: str | None = None,
    comment: str | None = None,
) -> bytes:
    """Return samples as a file.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=int16]
        Mono, at `SAMPLE_RATE_HZ`.
    format_ : str
        ``flac``: exact, at `SAMPLE_RATE_HZ`. ``opus``: at `OPUS_RATE_HZ`, by soxr.
    title, artist, comment : str, optional
        Tags.
    """
    import soundfile

    container, subtype = _CONTAINERS[format_]
    samples, rate = (_at_opus_rate(y), OPUS_RATE_HZ) if format_ == "opus" else (y, SAMPLE_RATE_HZ)
    # In memory: libsndfile tells a disk that is full only as an error of its own.
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, format=container, subtype=subtype) as handle:
        for tag, text in (("title", title), ("artist", artist), ("comment", comment)):
            if told := _tag(text):
                setattr(handle, tag, told)
        handle.write(samples)
    return file.getvalue()


def _tag(text: str | None) -> str:
    """Return a text as libsndfile takes it: UTF-8 that does not end early."""
    return (text or "").replace("\0", " ").strip()[:_TAG_LETTERS].encode("utf-8", "replace").decode()


def _at_opus_rate(y: Int16) -> Int16:
    import soxr

    return sixteen_bits(soxr.resample(y.astype(np.float32) / 32_768, SAMPLE_RATE_HZ, OPUS_RATE_HZ))
