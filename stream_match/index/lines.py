"""Verification: bit agreement along a line through query and reference."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.index.spans import Spans
from stream_match.index.tracks import Tracks

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Rows = Int64 | slice

LIKENESS_S = 29.7
"""Length over which two stretches of reference are compared."""

_LIKENESS_OFFSETS = np.arange(-0.75, 1, 0.25, dtype=np.float32)

_FRAMES_BESIDE = np.arange(-2, 3, dtype=np.float32)

_PLACES_APART = 0.25
_PLACES = 12
"""A track is looked through in steps of 46 ms, a quarter of a position by default, and the best places once
more."""

_LOOKED_THROUGH_S = 3600.0
_LONG_TRACK_S = 4.5
_LIKELY = 96
"""A track longer than an hour is first looked through in whole positions, with the newest 4.5 s; then about
the places that agree best. In a track of ten hours this takes 30 ms."""


@dataclass(frozen=True)
class Lines:
    """Lines through the plane of query time and reference position.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
        A line counts only where it runs inside its track.
    head : np.ndarray [shape=(n,), dtype=float64]
        Position in the track at the newest query frame. There is a query code for every frame, a reference
        code for every position only: a line is read at the query frames that meet positions.
    speed : np.ndarray [shape=(n,), dtype=float32]
        Reference positions per query position; negative for decoys, which run backwards.
    shift : np.ndarray [shape=(n,), dtype=int64]
        Number of the shift at which the query is taken.
    """

    track: Int64
    head: npt.NDArray[np.float64]
    speed: Float32
    shift: Int64

    @classmethod
    def single(cls, track: int, head: float, speed: float, shift: int) -> "Lines":
        """Return one line."""
        return cls(
            np.array([track]), np.array([head], np.float64), np.array([speed], np.float32), np.array([shift])
        )

    def __getitem__(self, rows: Int64) -> "Lines":
        """Return some of the lines."""
        return Lines(self.track[rows], self.head[rows], self.speed[rows], self.shift[rows])

    def followed_by(self, others: "Lines") -> "Lines":
        """Return these lines and then others."""
        return Lines(
            np.concatenate([self.track, others.track]),
            np.concatenate([self.head, others.head]),
            np.concatenate([self.speed, others.speed]),
            np.concatenate([self.shift, others.shift]),
        )

    def at(self, heads: npt.NDArray[np.float64]) -> "Lines":
        """Return copies of a single line with other heads."""
        each = len(heads)
        return Lines(
            np.repeat(self.track, each), heads, np.repeat(self.speed, each), np.repeat(self.shift, each)
        )

    def unshifted(self) -> "Lines":
        """Return the same lines for a query that is a stretch of reference."""
        return replace(self, shift=np.zeros_like(self.shift))

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.track)

    def fan(self, offsets: Float32, speeds: Float32) -> "Lines":
        """Return every line moved by each offset and turned to each speed, in that order of nesting.

        Parameters
        ----------
        offsets : np.ndarray [shape=(n_offsets,), dtype=float32]
            Added to the head.
        speeds : np.ndarray [shape=(n_speeds,), dtype=float32]
            Factors on the speed.

        Returns
        -------
        Lines
            Of length ``n * n_offsets * n_speeds``.
        """
        each = len(offsets) * len(speeds)
        return Lines(
            np.repeat(self.track, each),
            (self.head[:, None, None] + offsets[:, None] + np.zeros_like(speeds)).reshape(-1),
            (self.speed[:, None, None] * (speeds + np.zeros_like(offsets)[:, None])).reshape(-1),
            np.repeat(self.shift, each),
        )


class LineReader:
    """Compares stretches of query with a catalogue, along lines.

    Parameters
    ----------
    segments : sequence of np.ndarray [shape=(n_rows, n_words), dtype=uint64]
        Codes of each segment; may be mapped from files.
    tracks : Tracks
    settings : FeatureSettings
    """

    def __init__(self, segments: Sequence[Words], tracks: Tracks, settings: FeatureSettings) -> None:
        from stream_match.index import kernels  # when matching begins, not when this is loaded

        self._kernels = kernels
        self.spans = Spans(settings.code_s)
        self.likeness_positions = self.spans.positions(LIKENESS_S)
        self._segments = segments
        self._tracks = tracks
        self._stride = settings.listening().code_stride_frames

    def prefetch(self, lines: Lines) -> None:
        """Be told of the lines that are read next; codes that are at hand need no fetching."""

    def hold(self, tracks: Iterable[int]) -> None:
        """Be told of tracks that may be read anywhere from now on; they are at hand."""

    def similarity(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return how well query and reference agree at each position back along each line.

        Parameters
        ----------
        query : np.ndarray [shape=(n_shifts, n_frames, n_words), dtype=uint64]
            Query codes at each shift, one frame apart, newest first.
        audible : np.ndarray [shape=(n_frames,) or (n_shifts, n_frames), dtype=bool]
        lines : Lines

        Returns
        -------
        np.ndarray [shape=(n_lines, n_frames // stride), dtype=float32]
            The newest position that the line has met first: 1 where all bits agree, about 0 where chance
            decides, -1 where none does; exactly 0 where the query is silent or too short, or the line
            outside its track.
        """
        agreement = np.empty((len(lines), query.shape[1] // self._stride), np.float32)
        for rows, along in self._by_segment(lines):
            agreement[rows] = self._kernels.line_agreement(
                *along, query, audible, lines.head[rows], lines.speed[rows], lines.shift[rows], self._stride
            )
        return agreement

    def means(self, query: Words, audible: Bools, lines: Lines, windows: Int64) -> Float32:
        """Return the means of `similarity` over the newest positions, for several lengths.

        Parameters
        ----------
        query, audible, lines
            As in `similarity`.
        windows : np.ndarray [shape=(n_windows,), dtype=int64]
            Ascending lengths in [1, n_frames // stride].

        Returns
        -------
        np.ndarray [shape=(n_lines, n_windows), dtype=float32]
        """
        count = np.empty((len(lines), len(windows)), np.int64)
        for rows, along in self._by_segment(lines):
            heads, speeds, shifts = lines.head[rows], lines.speed[rows], lines.shift[rows]
            count[rows] = self._kernels.line_counts(
                *along, query, audible, heads, speeds, shifts, self._stride, windows
            )
        means: Float32 = (1 - count * (2 / (64 * query.shape[2]) / windows)).astype(np.float32)
        return means

    def mean(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return the means of `similarity` over all positions [shape=(n_lines,), dtype=float32].

        Parameters
        ----------
        query, audible, lines
            As in `similarity`, but of one position at least.
        """
        return self.means(query, audible, lines, np.array([query.shape[1] // self._stride]))[:, 0]

    def _by_segment(self, lines: Lines) -> Iterator[tuple[Rows, tuple[Words, Int64, Int64]]]:
        """Yield the lines in each segment, its codes, and where the tracks of these lines stand in it."""
        segment = self._tracks.segment[lines.track]
        first, length = self._tracks.first[lines.track], self._tracks.length[lines.track]
        if len(self._segments) == 1:
            yield slice(None), (self._segments[0], first, length)
            return
        for number in np.unique(segment):
            rows = np.flatnonzero(segment == number)
            yield rows, (self._segments[number], first[rows], length[rows])

    def peak(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return how well query and reference would agree along each line if no frame lay between theirs.

        Moved by a time, a code loses bits in proportion: about its best line, which is among these or a frame
        beside, agreement has the shape of a roof. Whether a frame hits the ridge is chance, and costs up to a
        tenth; so the ridge is found from both slopes. It tells repeats apart that differ in one voice.

        Parameters
        ----------
        query, audible
            As in `similarity`.
        lines : Lines
            At the best frame, give or take one.

        Returns
        -------
        np.ndarray [shape=(n_lines,), dtype=float32]
            Mean agreement; a little more than 1 where noise lifts it.
        """
        fan = lines.fan(_FRAMES_BESIDE / np.float32(self._stride), np.ones(1, np.float32))
        means = self.mean(query, audible, fan).reshape(len(lines), -1)
        best = 1 + means[:, 1:-1].argmax(axis=1)[:, np.newaxis]
        before, ridge, after = (np.take_along_axis(means, best + at, axis=1)[:, 0] for at in (-1, 0, 1))
        peak: Float32 = ridge + np.abs(before - after) / 2
        return peak

    def place_in_track(self, query: Words, audible: Bools, line: Lines) -> tuple[float, float]:
        """Look for what was heard in the whole track of a line, at its speed and shift.

        Parameters
        ----------
        query, audible
            As in `similarity`.
        line : Lines
            One line.

        Returns
        -------
        head : float
            Of the place with the best `peak`, that of the line among them.
        peak : float
        """
        best = self.ridges(query, audible, line)
        beside = (best[:, np.newaxis] + np.float32(1 / self._stride) * np.array([-1, 0, 1])).reshape(-1)
        candidates = np.append(line.head, beside)
        peaks = self.peak(query, audible, line.at(candidates))
        chosen = int(peaks.argmax())
        return float(candidates[chosen]), float(peaks[chosen])

    def ridges(self, query: Words, audible: Bools, line: Lines) -> npt.NDArray[np.float64]:
        """Return the heads, in all of the track of a line, at which it agrees better than just beside.

        Parameters
        ----------
        query, audible, line
            As in `place_in_track`.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float64]
            Of the best twelve, to 46 ms, best first.
        """
        heads = self._heads_in_track(query, audible, line)
        means = self.mean(query, audible, line.at(heads))
        ridges = means >= np.maximum(np.append(means[1:], -1), np.insert(means[:-1], 0, -1))
        ridges = np.flatnonzero(ridges)
        best: npt.NDArray[np.float64] = heads[ridges[np.argsort(-means[ridges], kind="stable")[:_PLACES]]]
        return best

    def _heads_in_track(self, query: Words, audible: Bools, line: Lines) -> Float64:
        """Return where a track is looked through: everywhere, or in a long one where it may agree at all."""
        apart = _PLACES_APART * self.spans.scale
        length = int(self._tracks.length[line.track[0]])
        if length <= self.spans.positions(_LOOKED_THROUGH_S):
            return apart * np.arange(int(length / apart), dtype=np.float64)
        newest = self.spans.positions(_LONG_TRACK_S) * self._stride
        everywhere = line.at(np.arange(length, dtype=np.float64))
        means = self.mean(query[:, :newest], audible[:newest], everywhere)
        likely = np.sort(np.argsort(-means, kind="stable")[:_LIKELY])
        around = likely[:, np.newaxis] + apart * np.arange(-2 / _PLACES_APART, 2 / _PLACES_APART + 1)
        heads: Float64 = np.unique(np.clip(around, 0, length - 1))
        return heads

    def likeness(self, line: Lines, others: Lines, *, least: int | None = None) -> Float32:
        """Return how well the reference agrees with itself, about the heads of two lines.

        Codes of two copies of a recording lie on grids that are up to half a position apart, and then agree
        by half only; but they do so for as long as one looks, which chords held alike do not.

        Parameters
        ----------
        line : Lines
            One line.
        others : Lines
        least : int, optional
            Positions that must lie in both tracks; half of those compared by default.

        Returns
        -------
        np.ndarray [shape=(n_others,), dtype=float32]
            Mean agreement over half a minute; 0 where no more than `least` of that lies in both tracks.
        """
        ahead = self.likeness_positions // 2
        least = ahead if least is None else least
        middle = replace(line, head=line.head + ahead * line.speed)
        words, inside = self.stretch(middle, self.likeness_positions * self._stride)
        moved = replace(others, head=others.head + ahead * others.speed).unshifted()
        offsets = _LIKENESS_OFFSETS * np.float32(self.spans.scale)
        fan = moved.fan(offsets, np.ones(1, np.float32))
        agreement = self.similarity(words, inside, fan)
        read = np.count_nonzero(agreement, axis=1)
        mean = np.where(read > least, agreement.sum(axis=1) / np.maximum(read, 1), 0)
        best: Float32 = mean.reshape(len(others), len(offsets)).max(axis=1).astype(np.float32)
        return best

    def stretch(self, lines: Lines, n_frames: int) -> tuple[Words, Bools]:
        """Return the reference codes along lines, as if each were a query at a shift of its own.

        Parameters
        ----------
        lines : Lines
        n_frames : int

        Returns
        -------
        words : np.ndarray [shape=(n_lines, n_frames, n_words), dtype=uint64]
        inside : np.ndarray [shape=(n_lines, n_frames), dtype=bool]
            Where the line runs inside its track.
        """
        back = np.arange(n_frames) / self._stride
        positions = np.rint(lines.head[:, np.newaxis] - lines.speed[:, np.newaxis] * back).astype(np.int64)
        inside = (positions >= 0) & (positions < self._tracks.length[lines.track][:, np.newaxis])
        words = np.zeros((len(lines), n_frames, self._segments[0].shape[1]), np.uint64)
        for rows, (codes, first, _) in self._by_segment(lines):
            if not len(codes):
                continue
            found = first[:, np.newaxis] + positions[rows]
            words[rows] = codes.take(found, axis=0, mode="clip")
        return words, inside


def as_words(codes: npt.NDArray[np.uint8]) -> Words:
    """Return packed codes as 64-bit words, padded with zeros.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(n, ceil(n_bytes / 8)), dtype=uint64]
    """
    n_bytes = codes.shape[1]
    if n_bytes % 8:
        codes = np.pad(codes, ((0, 0), (0, 8 - n_bytes % 8)))
    return np.ascontiguousarray(codes).view(np.uint64)
