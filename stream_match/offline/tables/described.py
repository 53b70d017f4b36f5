"""One audio file described: its rows of a table into a file of their own."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.file import read_blocks
from stream_match.catalog.find import FoundTrack
from stream_match.catalog.read import Unread, partial_file
from stream_match.descriptors.sets import SAMPLE_RATE_HZ, VERSION, DescriptorSet, set_named
from stream_match.errors import SourceError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """What is asked for of each file.

    Parameters
    ----------
    name : str
        Of the set.
    window_samples : int or None
        Length of what a row describes; None for the whole file.
    """

    name: str
    window_samples: int | None

    @property
    def descriptors(self) -> DescriptorSet:
        """The set of this name."""
        return set_named(self.name)


@dataclass(frozen=True)
class Described:
    """A file that has been described.

    Parameters
    ----------
    rows : Path
        Bare float64 values, row after row.
    seconds : float
        Length of what could be decoded.
    """

    rows: Path
    seconds: float


def rows_name(track: FoundTrack, recipe: Recipe, made_with: str) -> str:
    """Return a name for the rows of a file: another one once anything that they depend on has changed.

    Parameters
    ----------
    track : FoundTrack
    recipe : Recipe
    made_with : str
        Version of a library on which the values depend.

    Raises
    ------
    OSError
        If the file is not there.
    """
    status = track.path.stat()
    # The id as well: one file may be several tracks, by links.
    which = [track.id, str(track.path.resolve()), status.st_size, status.st_mtime_ns]
    content = json.dumps([*which, recipe.name, recipe.window_samples, VERSION, made_with]).encode()
    return f"{hashlib.sha256(content).hexdigest()[:32]}.rows"


def describe_file(path: Path, rows: Path, recipe: Recipe) -> Described | Unread:
    """Describe a file, in memory for one window.

    Parameters
    ----------
    path : Path
        The audio file.
    rows : Path
        Where the rows go; while they are being made, it has the suffix ``.part``.
    recipe : Recipe

    Returns
    -------
    Described or Unread
        Unread if it cannot be decoded, or is shorter or longer than what can be described.

    Raises
    ------
    OSError
        If the rows cannot be written.
    """
    part = partial_file(rows)
    heard = _Heard(path, recipe)
    try:
        with part.open("wb") as handle:
            for values in heard.rows():
                handle.write(values.tobytes())
    except SourceError as error:
        part.unlink(missing_ok=True)
        return Unread(str(error))
    if not part.stat().st_size:
        part.unlink()
        return Unread(heard.too_short())
    part.rename(rows)
    return Described(rows, heard.samples / SAMPLE_RATE_HZ)


def describe_whole(path: Path, name: str) -> Float64:
    """Return the description of a file.

    Parameters
    ----------
    path : Path
        The audio file.
    name : str
        Of the set.

    Returns
    -------
    np.ndarray [shape=(d,), dtype=float64]

    Raises
    ------
    SourceError
        If it cannot be decoded, or is shorter or longer than what can be described.
    """
    heard = _Heard(path, Recipe(name, None), advice="give an excerpt")
    for values in heard.rows():
        return values
    raise SourceError(f"{heard.too_short()}; give a longer file.")


def describe_windows(path: Path, name: str, window_s: float | None) -> Float64:
    """Return the descriptions of the windows of a file.

    Parameters
    ----------
    path : Path
        The audio file.
    name : str
        Of the set.
    window_s : float or None
        Length of a window [seconds]; None for one description of the whole file.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float64]
        At least one row. What is left behind the last whole window is dropped.

    Raises
    ------
    SourceError
        If it cannot be decoded, or is shorter than a window, or than what can be described.
    """
    if window_s is None:
        return describe_whole(path, name)[np.newaxis]
    heard = _Heard(path, Recipe(name, round(window_s * SAMPLE_RATE_HZ)))
    rows = list(heard.rows())
    if not rows:
        raise SourceError(f"{heard.too_short()}; give a longer file.")
    return np.stack(rows)


class _Heard:
    """The audio of a file, counted while it is described."""

    def __init__(self, path: Path, recipe: Recipe, *, advice: str = "give --window 30") -> None:
        self._path, self._recipe, self._advice = path, recipe, advice
        self.samples = 0

    def rows(self) -> Iterator[Float64]:
        """Yield the rows of the file; none if it is too short."""
        descriptors, window = self._recipe.descriptors, self._recipe.window_samples
        pieces: Iterable[Iterable[Float32]] = [self._blocks()]
        if window is not None:
            pieces = ([y] for y in _windows(self._blocks(), window))
        for piece in pieces:
            try:
                values = descriptors.describe(piece)
            except SourceError:
                raise
            except Exception as error:  # of whatever computes them: one odd file must not end a table
                if self.samples < descriptors.shortest_samples:
                    return
                raise SourceError(
                    f"{str(self._path)!r} cannot be described ({type(error).__name__})"
                ) from error
            if not np.all(np.isfinite(values)):
                raise SourceError(f"{str(self._path)!r} has values of {descriptors.name} that are not finite")
            yield values

    def _blocks(self) -> Iterator[Float32]:
        longest = None if self._recipe.window_samples else self._recipe.descriptors.longest_samples
        for y in _read(self._path):
            self.samples += len(y)
            if longest is not None and self.samples > longest:
                raise SourceError(
                    f"{str(self._path)!r} is longer than {longest / SAMPLE_RATE_HZ / 60:g} min, the most "
                    f"that {self._recipe.name} describes at once; {self._advice}."
                )
            yield y

    def too_short(self) -> str:
        """Say how long the file is, and how long it must be."""
        window = self._recipe.window_samples
        needed = (window or self._recipe.descriptors.shortest_samples) / SAMPLE_RATE_HZ
        what = "a window" if window else self._recipe.name
        return (
            f"{str(self._path)!r} has {self.samples / SAMPLE_RATE_HZ:.1f} s, but {what} needs {needed:.1f} s"
        )


def _read(path: Path) -> Iterator[Float32]:
    """Yield the audio of a file, and make a `SourceError` of whatever reading it raises."""
    try:
        yield from read_blocks(path)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{str(path)!r} cannot be read ({type(error).__name__})") from error


def _windows(blocks: Iterable[Float32], length: int) -> Iterator[Float32]:
    """Yield audio in pieces of one length; what is left is dropped."""
    held: list[Float32] = []
    count = 0
    for y in blocks:
        held.append(y)
        count += len(y)
        if count >= length:
            joined = np.concatenate(held)
            for first in range(0, count - length + 1, length):
                yield joined[first : first + length]
            held = [joined[count - count % length :]]
            count %= length
