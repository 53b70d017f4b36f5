"""A place in the catalogue that might be another version of what sounds."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.index.tracks import GONE, Numbers
from stream_match.match import tuning
from stream_match.match.version.dtw import slope

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VersionCandidate:
    """A path through a track, and its score.

    Parameters
    ----------
    track : int
        Number of the track.
    key : int
        Semitones that the query is higher, 0 to 11.
    tempo : float
        Of the line that was proposed.
    correlation : float
        Mean over the window of the correlation of query and reference along the path.
    score : float
        Distance of its evidence to the mean of the background scores, in their standard deviations, over the
        window in which it stands out most.
    recent : float
        The same for the correlation of the newest few seconds: whether it sounds now.
    steps : np.ndarray [shape=(n_query,), dtype=float64]
        Step of the track that each query step meets, newest first.
    alike : np.ndarray [shape=(n_query,), dtype=float32]
        Correlation step by step.
    same : tuple of int
        Tracks that hold the same music along the path.
    """

    track: int
    key: int
    tempo: float
    correlation: float
    score: float
    recent: float
    steps: npt.NDArray[np.float64]
    alike: Float32
    same: tuple[int, ...]

    def renumbered(self, numbers: Numbers) -> "VersionCandidate | None":
        """Return the same under the numbers of another snapshot; None if it does not have the track."""
        if numbers[self.track] == GONE:
            return None
        same = tuple(int(numbers[track]) for track in self.same if numbers[track] != GONE)
        return replace(self, track=int(numbers[self.track]), same=same)

    @property
    def heard_steps(self) -> int:
        """Number of query steps back to where the correlation began."""
        support = np.cumsum(self.alike - tuning.AGREES * self.correlation)
        return int(support.argmax()) + 1

    @property
    def coverage(self) -> float:
        """Share of those steps that agree."""
        return float((self.alike[: self.heard_steps] > tuning.AGREES * self.correlation).mean())

    @property
    def speed(self) -> float:
        """Tempo of the path, where it agrees."""
        weights = np.maximum(self.alike[: self.heard_steps], 0)
        if np.count_nonzero(weights) < 2:
            return self.tempo
        return slope(self.steps[: self.heard_steps], weights)

    def head(self, newest: int) -> float:
        """Return the step that sounds now, as a number of newest steps have it."""
        ago = np.arange(len(self.steps))[:newest]
        weights = np.maximum(self.alike[:newest], 1e-3)
        return float(np.average(self.steps[:newest] + self.speed * ago, weights=weights))
