"""Looks over the shoulder of both match lanes and keeps what an explanation needs."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.events import MatchFacts
from stream_match.index.lines import Words
from stream_match.index.port import CataloguePort
from stream_match.match.recording.query import Query
from stream_match.match.recording.votes import OffsetBins
from stream_match.match.tracking.trace import Rejection, Trace

Kind = Literal["recording", "version"]
Votes = tuple[int, int]


@dataclass(frozen=True)
class Stood:
    """A candidate when its score was highest, and why it was not claimed then; None if it was."""

    score: float
    facts: MatchFacts
    rejection: Rejection | None


@dataclass
class History:
    """What the decisions of one lane saw, in order.

    Parameters
    ----------
    stream_s : list of float
        Stream time of each.
    scores : list of dict of str to float
        Score of each candidate, by the id of its track.
    votes : list of dict of str to (int, int)
        Votes of FAISS and of the LSH tables for each proposed track.
    best : dict of str to Stood
        How each track stood when its score was highest.
    """

    stream_s: list[float] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    votes: list[dict[str, Votes]] = field(default_factory=list)
    best: dict[str, Stood] = field(default_factory=dict)

    def note(self, trace: Trace, votes: dict[str, Votes]) -> None:
        """Take note of a decision."""
        scores: dict[str, float] = {}
        for traced in trace.candidates:
            track, score = traced.track_id, traced.score
            scores[track] = max(score, scores.get(track, score))
            if track not in self.best or score > self.best[track].score:
                self.best[track] = Stood(score, traced.facts, traced.rejection)
        self.stream_s.append(trace.stream_s)
        self.scores.append(scores)
        self.votes.append(votes)


class Watch:
    """An `Observer` of both lanes.

    Parameters
    ----------
    catalogue : CataloguePort
    """

    def __init__(self, catalogue: CataloguePort) -> None:
        self._tracks = catalogue.tracks
        self._words: list[Words] = []
        self._audible: list[npt.NDArray[np.bool_]] = []
        self._frames = 0
        self.lanes: dict[Kind, History] = {"recording": History(), "version": History()}

    def __call__(self, trace: Trace) -> None:
        """Take note of a decision."""
        if trace.query is not None:
            self._hear(trace.query)
        self.lanes[trace.lane].note(trace, {} if trace.proposed is None else self._heaviest(trace.proposed))

    @property
    def words(self) -> Words:
        """Codes of all that was heard, oldest first [shape=(n_shifts, n_frames, n_words), dtype=uint64]."""
        return np.concatenate(self._words, axis=1)

    @property
    def audible(self) -> npt.NDArray[np.bool_]:
        """Which codes are of sound and not of silence [shape=(n_frames,), dtype=bool]."""
        return np.concatenate([np.empty(0, np.bool_), *self._audible])

    def _hear(self, query: Query) -> None:
        """Keep the codes that are new; a copy, for the rest of the query need not live on."""
        frames = round(query.now * query.stride) + 1
        new = frames - self._frames
        self._words.append(query.words[:, :new][:, ::-1].copy())
        self._audible.append(query.audible[:new][::-1].copy())
        self._frames = frames

    def _heaviest(self, proposed: OffsetBins) -> dict[str, Votes]:
        """Return the votes for the heaviest place of each proposed track."""
        votes: dict[str, Votes] = {}
        for row in np.argsort(proposed.weight, kind="stable"):
            track = self._tracks[int(proposed.track[row])].id
            votes[track] = int(proposed.faiss_votes[row]), int(proposed.lsh_votes[row])
        return votes
