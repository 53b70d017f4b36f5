"""How far a catalogue's own tracks resemble each other, found out by asking it about each of them.

Scores mean the same everywhere only if wrong tracks are wrong in the same way. Quartets played on one
sampler resemble each other more than the songs of a radio station do, and another quartet of that sampler,
which is not in the catalogue, resembles them as much. So stretches of tracks are looked for in the catalogue,
their own track set aside: a cohort of which every match is false.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from stream_match.index.catalogue import Catalogue
from stream_match.index.lines import Lines, as_words
from stream_match.index.spans import Spans
from stream_match.match.objections import reads_both_ways
from stream_match.match.recording.candidate import Candidate
from stream_match.match.recording.proposals import Proposals
from stream_match.match.recording.query import LONGEST_S, Query
from stream_match.match.recording.scoring import SAME_RECORDING, Scorer

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

_ORDINARY = 4.7
"""Score that a quarter of the stretches reach in ordinary catalogues at most: 4.3 and 4.7 in those of 208 and
44 tracks of mixed game music, while 40 quartets and songs played on one sampler have 5.4. The highest of all
say less: they are of tracks that share material, as some do in many catalogues, which is no reason to
distrust the others. Half of the stretches find nothing that could be claimed."""

_QUARTILE = 0.75


Scores = Mapping[str, tuple[float, ...]]
"""Highest scores of the stretches that were asked, by the id of their track."""


def asked(catalogue: Catalogue, known: Scores = MappingProxyType({})) -> dict[str, tuple[float, ...]]:
    """Look for the cohort in a catalogue: only for those of it of which the scores are not known yet.

    Tracks and stretches of the cohort are drawn by the tracks' ids. A catalogue that
    takes in others gives places of it to these, in proportion, and only they are asked.

    Parameters
    ----------
    catalogue : Catalogue
        Its own `excess` counts as nothing.
    known : mapping of str to tuple of float
        What this returned of the catalogue before, without the tracks that have changed. Scores that
        were found in a much smaller catalogue are somewhat low.

    Returns
    -------
    dict of str to tuple of float
        Those of the cohort, in the order of their ids; empty for a catalogue of less than 12 minutes. Equal
        catalogues, of equal things known, give equal scores.
    """
    cohort = None
    scores: dict[str, tuple[float, ...]] = {}
    for track, firsts in _stretches(catalogue):
        name = catalogue.tracks[track].id
        found = known.get(name, ())[: len(firsts)]
        if len(found) < len(firsts):
            cohort = cohort or _Cohort(replace(catalogue, excess=0.0))
            found += tuple(round(cohort.highest_score(track, at), 3) for at in firsts[len(found) :])
        scores[name] = found
    return dict(sorted(scores.items()))


def excess_of(scores: Scores) -> float:
    """Return by how much scores against a catalogue are too high, for its tracks resemble each other.

    Parameters
    ----------
    scores : mapping of str to tuple of float
        From `asked`.

    Returns
    -------
    float, 0 to 1.5
        In the unit of scores; 0 for an ordinary catalogue, and for one of less than 12 minutes.
    """
    highest = [score for found in scores.values() for score in found]
    if not highest:
        return 0.0
    return min(max(0.0, round(float(np.quantile(highest, _QUARTILE)) - _ORDINARY, 2)), MOST_EXCESS)


def excess(catalogue: Catalogue) -> float:
    """Return by how much scores against a catalogue are too high, of which nothing is known yet."""
    return excess_of(asked(catalogue))


class _Cohort:
    """A catalogue that is asked about its own tracks.

    Parameters
    ----------
    catalogue : Catalogue
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._stride = catalogue.settings.listening().code_stride_frames
        self._spans = Spans.of(catalogue.settings)
        self._proposals = Proposals(catalogue)
        self._scorer = Scorer(catalogue, doubting=False)

    def highest_score(self, track: int, first: int) -> float:
        """Return the highest score of any other recording while a stretch of a track is heard."""
        end = min(first + self._spans.positions(LONGEST_S), int(self._catalogue.tracks.length[track]))
        self._proposals.reset()
        highest = 0.0
        for positions in np.array_split(np.arange(first, end), _LOOKS):
            self._hear(track, positions, first)
            now = int(positions[-1])
            query = self._query(track, np.arange(now, first - 1, -1), now - first)
            forward, backward = self._proposals.cells((now - first) * self._stride)
            candidates, _ = self._scorer.rank(query, forward, backward, {track})
            itself = Lines.single(track, float(now), 1.0, 0)
            false = (c.score for c in candidates if c.track != track and self._is_false(query, c, itself))
            highest = max([highest, *false])
        return highest

    def _hear(self, track: int, positions: Int64, first: int) -> None:
        """Let the voters hear the codes of some positions of a track."""
        heard = positions[self._catalogue.audible(track)[positions]]
        # Only some positions have chroma codes; the nearest one before is half a second old at most.
        hashed, chroma_codes = self._catalogue.chroma_codes(track)
        before = np.searchsorted(hashed, heard, side="right") - 1
        heard, before = heard[before >= 0], before[before >= 0]
        codes = self._catalogue.codes(track)[heard][:, np.newaxis]
        self._proposals.add(codes, chroma_codes[before], (heard - first) * self._stride)

    def _query(self, track: int, newest_first: Int64, now: int) -> Query:
        """Return what is heard where these positions have sounded, as it was made."""
        each = np.repeat(newest_first, self._stride)
        words = as_words(self._catalogue.codes(track)[each])[np.newaxis]
        return Query(words, self._catalogue.audible(track)[each], float(now), self._stride, self._spans)

    def _is_false(self, query: Query, candidate: Candidate, itself: Lines) -> bool:
        """Return whether a candidate is something else, and reads forward only, as what is claimed must."""
        reader = self._scorer.reader
        if candidate.score >= _RELATED or reads_both_ways(reader, query, candidate):
            return False
        return bool(reader.likeness(candidate.line, itself)[0] <= SAME_RECORDING)


def _stretches(catalogue: Catalogue) -> Iterator[tuple[int, list[int]]]:
    """Choose tracks, and first positions in each, by chance; a track's are the same in every catalogue."""
    lengths = catalogue.tracks.length[: len(catalogue.tracks.named)]
    spans = Spans.of(catalogue.settings)
    longest, shortest = spans.positions(LONGEST_S), spans.positions(_SHORTEST_S)
    count = min(_STRETCHES, int(lengths.sum()) // longest)
    if count < _FEWEST_STRETCHES:
        return
    seeds = [zlib.crc32(track.id.encode()) for track in catalogue.tracks.named]
    tracks = [track for track in np.argsort(seeds, kind="stable") if lengths[track] >= shortest]
    for track in tracks[:count]:
        rng = np.random.default_rng([_SEED, seeds[track]])
        latest = max(0, int(lengths[track]) - longest)
        yield int(track), [int(rng.integers(latest + 1)) for _ in range(max(1, count // len(tracks)))]
