"""The lane in the engine: its facts, gaps, floods, restarts."""

import json

import numpy as np
import pytest
from features.features_samples import cuts, portions
from hypothesis import given, settings
from onset_samples import RATE_HZ, noise_of, placed

from stream_match.config import MatchSettings, OnsetSettings
from stream_match.engine import Engine
from stream_match.errors import ParameterError
from stream_match.events import ClusterFacts, OnsetClusterFacts, OnsetFacts
from stream_match.onsets.lane import OnsetLane
from stream_match.onsets.limit import Limit

PATTERN = [0, 1, 2, 3, 1, 0, 3, 2] * 2


def told(*parts, engine=None, **settings):
    """What an engine with the onset lane alone says of parts, each (samples, seconds lost before it)."""
    engine = engine or Engine(onsets=OnsetSettings(**settings))
    return [fact for y, gap_s in parts for fact in engine.feed(y, gap_s=gap_s)] + engine.flush()


def sounds(facts):
    return [fact for fact in facts if isinstance(fact, OnsetClusterFacts)]


def lines(facts):
    return [fact.model_dump_json(by_alias=True) for fact in facts]


def test_sounds_are_told_with_their_kinds():
    y, starts = placed(PATTERN, gains_db=np.linspace(-12, 12, 16) - 12, noise=0.0003)
    facts = told((y, 0.0))
    heard = sounds(facts)
    assert [fact.onset_s for fact in heard] == pytest.approx(starts / RATE_HZ, abs=0.01)
    assert len({fact.cluster_id for fact in heard}) == 4
    assert len({(kind, fact.cluster_id) for kind, fact in zip(PATTERN, heard, strict=True)}) == 4
    created = [fact.cluster_id for fact in facts if isinstance(fact, ClusterFacts)]
    assert created == ["0", "1", "2", "3"]
    for fact in heard:
        assert fact.new_cluster == (fact.cluster_size == 1)
        assert set(fact.features) == {
            "level_db", "centroid_octaves", "flatness_db", "zero_crossings", "attack_ms", "decay_db",
        }  # fmt: skip
        assert all(-1 < value < 1 for value in fact.features.values())
        assert 0.08 < fact.stream_s - fact.onset_s < 0.12


def test_onsets_are_told_at_once_only_when_asked_for():
    y, _ = placed([0, 1])
    assert not any(isinstance(fact, OnsetFacts) for fact in told((y, 0.0)))
    facts = told((y, 0.0), announce=True)
    first = [fact for fact in facts if isinstance(fact, OnsetFacts)]
    then = sounds(facts)
    assert [fact.onset_id for fact in first] == [fact.onset_id for fact in then] == ["1", "2"]
    for early, late in zip(first, then, strict=True):
        assert early.onset_s == late.onset_s
        assert early.stream_s - early.onset_s < 0.07 < late.stream_s - late.onset_s


@settings(max_examples=15, deadline=None)
@given(lengths=cuts(20_000))
def test_the_cut_changes_no_byte(lengths):
    y, _ = placed(PATTERN, noise=0.003)
    half = len(y) // 2
    whole = told((y[:half], 0.0), (y[half:], 1.5), announce=True)
    engine = Engine(onsets=OnsetSettings(announce=True))
    facts = [fact for part in portions(y[:half], lengths) for fact in engine.feed(part)]
    facts += engine.feed(np.empty(0, np.float32), gap_s=1.5)
    facts += [fact for part in portions(y[half:], lengths) for fact in engine.feed(part)]
    assert lines(facts + engine.flush()) == lines(whole)


