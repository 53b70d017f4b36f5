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
from stream_match.catalog.read import Unread, partial_file, sha256_of
from stream_match.descriptors.sets import SAMPLE_RATE_HZ, VERSION, DescriptorSet, describe_by_all, set_named
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
    status = track.local.stat()
    # The id as well: one file may be several tracks, by links.
    which = [track.id, str(track.local.resolve()), status.st_size, status.st_mtime_ns]
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
    heard = _Heard(path, recipe.descriptors, recipe.window_samples)
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


def describe_whole(path: Path, descriptors: DescriptorSet) -> Float64:
    """Return the description of a file.

    Parameters
    ----------
    path : Path
        The audio file.
    descriptors : DescriptorSet

    Returns
    -------
    np.ndarray [shape=(d,), dtype=float64]

    Raises
    ------
    SourceError
        If it cannot be decoded, or is shorter or longer than what can be described.
    """
    heard = _Heard(path, descriptors, None, advice="give an excerpt")
    for values in heard.rows():
        return values
    raise SourceError(f"{heard.too_short()}; give a longer file.")


def describe_windows(path: Path, descriptors: DescriptorSet, window_s: float | None) -> Float64:
    """Return the descriptions of the windows of a file.

    Parameters
    ----------
    path : Path
        The audio file.
    descriptors : DescriptorSet
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
        return describe_whole(path, descriptors)[np.newaxis]
    heard = _Heard(path, descriptors, round(window_s * SAMPLE_RATE_HZ))
    rows = list(heard.rows())
    if not rows:
        raise SourceError(f"{heard.too_short()}; give a longer file.")
    return np.stack(rows)


def track_rows_name(sha256: str, librosa: str) -> str:
    """Return a name for the rows of an audio file by all sets: the file's hash, and what they are made with.

    Parameters
    ----------
    sha256 : str
        Of the file, in hexadecimal.
    librosa : str
        Its version.
    """
    return f"{sha256}.{VERSION}-{librosa}.rows"


def describe_track(path: Path, rows: Path, _: None) -> Described | Unread:
    """Describe a track of an index by all sets, hearing it once.

    Parameters
    ----------
    path : Path
        The audio file.
    rows : Path
        As `describe_file`, but the values are float32, set after set. Those of a set that does not take a
        track of this length are NaN. Its name is of `track_rows_name`.

    Returns
    -------
    Described or Unread
        Unread if the file has another hash, or cannot be decoded or described.

    Raises
    ------
    OSError
        If the rows cannot be written.
    """
    part = partial_file(rows)
    part.touch()
    try:
        _require_hash(path, rows.name.partition(".")[0])
        values, samples = by_all_sets(path)
    except SourceError as error:
        part.unlink()
        return Unread(str(error))
    part.write_bytes(values.tobytes())
    part.rename(rows)
    return Described(rows, samples / SAMPLE_RATE_HZ)


def _require_hash(path: Path, expected: str) -> None:
    if sha256_of(path) != expected:
        raise SourceError(
            f"{str(path)!r} is not what the index was made of: run stream-match index update first"
        )


def by_all_sets(path: Path) -> tuple[Float32, int]:
    """Return the values of all sets of a file, and how many samples it has.

    Parameters
    ----------
    path : Path
        The audio file.

    Returns
    -------
    values : np.ndarray [shape=(1665,), dtype=float32]
        Set after set, in the order of `SETS`; NaN for a set that does not take a file of this length.
    n_samples : int

    Raises
    ------
    SourceError
        If it cannot be decoded or described, or a value is beyond float32.
    """
    samples = 0

    def counted() -> Iterator[Float32]:
        nonlocal samples
        for y in _read(path):
            samples += len(y)
            yield y

    try:
        found = describe_by_all(counted())
    except SourceError:
        raise
    except Exception as error:  # of whatever computes them: one odd file must not end the others
        raise SourceError(f"{str(path)!r} cannot be described ({type(error).__name__})") from error
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        values = {name: row.astype(np.float32) for name, row in found.items()}
    for name, row in values.items():
        if not (np.isfinite(row).all() or np.isnan(found[name]).all()):
            raise SourceError(f"{str(path)!r} has values of {name} that are not finite")
    return np.concatenate(list(values.values())), samples


class _Heard:
    """The audio of a file, counted while it is described."""

    def __init__(
        self, path: Path, descriptors: DescriptorSet, window: int | None, *, advice: str = "give --window 30"
    ) -> None:
        self._path, self._descriptors, self._window, self._advice = path, descriptors, window, advice
        self.samples = 0

    def rows(self) -> Iterator[Float64]:
        """Yield the rows of the file; none if it is too short."""
        descriptors, window = self._descriptors, self._window
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
        longest = None if self._window else self._descriptors.longest_samples
        for y in _read(self._path):
            self.samples += len(y)
            if longest is not None and self.samples > longest:
                raise SourceError(
                    f"{str(self._path)!r} is longer than {longest / SAMPLE_RATE_HZ / 60:g} min, the most "
                    f"that {self._descriptors.name} describes at once; {self._advice}."
                )
            yield y

    def too_short(self) -> str:
        """Say how long the file is, and how long it must be."""
        needed = (self._window or self._descriptors.shortest_samples) / SAMPLE_RATE_HZ
        what = "a window" if self._window else self._descriptors.name
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
