"""Where in its track a match is: on its line, about it, or at another place that agrees better."""

import math

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.port import ReaderPort
from stream_match.match import tuning
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.verification import offsets, speed_step

_SPEEDS = np.array([0, -1 / 3, 1 / 3, -1, 1], np.float32)
"""In steps of the speeds that are tried for candidates."""


class PlaceSearch:
    """Looks for what was heard in the track of a line."""

    def __init__(self, reader: ReaderPort) -> None:
        self._reader = reader
        self._spans = reader.spans

    def about(self, line: Lines) -> Lines:
        """Return the lines close to a line, itself among them."""
        steps = offsets(tuning.OFFSET_REACH_S / 2, tuning.OFFSET_STEP_S / 2)
        return line.fan(steps * np.float32(self._spans.scale), 1 + _SPEEDS * np.float32(speed_step()))

    def is_same(self, head: float, line: Lines) -> bool:
        """Return whether a reference position is that of a line."""
        return bool(abs(head - line.head[0]) <= tuning.OFFSET_REACH_S / 2 / self._spans.code_s)

    def best(self, query: Query, line: Lines) -> float:
        """Return the head of a line, or of another in its track that agrees better: votes find any repeat."""
        head, peak = self._reader.place_in_track(query.words, query.audible, line)
        here = float(self._reader.peak(query.words, query.audible, line)[0])
        if self.is_same(head, line) or peak <= here + self._margin(query):
            return float(line.head[0])
        return head if self._is_heard(query, line.at(np.array([head])), line) else float(line.head[0])

    def is_better(self, query: Query, other: Lines, line: Lines) -> bool:
        """Return whether another line agrees clearly better than a line, and is heard now."""
        there, here = self._reader.peak(query.words, query.audible, other.followed_by(line))
        return bool(there >= here + self._margin(query) and self._is_heard(query, other, line))

    def _is_heard(self, query: Query, other: Lines, line: Lines) -> bool:
        """Return whether another line agrees with the newest audio at least half as well as a line does.

        Before a track jumped, what was heard agreed with where it was then.
        """
        newest = query.newest(self._spans.positions(tuning.NEWEST_S))
        there, here = self._reader.mean(newest.words, newest.audible, other.followed_by(line))
        return bool(there > tuning.AGREES * here)

    def _margin(self, query: Query) -> float:
        """Return by how much another place must agree better with what was heard."""
        medium = self._spans.positions(medium_window_s())
        return tuning.BETTER / math.sqrt(self._spans.evidence(min(query.positions, medium)))
