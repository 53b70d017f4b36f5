"""A place in the catalogue that might be what sounds."""

from dataclasses import dataclass, replace

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.tracks import GONE, Numbers
from stream_match.match.recording.background_scores import BackgroundScores


def is_one_place(position: float, other: float) -> bool:
    """Return whether a repeat of a place is that place itself: the two share a code."""
    return abs(position - other) <= 1


@dataclass(frozen=True)
class Candidate:
    """A line through a track, and its score.

    Parameters
    ----------
    track : int
    position : float
        Reference position: the place in the track at the newest query frame.
    speed : float
        Reference positions per query position.
    shift : int
        Number of the shift of the query, in `shifts_semitones`.
    window_positions : int
        Window over which the line stands out most.
    correlation : float
        Mean over it of the correlation of the codes.
    score : float
        Distance to the mean of the background scores, in their standard deviations.
    faiss_votes, lsh_votes : int
    same : tuple of (int, float)
        Track and position of other places of the same sound: repeats, or the recording under another name.
    background : BackgroundScores
        What it was scored against.
    """

    track: int
    position: float
    speed: float
    shift: int
    window_positions: int
    correlation: float
    score: float
    faiss_votes: int
    lsh_votes: int
    same: tuple[tuple[int, float], ...]
    background: BackgroundScores

    @property
    def line(self) -> Lines:
        """The line."""
        return Lines.single(self.track, self.position, self.speed, self.shift)

    @property
    def tracks(self) -> set[int]:
        """Its track, and those that hold the same recording."""
        return {self.track, *(track for track, _ in self.same)}

    @property
    def rank_score(self) -> float:
        """Correlation weighed by its window: chance correlates less over longer ones."""
        return self.correlation * float(np.sqrt(self.window_positions))

    def moved_to(self, position: float) -> "Candidate":
        """Return the same at another place of its track; a repeat that is there changes places with it."""
        same = tuple(
            (track, self.position if track == self.track and is_one_place(place, position) else place)
            for track, place in self.same
        )
        return replace(self, position=position, same=same)

    def renumbered(self, numbers: Numbers) -> "Candidate | None":
        """Return the same under the numbers of another snapshot; None if it does not have the track."""
        if numbers[self.track] == GONE:
            return None
        same = tuple((int(numbers[track]), place) for track, place in self.same if numbers[track] != GONE)
        return replace(self, track=int(numbers[self.track]), same=same)