def test_both_lanes_tell_in_order_whatever_the_cut(reference):
    from music import PIECES, cut

    drums, _ = placed(PATTERN)
    y = np.concatenate([cut(PIECES["p0"], 5, 8), drums])
    orders = []
    for block in (999, 22_050, len(y)):
        engine = Engine(reference, MatchSettings(), OnsetSettings())
        facts = [fact for part in portions(y, [block] * (len(y) // block)) for fact in engine.feed(part)]
        facts += engine.flush()
        assert {type(fact).__name__ for fact in facts} == {"MatchFacts", "OnsetClusterFacts", "ClusterFacts"}
        orders.append(lines(facts))
    assert orders[0] == orders[1] == orders[2]
    alone = Engine(reference, MatchSettings())
    matches = [*alone.feed(y), *alone.flush()]
    assert lines(matches) == [line for line in orders[0] if '"match_id"' in line]


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_a_gap_is_no_onset_and_time_goes_on_over_it(offset):
    y, starts = placed([0, 1], noise=0.01)
    facts = sounds(told((y, 0.0), (y + np.float32(offset), 2.0)))
    expected = [*(starts / RATE_HZ), *(starts / RATE_HZ + len(y) / RATE_HZ + 2.0)]
    assert [fact.onset_s for fact in facts] == pytest.approx(expected, abs=0.01)
    assert [fact.onset_id for fact in facts] == ["1", "2", "3", "4"]
    assert [fact.cluster_id for fact in facts] == ["0", "1", "0", "1"]


def test_a_sound_that_is_cut_off_is_told_if_enough_of_it_was_heard():
    y, starts = placed([1])
    assert len(sounds(told((y[: starts[0] + 1200], 0.0)))) == 1
    assert sounds(told((y[: starts[0] + 500], 0.0))) == []


def test_a_flood_is_bounded_and_counted():
    rain = np.zeros(60 * RATE_HZ, np.float32)
    # What begins in the last 90 ms is counted if it is left out, and not told if it is not.
    drops = np.random.default_rng(0).integers(0, len(rain) - RATE_HZ // 2, 1500)
    for number, drop in enumerate(drops):
        rain[drop : drop + 200] += noise_of(200 / RATE_HZ, 0.2, number)
    engine = Engine(onsets=OnsetSettings(max_onsets_per_second=2))
    facts = sounds(told((rain, 0.0), engine=engine))
    assert len(facts) <= 2 * 60 + 4
    assert engine.onsets_suppressed > 100
    assert len(sounds(told((rain, 0.0), max_onsets_per_second=25))) == len(facts) + engine.onsets_suppressed


def test_a_limit_lets_a_burst_pass():
    limit = Limit(5.0)
    assert [limit.allows(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert limit.allows(1.0)
    assert limit.suppressed == 1


@pytest.mark.parametrize("features", ["timbre", "seed"])
def test_a_restart_in_the_middle_changes_no_identity(features):
    y, _ = placed(PATTERN * 2, noise=0.001)
    half = len(y) // 2
    whole = Engine(onsets=OnsetSettings(features=features))
    expected = sounds(told((y[:half], 0.0), (y[half:], 0.001), engine=whole))
    first, second = (Engine(onsets=OnsetSettings(features=features)) for _ in range(2))
    heard = sounds(told((y[:half], 0.0), engine=first))
    second.remember(first.memory())
    assert second.memory() == first.memory()
    heard += sounds(told((y[half:], 0.0), engine=second))
    assert [(f.cluster_id, f.features, f.distance) for f in heard] == [
        (f.cluster_id, f.features, f.distance) for f in expected
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.update(format=0),
        lambda m: m.update(features="seed"),
        lambda m: m.pop("kinds"),
        lambda m: m.update(scale=3),
        lambda m: m["describer"].pop("level_db"),
        lambda m: m["kinds"].update(next_id=None),
    ],
)
def test_a_memory_that_is_none_is_refused_and_changes_nothing(spoil):
    engine = Engine(onsets=OnsetSettings())
    told((placed([0, 1])[0], 0.0), engine=engine)
    memory = json.loads(engine.memory())
    before = engine.memory()
    spoil(memory)
    with pytest.raises(ValueError, match=r"\w"):
        engine.remember(json.dumps(memory))
    for broken in ("", "[]", "{"):
        with pytest.raises(ValueError, match=r"\w"):
            engine.remember(broken)
    assert engine.memory() == before


def test_an_engine_without_the_lane_remembers_nothing(reference):
    engine = Engine(reference)
    assert engine.memory() is None
    engine.remember("whatever")
    assert engine.onsets_suppressed == 0


def test_nan_is_refused():
    engine = Engine(onsets=OnsetSettings())
    with pytest.raises(ParameterError, match="finite"):
        engine.feed(np.array([0, np.nan], np.float32))
    assert engine.feed(np.empty(0, np.float32)) == []


def test_what_was_given_stays_as_it_is():
    y, _ = placed([0, 1])
    y.flags.writeable = False
    OnsetLane(OnsetSettings(), RATE_HZ).feed(y)
