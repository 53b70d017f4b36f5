"""A place in the catalogue that might be what sounds."""

import math
from dataclasses import dataclass, replace

from stream_match.index.lines import Lines
from stream_match.index.tracks import GONE, Numbers
from stream_match.match.recording.background_scores import BackgroundScores


def is_one_place(position: float, other: float) -> bool:
    """Return whether a repeat of a place is that place itself: the two share a code."""
    return abs(position - other) <= 1


@dataclass(frozen=True)
class Candidate:
    """A line through a track, and its score."""

    track: int
    position: float  # of the reference, at the newest query frame
    speed: float  # reference positions per query position
    shift: int  # number in `shifts_semitones`
    window_positions: int  # over which the line stands out most
    correlation: float  # of the codes, mean over it
    score: float  # distance to the mean of the background scores, in their standard deviations
    faiss_votes: int
    lsh_votes: int
    same: tuple[tuple[int, float], ...]  # track and position of the same sound: repeats, copies
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
        return self.correlation * math.sqrt(self.window_positions)

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
