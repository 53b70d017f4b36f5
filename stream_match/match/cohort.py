"""How far a catalogue's own tracks resemble each other, found out by asking it about each of them.

Scores mean the same everywhere only if wrong tracks are wrong in the same way. Quartets played on one
sampler resemble each other more than the songs of a radio station do, and another quartet of that sampler,
which is not in the catalogue, resembles them as much. So stretches of tracks are looked for in the catalogue,
their own track set aside: a cohort of which every match is false.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stream_match.match.candidate import Candidate
from stream_match.index.lines import Lines, as_words
from stream_match.match.objections import reads_both_ways
from stream_match.match.proposals import Proposals
from stream_match.match.query import LONGEST_S, Query
from stream_match.match.reference import Reference
from stream_match.match.scoring import SAME_RECORDING, Scorer
from stream_match.index.spans import Spans

Int64 = npt.NDArray[np.int64]

_STRETCHES = 128
_FEWEST_STRETCHES = 48
"""So many stretches are looked for, as many of each track; no more than the catalogue has room for, and none
if these would be too few to tell anything."""

_RELATED = 7.2
"""Scores from here on, which an hour of unknown audio reaches once, tell of remixes and other performances:
these are related, not merely alike."""

MOST_EXCESS = 1.5
"""However alike the tracks are, no more is taken off: it makes false alarms nine times rarer."""

_SHORTEST_S = 4.5
"""Tracks of fewer codes are not asked about."""

_SEED = 20_261_120

_LOOKS = 3
"""How often a stretch is scored while it is heard."""

_ORDINARY = 4.1
"""The median of the stretches' highest scores in ordinary catalogues, 3.9 to 4.2 in those of 10 to 208 tracks
of mixed game music, while 40 quartets and songs played on one sampler have 4.5, and ten piano pieces on one
piano 4.3. The highest of all say less: they are of tracks that share material, as some do in many catalogues,
which is no reason to distrust the others."""


def excess(reference: Reference) -> float:
    """Return by how much scores against a catalogue are too high, for its tracks resemble each other.

    Parameters
    ----------
    reference : Reference
        Its own `excess` counts as nothing.

    Returns
    -------
    float, 0 to 1.5
        In the unit of scores; 0 for an ordinary catalogue, and for one of less than 12 minutes. Equal
        catalogues give equal numbers.
    """
    cohort = _Cohort(replace(reference, excess=0.0))
    scores = [cohort.highest_score(track, first) for track, first in _stretches(reference)]
    return min(max(0.0, round(float(np.median(scores)) - _ORDINARY, 2)), MOST_EXCESS) if scores else 0.0


class _Cohort:
    """A catalogue that is asked about its own tracks.

    Parameters
    ----------
    reference : Reference
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._codes = reference.codes
        self._hashed = reference.hashed
        self._stride = reference.settings.listening().code_stride_frames
        self._spans = Spans.of(reference.settings)
        self._proposals = Proposals(reference)
        self._scorer = Scorer(reference)

    def highest_score(self, track: int, first: int) -> float:
        """Return the highest score of any other recording while a stretch of a track is heard."""
        end = min(first + self._spans.positions(LONGEST_S), int(self._reference.starts[track + 1]))
        self._proposals.reset()
        highest = 0.0
        for positions in np.array_split(np.arange(first, end), _LOOKS):
            self._hear(positions, first)
            now = int(positions[-1])
            query = self._query(np.arange(now, first - 1, -1), now - first)
            forward, backward = self._proposals.cells((now - first) * self._stride)
            candidates, _ = self._scorer.rank(query, forward, backward, {track})
            itself = Lines.single(track, float(now), 1.0, 0)
            false = (c.score for c in candidates if c.track != track and self._is_false(query, c, itself))
            highest = max([highest, *false])
        return highest

    def _hear(self, positions: Int64, first: int) -> None:
        """Let the voters hear the codes of some positions."""
        heard = positions[self._reference.audible[positions]]
        # Only some positions have chroma codes; the nearest one before is half a second old at most.
        before = np.searchsorted(self._hashed, heard, side="right") - 1
        heard = heard[before >= 0]
        chroma_codes = self._reference.chroma_codes[before[before >= 0]]
        self._proposals.add(self._codes[heard][:, np.newaxis], chroma_codes, (heard - first) * self._stride)

    def _query(self, newest_first: Int64, now: int) -> Query:
        """Return what is heard where these positions have sounded, as it was made."""
        each = np.repeat(newest_first, self._stride)
        words = as_words(self._codes[each])[np.newaxis]
        return Query(words, self._reference.audible[each], float(now), self._stride, self._spans)

    def _is_false(self, query: Query, candidate: Candidate, itself: Lines) -> bool:
        """Return whether a candidate is something else, and reads forward only, as what is claimed must."""
        reader = self._scorer.reader
        if candidate.score >= _RELATED or reads_both_ways(reader, query, candidate):
            return False
        return bool(reader.likeness(candidate.line, itself)[0] <= SAME_RECORDING)


def _stretches(reference: Reference) -> Iterator[tuple[int, int]]:
    """Choose tracks, and first positions in each, by chance; a track's are the same in every catalogue."""
    lengths = np.diff(reference.starts)[: len(reference.tracks)]
    spans = Spans.of(reference.settings)
    longest, shortest = spans.positions(LONGEST_S), spans.positions(_SHORTEST_S)
    count = min(_STRETCHES, int(lengths.sum()) // longest)
    if count < _FEWEST_STRETCHES:
        return
    seeds = [zlib.crc32(track.id.encode()) for track in reference.tracks]
    tracks = [track for track in np.argsort(seeds, kind="stable") if lengths[track] >= shortest]
    for track in tracks[:count]:
        rng = np.random.default_rng([_SEED, seeds[track]])
        latest = max(0, int(lengths[track]) - longest)
        for first in rng.integers(latest + 1, size=max(1, count // len(tracks))):
            yield int(track), int(reference.starts[track] + first)
