"""An engine that goes on with another snapshot of its catalogue, between any two blocks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from music import PIECES, RATE_HZ, SETTINGS, catalogue, check_lives, cut, frames_of, noise, piece, silence

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import ParameterError
from stream_match.index.coding import fit_to_tracks

PLANES = fit_to_tracks([frames_of(y) for y in PIECES.values()], SETTINGS)
NEW = piece(77, 40)


def of(*names, new=False, **how):
    recordings = {name: PIECES[name] for name in names} | ({"new": NEW} if new else {})
    return catalogue(recordings, planes=PLANES, **how)


WHOLE = of(*PIECES)


def heard(engine, y, swaps, block=8_000):
    """What is said of a stream, and of snapshots that come at some seconds."""
    facts, swaps = [], dict(swaps)
    for start in range(0, len(y), block):
        for at_s in [at_s for at_s in swaps if at_s * RATE_HZ <= start]:
            facts += engine.take_up(swaps.pop(at_s))
        facts += engine.feed(y[start : start + block])
    return facts + engine.flush()


def told(facts):
    return [(one.match_id, one.phase, one.track.id, one.started_s) for one in facts]


@pytest.mark.parametrize("block", [1_000, 8_000, 50_000])
@pytest.mark.parametrize(
    "later",
    [
        of(*PIECES, new=True),
        of(*reversed(PIECES)),
        of(*PIECES, cuts=(3, 5)),
        of("p7", "p3", "p5", "p1"),
        WHOLE,
    ],
    ids=["added", "other order", "other segments", "others removed", "the same"],
)
def test_a_match_goes_on_with_its_id(later, block):
    y = cut(PIECES["p3"], 5, 16)
    facts = heard(Engine(WHOLE), y, {7.0: later}, block)
    check_lives(facts)
    without = heard(Engine(WHOLE), y, {}, block)
    assert [one for one in told(facts) if one[1] != "updated"] == [
        one for one in told(without) if one[1] != "updated"
    ]
    assert {one.match_id for one in facts} == {"1"}


def test_what_was_added_is_found_from_then_on():
    y = cut(NEW, 3, 24)
    assert heard(Engine(WHOLE), y, {}) == []
    facts = heard(Engine(WHOLE), y, {10.0: of(*PIECES, new=True)})
    check_lives(facts)
    assert {one.track.id for one in facts} == {"new"}
    assert 10 < facts[0].stream_s < 18


@pytest.mark.parametrize("at_s", [5.0, 9.3])
def test_what_was_removed_ends_at_once_and_does_not_come_back(at_s):
    engine = Engine(WHOLE)
    y = cut(PIECES["p3"], 5, 20)
    n = round(at_s * RATE_HZ)
    facts = engine.feed(y[:n])
    assert facts[-1].phase != "ended"
    ended = engine.take_up(of("p0", "p1", "p2", "p4", "p5", "p6", "p7"))
    assert [(one.phase, one.track.id, one.match_id) for one in ended] == [("ended", "p3", facts[0].match_id)]
    assert ended[0].stream_s <= at_s
    facts += ended + engine.feed(y[n:]) + engine.flush()
    check_lives(facts)
    assert facts[-1] == ended[0]


LATER = np.concatenate([noise(9, 10, 0.05), PIECES["p3"]]).astype(np.float32)
"""The same piece, with ten seconds before it."""


@pytest.mark.parametrize("block", [1_000, 8_000, 50_000])
@pytest.mark.parametrize(
    "now",
    [PIECES["p6"][: 20 * RATE_HZ], PIECES["p3"][: 3 * RATE_HZ], silence(30), LATER],
    ids=["another piece", "its beginning", "silence", "later in it"],
)
def test_other_sound_under_the_same_id_ends_the_match_or_moves_it(now, block):
    """As after an `index update`: the id is known, and what was heard is not in it, or elsewhere."""
    y = cut(PIECES["p3"], 3, 26)
    recordings = {name: sound for name, sound in PIECES.items() if name != "p6"} | {"p3": now}
    facts = heard(Engine(WHOLE), y, {10.0: catalogue(recordings, planes=PLANES)}, block)
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "p3")}
    assert facts[0].stream_s < 5
    if now is LATER:
        assert facts[-1].ended_s > 25
        assert facts[-1].reference_s == pytest.approx(facts[-1].stream_s + 13, abs=0.1)
    else:
        assert 10 < facts[-1].stream_s < 15
        assert facts[-1].ended_s <= 12


def test_with_other_hyperplanes_a_match_goes_on_and_ends_by_itself():
    others = fit_to_tracks([frames_of(piece(seed, 20)) for seed in range(300, 306)], SETTINGS)
    anew = catalogue(PIECES, planes=others)
    parts = cut(PIECES["p3"], 5, 16), noise(1, 8), cut(PIECES["p6"], 3, 12)
    engine, facts, at = Engine(WHOLE), [], 0
    for y in parts:
        for start in range(0, len(y), 8_000):
            at += 1
            facts += engine.take_up(anew) if at == 20 else []
            facts += engine.feed(y[start : start + 8_000])
    facts += engine.flush()
    check_lives(facts)
    assert [(one.match_id, one.track.id) for one in facts if one.phase == "started"] == [
        ("1", "p3"),
        ("2", "p6"),
    ]
    first = [one for one in facts if one.match_id == "1"]
    assert 14 < first[-1].ended_s < 18


def test_what_needs_another_engine_is_refused_and_nothing_has_changed():
    engine = Engine(WHOLE)
    y = cut(PIECES["p3"], 5, 14)
    facts = engine.feed(y[: 8 * RATE_HZ])
    other = replace(WHOLE, settings=SETTINGS.model_copy(update={"chroma": "power"}))
    for refused in (other, of(*PIECES, versions=True)):
        with pytest.raises(ParameterError, match="other settings"):
            engine.take_up(refused)
    facts += engine.feed(y[8 * RATE_HZ :]) + engine.flush()
    assert facts == heard(Engine(WHOLE), y, {}, 8 * RATE_HZ)


def test_who_matches_nothing_takes_up_nothing():
    assert Engine().take_up(WHOLE) == []


SNAPSHOTS = [WHOLE, of(*PIECES, new=True), of(*reversed(PIECES), cuts=(2,)), of("p1", "p3"), of()]


@hypothesis_settings(max_examples=15, deadline=None)
@given(
    parts=st.lists(st.sampled_from(["p1", "p3", "new", "noise"]), min_size=1, max_size=3),
    swaps=st.dictionaries(st.integers(0, 20), st.sampled_from(range(len(SNAPSHOTS))), max_size=4),
)
def test_whatever_is_taken_up_every_start_has_its_end(parts, swaps):
    sounds = PIECES | {"new": NEW, "noise": noise(2, 8)}
    engine, facts, second = Engine(WHOLE, MatchSettings(max_false_alarms_per_hour=10)), [], 0
    for name in parts:
        y = cut(sounds[name], 1, 7)
        for start in range(0, len(y), RATE_HZ):
            if second in swaps:
                facts += engine.take_up(SNAPSHOTS[swaps[second]])
            facts += engine.feed(y[start : start + RATE_HZ])
            second += 1
    facts += engine.flush()
    lives = {}
    for one in facts:
        lives.setdefault(one.match_id, []).append(one.phase)
    for phases in lives.values():
        assert phases == ["started", *["updated"] * (len(phases) - 2), "ended"]
    times = [one.stream_s for one in facts]
    assert times == sorted(times)
