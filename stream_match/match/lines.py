"""The second look: bit agreement along a line through query and reference."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.match.reference import Reference

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_LIKENESS_POSITIONS = 160
_LIKENESS_OFFSETS = np.arange(-0.75, 1, 0.25, dtype=np.float32)

_FRAMES_BESIDE = np.arange(-2, 3, dtype=np.float32)

_PLACES_APART = 0.25
_LINES_AT_ONCE = 2048
_PLACES = 12
"""A track is looked through in steps of a quarter of a position, and the best places once more."""


@dataclass(frozen=True)
class Lines:
    """Lines through the plane of query time and reference position.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
        A line counts only where it runs inside its track.
    head : np.ndarray [shape=(n,), dtype=float64]
        Reference position at the newest query frame. There is a query code for every frame, a reference
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
    """Compares stretches of query with a reference, along lines.

    Parameters
    ----------
    reference : Reference
    """

    def __init__(self, reference: Reference) -> None:
        self._words = np.asfortranarray(as_words(reference.codes))
        self._starts = reference.starts
        self._n_bits = reference.settings.n_bits
        self._stride = reference.settings.listening().code_stride_frames

    def similarity(self, query: Words, audible: npt.NDArray[np.bool_], lines: Lines) -> Float32:
        """Return how well query and reference agree at each position back along each line.

        Parameters
        ----------
        query : np.ndarray [shape=(n_shifts, n_frames, n_words), dtype=uint64]
            Query codes at each shift, one frame apart, newest first; from `as_words`.
        audible : np.ndarray [shape=(n_frames,), dtype=bool]
        lines : Lines

        Returns
        -------
        np.ndarray [shape=(n_lines, n_frames // stride), dtype=float32]
            The newest position that the line has met first: 1 where all bits agree, about 0 where chance
            decides, -1 where none does; exactly 0 where the query is silent or too short, or the line
            outside its track.
        """
        stride = self._stride
        forward = np.sign(lines.speed)[:, np.newaxis].astype(np.int64)
        head, speed = lines.head[:, np.newaxis], lines.speed[:, np.newaxis].astype(np.float64)
        # Each position is read at the frame nearest to when it sounded: at another speed, frames at a fixed
        # distance would drift between two positions.
        newest = forward * np.floor(forward * head + 0.5 / stride).astype(np.int64)
        positions = newest - forward * np.arange(len(audible) // stride)
        back = np.rint(np.maximum((head - positions) / speed, 0) * stride).astype(np.int64)
        heard = back < len(audible)
        back[~heard] = 0
        first, last = self._starts[lines.track][:, None], self._starts[lines.track + 1][:, None] - 1
        inside = (positions >= first) & (positions <= last) & heard & audible[back]
        positions[~inside] = 0
        differing = np.zeros(positions.shape, np.uint16)
        back += (lines.shift * len(audible))[:, np.newaxis]
        query_words = query.reshape(-1, query.shape[2])
        for reference_word, query_word in zip(self._words.T, query_words.T, strict=True):
            differing += np.bitwise_count(reference_word[positions] ^ query_word[back])
        agreement = np.float32(1) - differing * np.float32(2 / self._n_bits)
        agreement[~inside] = 0
        return agreement

    def peak(self, query: Words, audible: npt.NDArray[np.bool_], lines: Lines) -> Float32:
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
        means = self.similarity(query, audible, fan).mean(axis=1).reshape(len(lines), -1)
        best = 1 + means[:, 1:-1].argmax(axis=1)[:, np.newaxis]
        before, ridge, after = (np.take_along_axis(means, best + at, axis=1)[:, 0] for at in (-1, 0, 1))
        peak: Float32 = ridge + np.abs(before - after) / 2
        return peak

    def place_in_track(
        self, query: Words, audible: npt.NDArray[np.bool_], line: Lines
    ) -> tuple[float, float]:
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
        track = int(line.track[0])
        n_heads = int((self._starts[track + 1] - self._starts[track]) / _PLACES_APART)
        heads = self._starts[track] + _PLACES_APART * np.arange(n_heads)
        means = np.concatenate(
            [
                self.similarity(query, audible, line.at(heads[first : first + _LINES_AT_ONCE])).mean(axis=1)
                for first in range(0, len(heads), _LINES_AT_ONCE)
            ]
        )
        ridges = means >= np.maximum(np.append(means[1:], -1), np.insert(means[:-1], 0, -1))
        ridges = np.flatnonzero(ridges)
        best = heads[ridges[np.argsort(-means[ridges], kind="stable")[:_PLACES]]]
        beside = (best[:, np.newaxis] + np.float32(1 / self._stride) * np.array([-1, 0, 1])).reshape(-1)
        candidates = np.append(line.head, beside)
        peaks = self.peak(query, audible, line.at(candidates))
        chosen = int(peaks.argmax())
        return float(candidates[chosen]), float(peaks[chosen])

    def likeness(self, line: Lines, others: Lines) -> Float32:
        """Return how well the reference agrees with itself, about the heads of two lines.

        Codes of two copies of a recording lie on grids that are up to half a position apart, and then agree
        by half only; but they do so for as long as one looks, which chords held alike do not.

        Parameters
        ----------
        line : Lines
            One line.
        others : Lines

        Returns
        -------
        np.ndarray [shape=(n_others,), dtype=float32]
            Mean agreement over half a minute; 0 where less than half of that lies in both tracks.
        """
        ahead = _LIKENESS_POSITIONS // 2
        words, inside = self.stretch(
            int(line.track[0]),
            float(line.head[0]) + ahead * float(line.speed[0]),
            float(line.speed[0]),
            _LIKENESS_POSITIONS * self._stride,
        )
        moved = replace(others, head=others.head + ahead * others.speed).unshifted()
        fan = moved.fan(_LIKENESS_OFFSETS, np.ones(1, np.float32))
        agreement = self.similarity(words, inside, fan)
        read = np.count_nonzero(agreement, axis=1)
        mean = np.where(read * 2 > _LIKENESS_POSITIONS, agreement.sum(axis=1) / np.maximum(read, 1), 0)
        best: Float32 = mean.reshape(len(others), len(_LIKENESS_OFFSETS)).max(axis=1).astype(np.float32)
        return best

    def stretch(
        self, track: int, head: float, speed: float, n_frames: int
    ) -> tuple[Words, npt.NDArray[np.bool_]]:
        """Return the reference codes along a line, as if they were a query.

        Parameters
        ----------
        track : int
        head, speed : float
            See `Lines`.
        n_frames : int

        Returns
        -------
        words : np.ndarray [shape=(1, n_frames, n_words), dtype=uint64]
        inside : np.ndarray [shape=(n_frames,), dtype=bool]
            Where the line runs inside its track.
        """
        positions = np.rint(head - speed * np.arange(n_frames) / self._stride).astype(np.int64)
        first, last = self._starts[track], self._starts[track + 1] - 1
        words = self._words[np.clip(positions, first, last)][np.newaxis]
        return words, (positions >= first) & (positions <= last)


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


def window_means(similarity: Float32, windows: npt.NDArray[np.int64]) -> Float32:
    """Return the mean similarity over the newest steps, for several lengths.

    Parameters
    ----------
    similarity : np.ndarray [shape=(n_lines, n_steps), dtype=float32]
    windows : np.ndarray [shape=(n_windows,), dtype=int64]
        Lengths in [1, n_steps].

    Returns
    -------
    np.ndarray [shape=(n_lines, n_windows), dtype=float32]
    """
    sums = np.cumsum(similarity, axis=1, dtype=np.float64)
    means: Float32 = (sums[:, windows - 1] / windows).astype(np.float32)
    return means
