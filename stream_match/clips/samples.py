"""Samples of 16 bits: made of what is heard, and read from files."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.errors import UsageError

Float32 = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]

LONGEST_READ_S = 3600.0
"""Longest stretch of a file that is read into memory [seconds]: 159 MB."""

_FULL_SCALE = 32_768


def sixteen_bits(y: Float32) -> Int16:
    """Return samples as 16-bit numbers; what is beyond full scale is clipped, what is no number is silence.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Full scale 1.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int16]
    """
    scaled: Float32 = np.rint(np.nan_to_num(y) * np.float32(_FULL_SCALE))
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def read_stretch(path: Path, start_s: float = 0.0, end_s: float | None = None) -> Int16:
    """Read a stretch of an audio file; no more than that is held in memory.

    Parameters
    ----------
    path : Path
    start_s, end_s : float [seconds]
        None for the end of the file.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int16]
        Mono, at `SAMPLE_RATE_HZ`.

    Raises
    ------
    UsageError
        If the file ends before the stretch does, or the stretch is longer than `LONGEST_READ_S`.
    SourceError
        If the file cannot be read.
    """
    wanted_s = math.inf if end_s is None else end_s
    if not 0 <= start_s < wanted_s:
        raise UsageError(f"A stretch from {start_s:g} s to {wanted_s:g} s is none: it ends after it begins.")
    if end_s is not None and end_s - start_s > LONGEST_READ_S:
        raise UsageError(_too_long(path))
    first = round(start_s * SAMPLE_RATE_HZ)
    last = None if end_s is None else round(end_s * SAMPLE_RATE_HZ)
    taken, heard = [np.empty(0, np.int16)], 0
    for y in read_blocks(path):
        taken.append(sixteen_bits(y[max(0, first - heard) : None if last is None else last - heard]))
        heard += y.size
        if last is not None and heard >= last:
            break
        if heard - first > LONGEST_READ_S * SAMPLE_RATE_HZ:
            raise UsageError(_too_long(path))
    if heard < max(first + 1, last or 0):
        raise UsageError(
            f"{str(path)!r} is {heard / SAMPLE_RATE_HZ:.2f} s long: it has no stretch from {start_s:g} s"
            + ("." if end_s is None else f" to {end_s:g} s.")
        )
    return np.concatenate(taken)


def _too_long(path: Path) -> str:
    return f"A stretch of {LONGEST_READ_S:.0f} s at most can be taken from {str(path)!r}: say which."
