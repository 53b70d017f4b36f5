"""What nearly matched, kept for who asks; and a budget of false alarms that changes while it is listened."""

import numpy as np
import pytest
from music import PIECES, RATE_HZ, catalogue, noise

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import ParameterError
from stream_match.events import Evidence, MatchFacts, Track
from stream_match.match.tracking.near_misses import REMEMBERED, WINDOW_S, NearMisses
from stream_match.match.tracking.trace import REASONS, Trace, TracedCandidate


def candidate(track, score, rejection="score"):
    facts = MatchFacts(
        phase="started",
        match_id="0",
        stream_s=0.0,
        started_s=0.0,
        track=Track(id=track),
        reference_s=0.0,
        score=score,
        confidence=0.0,
        false_alarms_per_hour=1.0,
        evidence=Evidence(faiss_votes=0, lsh_votes=0, similarity=0.0, coverage=0.0),
    )
    return TracedCandidate(track, score, rejection, lambda: facts)


def seen(*decisions):
    """What is kept after decisions: (stream time, candidates …)."""
    misses = NearMisses()
    for stream_s, *candidates in decisions:
        misses(Trace("recording", stream_s, tuple(candidates)))
    return [(miss.facts.track.id, miss.facts.score, miss.stream_s) for miss in misses.best_first()]


def test_the_best_moment_of_each_track_is_kept_best_first():
    assert seen(
        (1.0, candidate("a", 3.0), candidate("b", 5.0)),
        (2.0, candidate("a", 6.0), candidate("b", 4.0)),
        (3.0, candidate("a", 2.0)),
    ) == [("a", 6.0, 2.0), ("b", 5.0, 1.0)]


def test_what_is_older_than_a_minute_is_forgotten():
    late = 1.0 + WINDOW_S + 0.1
    assert seen((1.0, candidate("a", 9.0)), (late, candidate("b", 1.0))) == [("b", 1.0, late)]
    # A track that comes again begins anew.
    assert seen((1.0, candidate("a", 9.0)), (late, candidate("a", 1.0))) == [("a", 1.0, late)]


@pytest.mark.parametrize("rejection", [None, "known"])
def test_what_is_claimed_is_no_miss(rejection):
    assert seen((1.0, candidate("a", 3.0)), (2.0, candidate("a", 9.0, rejection))) == []


def test_memory_is_bounded_and_keeps_the_best():
    kept = seen(*((n / 100, candidate(str(n), float(n))) for n in range(10 * REMEMBERED)))
    assert [score for _, score, _ in kept] == [float(n) for n in range(9 * REMEMBERED, 10 * REMEMBERED)][::-1]


def test_every_reason_is_a_sentence():
    misses = NearMisses()
    misses(Trace("version", 1.0, (candidate("a", 3.0, "faint"),)))
    (miss,) = misses.best_first()
    assert (miss.lane, miss.rejection, miss.why) == ("version", "faint", REASONS["faint"])


@pytest.fixture(scope="module")
def index():
    return catalogue(PIECES)


def heard(engine, y):
    return [fact for start in range(0, len(y), RATE_HZ) for fact in engine.feed(y[start : start + RATE_HZ])]


def test_an_engine_says_what_nearly_matched(index):
    engine = Engine(index)
    heard(engine, noise(3, 12.0))
    misses = engine.near_misses()
    assert misses
    assert {miss.rejection for miss in misses} <= set(REASONS)
    assert engine.near_misses() == misses
    assert Engine().near_misses() == []


def test_a_budget_changes_what_is_claimed_from_then_on(index):
    """A faint piece: a claim for who puts up with much, none for who puts up with nothing."""
    y = next(iter(PIECES.values()))[: 10 * RATE_HZ]
    strict, told = Engine(index), Engine(index, MatchSettings(max_false_alarms_per_hour=1e-200))
    strict.put_up_with(1e-200)
    assert heard(strict, y) == heard(told, y) == []
    assert "score" in {miss.rejection for miss in strict.near_misses()}
    strict.put_up_with(0.1)
    assert [fact.phase for fact in heard(strict, y)][:1] == ["started"]


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan, np.inf])
def test_what_is_no_budget_is_refused(index, budget):
    engine = Engine(index)
    with pytest.raises(ParameterError, match="above 0"):
        engine.put_up_with(budget)
