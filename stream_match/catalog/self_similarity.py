"""How far a catalogue's own tracks resemble each other, and the score bias that this causes.

Quartets played on one sampler resemble each other more than the songs of a radio station do, and an unknown
quartet of that sampler resembles them as much. So stretches of tracks are searched in the catalogue, without
their own track: every match is false.
"""

import zlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from stream_match.index.catalogue import Catalogue
from stream_match.index.lines import Lines, as_words
from stream_match.index.port import Int64
from stream_match.index.spans import CodeClock, Spans
from stream_match.match import tuning
from stream_match.match.recording.claim_check import reads_both_ways
from stream_match.match.recording.proposals import Proposals
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.recording_match import Candidate
from stream_match.match.recording.scoring import Scorer
from stream_match.match.tracking.calibration import Calibration

_SEED = 20_261_120

Scores = Mapping[str, tuple[float, ...]]
"""Highest scores of the stretches that were searched, by the id of their track."""


def self_scores(
    catalogue: Catalogue,
    known: Scores = MappingProxyType({}),
    *,
    among: Container[str] | None = None,
) -> dict[str, tuple[float, ...]]:
    """Search stretches of a catalogue in it, those of which the scores are not known yet.

    The tracks' ids decide which tracks and stretches. Tracks that are new take the place of others, in
    proportion, and only they are searched. The catalogue's own `score_bias` counts as nothing.

    Parameters
    ----------
    known : mapping of str to tuple of float
        What this returned before, without the tracks that have changed. Scores that were found in a much
        smaller catalogue are somewhat low.
    among : container of str, optional
        Ids of the tracks that can be searched; of others, only what is known is returned. All by default.

    Returns
    -------
    dict of str to tuple of float
        In the order of the ids; empty for a catalogue of less than 12 minutes.
    """
    scorer = None
    scores: dict[str, tuple[float, ...]] = {}
    for track, firsts in _stretches(catalogue):
        name = catalogue.tracks[track].id
        found = known.get(name, ())[: len(firsts)]
        if len(found) < len(firsts) and (among is None or name in among):
            scorer = scorer or _SelfScorer(replace(catalogue, score_bias=0.0))
            found += tuple(round(scorer.highest_score(track, at), 3) for at in firsts[len(found) :])
        if found:
            scores[name] = found
    return dict(sorted(scores.items()))


def bias_of(scores: Scores) -> float:
    """Return the score bias of a catalogue with such `self_scores`, 0 to `MOST_SCORE_BIAS`.

    It is 0 for an ordinary catalogue, and for one of less than 12 minutes.
    """
    highest = [score for found in scores.values() for score in found]
    if not highest:
        return 0.0
    above = float(np.quantile(highest, tuning.STRETCHES_BELOW)) - tuning.ORDINARY_SCORE
    return min(max(0.0, round(above, 2)), tuning.MOST_SCORE_BIAS)


class _SelfScorer:
    """Scores stretches of a catalogue against it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._stride = catalogue.settings.listening().code_stride_frames
        self._clock = CodeClock.of(catalogue.settings)
        self._proposals = Proposals(catalogue)
        self._scorer = Scorer(catalogue, doubting=False)
        # A track that scores higher is a remix, not merely alike: an hour of unknown audio does so once.
        self._related = Calibration.recordings().score_for(1.0)

    def highest_score(self, track: int, first: int) -> float:
        """Return the highest score of any other recording while a stretch of a track is heard."""
        longest = self._clock.spans.positions(tuning.LONGEST_WINDOW_S)
        end = min(first + longest, int(self._catalogue.tracks.length[track]))
        times = round(tuning.LONGEST_WINDOW_S / medium_window_s())
        self._proposals.reset()
        highest = 0.0
        for positions in np.array_split(np.arange(first, end), times):
            self._hear(track, positions, first)
            now = int(positions[-1])
            query = self._query(track, np.arange(now, first - 1, -1), now - first)
            forward, backward = self._proposals.bins((now - first) * self._stride)
            candidates = self._scorer.rank(query, forward, backward, {track})
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
        return Query(words, self._catalogue.audible(track)[each], float(now), self._stride, self._clock)

    def _is_false(self, query: Query, candidate: Candidate, itself: Lines) -> bool:
        """Return whether a candidate is another recording, and reads forward only, as a claim must."""
        reader = self._scorer.reader
        if candidate.score >= self._related or reads_both_ways(reader, query, candidate):
            return False
        return bool(reader.likeness(candidate.line, itself)[0] <= tuning.SAME_RECORDING)


def _stretches(catalogue: Catalogue) -> Iterator[tuple[int, list[int]]]:
    """Choose tracks, and first positions in each, by chance; a track's are the same in every catalogue."""
    lengths = catalogue.tracks.length[: len(catalogue.tracks.named)]
    spans = Spans.of(catalogue.settings)
    longest, shortest = spans.positions(tuning.LONGEST_WINDOW_S), spans.positions(medium_window_s())
    count = min(tuning.STRETCHES, int(lengths.sum()) // longest)
    if count < tuning.ENOUGH:
        return
    seeds = [zlib.crc32(track.id.encode()) for track in catalogue.tracks.named]
    tracks = [track for track in np.argsort(seeds, kind="stable") if lengths[track] >= shortest]
    for track in tracks[:count]:
        rng = np.random.default_rng([_SEED, seeds[track]])
        latest = max(0, int(lengths[track]) - longest)
        yield int(track), [int(rng.integers(latest + 1)) for _ in range(max(1, count // len(tracks)))]
