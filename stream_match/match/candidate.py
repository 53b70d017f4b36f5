"""A place in the catalogue that might be what sounds, and what it has to stand out of."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.match.lines import Lines

Float32 = npt.NDArray[np.float32]

_BOTH_WAYS = 0.45
"""Share of its agreement that a line must lose when the reference is read backwards. Of true lines, measured
on an hour of broadcast, 99 % lose a half or more; a chord whose partials beat loses a third."""


_SUREST = 0.98
"""More similarity than this says no more."""


def strength(similarity: npt.ArrayLike) -> Float32:
    """Return Fisher's transformation of a similarity: from 0.8 to 0.9 is farther than from 0 to 0.1.

    References
    ----------
    Fisher, R. A. (1915), Frequency distribution of the values of the correlation coefficient.
    """
    transformed: Float32 = np.arctanh(np.clip(similarity, -_SUREST, _SUREST)).astype(np.float32)
    return transformed


@dataclass(frozen=True)
class Rivals:
    """What chance gives at the moment: mean and deviation of the `strength` of the rivals, by window."""

    windows: npt.NDArray[np.int64]
    mean: Float32
    deviation: Float32

    def scores(self, similarity: Float32) -> Float32:
        """Return how far a similarity over each window stands above the rivals."""
        scores: Float32 = (strength(similarity) - self.mean) / self.deviation
        return scores

    def score(self, similarity: float, window: int) -> float:
        """Return how far a similarity over `window` steps stands above the rivals."""
        nearest = int(np.argmin(np.abs(self.windows - window)))
        return float((strength(similarity) - self.mean[nearest]) / self.deviation[nearest])

    def level(self, score: float, window: int) -> float:
        """Return the similarity over `window` steps that has a score."""
        nearest = int(np.argmin(np.abs(self.windows - window)))
        return float(np.tanh(self.mean[nearest] + score * self.deviation[nearest]))


@dataclass(frozen=True)
class Candidate:
    """A line through a track, and how it stands against its rivals.

    Parameters
    ----------
    track : int
        Number of the track.
    head : float
        Reference position at the newest query frame.
    speed : float
        Reference positions per query position.
    shift : int
        Number of the shift of the query, in ``SHIFTS_SEMITONES``.
    window_positions : int
        Length over which the line stands out most.
    similarity : float
        Mean agreement over it.
    score : float
        Distance to the mean of the rivals, in their standard deviations.
    backward : float
        Best mean agreement with about the same stretch of reference read backwards.
    faiss_votes, lsh_votes : int
    same : tuple of (int, float)
        Track and head of other places that hold the same sound: exact repeats, or the recording under
        another name.
    rivals : Rivals
        What it was scored against.
    """

    track: int
    head: float
    speed: float
    shift: int
    window_positions: int
    similarity: float
    score: float
    backward: float
    faiss_votes: int
    lsh_votes: int
    same: tuple[tuple[int, float], ...]
    rivals: Rivals

    @property
    def line(self) -> Lines:
        """The line."""
        return Lines.single(self.track, self.head, self.speed, self.shift)

    @property
    def promise(self) -> float:
        """Similarity weighed by the length that it holds for: chance gives less to longer lines."""
        return self.similarity * float(np.sqrt(self.window_positions))

    @property
    def directed(self) -> bool:
        """True if it matters which way the reference runs: a steady tone reads the same both ways."""
        return self.similarity - self.backward > _BOTH_WAYS * self.similarity
