"""An engine that goes on with another snapshot of its catalogue, between any two blocks."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from music import (
    PIECES,
    RATE_HZ,
    SETTINGS,
    catalogue,
    check_lives,
    cut,
    fit_to_tracks,
    frames_of,
    noise,
    piece,
    reads,
    silence,
)

from stream_match.config import MatchSettings, OnsetSettings
from stream_match.engine import Engine
from stream_match.errors import ParameterError
from stream_match.events import Track
from stream_match.index.catalogue import Part, catalogue_of
from stream_match.index.coding import HASHED_STRIDE, TrackCodes, code_track
from stream_match.index.faiss_index import build_faiss
from stream_match.index.segment import build_segment
from stream_match.index.tracks import GONE
from stream_match.match.recogniser import Recogniser
from stream_match.match.tracking.lifecycle import State

NEW = piece(77, 40)


@cache
def planes():
    return fit_to_tracks([frames_of(y) for y in PIECES.values()], SETTINGS)


@cache
def of(*names, new=False, **how):
    """A catalogue of some pieces; each is made once."""
    recordings = {name: PIECES[name] for name in names} | ({"new": NEW} if new else {})
    return catalogue(recordings, planes=planes(), **how)


all_pieces = partial(of, *PIECES)


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
        partial(of, *PIECES, new=True),
        partial(of, *reversed(PIECES)),
        partial(of, *PIECES, cuts=(3, 5)),
        partial(of, "p7", "p3", "p5", "p1"),
        all_pieces,
    ],
    ids=["added", "other order", "other segments", "others removed", "the same"],
)
def test_a_match_goes_on_with_its_id(later, block):
    y = cut(PIECES["p3"], 5, 16)
    facts = heard(Engine(all_pieces()), y, {7.0: later()}, block)
    check_lives(facts)
    without = heard(Engine(all_pieces()), y, {}, block)
    assert [one for one in told(facts) if one[1] != "updated"] == [
        one for one in told(without) if one[1] != "updated"
    ]
    assert {one.match_id for one in facts} == {"1"}


def test_what_was_added_is_found_from_then_on():
    y = cut(NEW, 3, 24)
    assert heard(Engine(all_pieces()), y, {}) == []
    facts = heard(Engine(all_pieces()), y, {10.0: of(*PIECES, new=True)})
    check_lives(facts)
    assert {one.track.id for one in facts} == {"new"}
    assert 10 < facts[0].stream_s < 18


@pytest.mark.parametrize("at_s", [5.0, 9.3])
def test_what_was_removed_ends_at_once_and_does_not_come_back(at_s):
    engine = Engine(all_pieces())
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


def test_with_other_hyperplanes_a_match_goes_on_and_ends_by_itself():
    others = fit_to_tracks([frames_of(piece(seed, 20)) for seed in range(300, 306)], SETTINGS)
    anew = catalogue(PIECES, planes=others)
    parts = cut(PIECES["p3"], 5, 16), noise(1, 8), cut(PIECES["p6"], 3, 12)
    engine, facts, at = Engine(all_pieces()), [], 0
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
    engine = Engine(all_pieces())
    y = cut(PIECES["p3"], 5, 14)
    facts = engine.feed(y[: 8 * RATE_HZ])
    other = replace(all_pieces(), settings=SETTINGS.model_copy(update={"chroma": "power"}))
    for refused in (other, of(*PIECES, versions=True)):
        with pytest.raises(ParameterError, match="other settings"):
            engine.take_up(refused)
    facts += engine.feed(y[8 * RATE_HZ :]) + engine.flush()
    assert facts == heard(Engine(all_pieces()), y, {}, 8 * RATE_HZ)


def test_who_matches_nothing_takes_up_nothing():
    assert Engine().take_up(all_pieces()) == []


SNAPSHOTS = [
    all_pieces,
    partial(of, *PIECES, new=True),
    partial(of, *reversed(PIECES), cuts=(2,)),
    partial(of, "p1", "p3"),
    of,
]


@hypothesis_settings(max_examples=15, deadline=None)
@given(
    parts=st.lists(st.sampled_from(["p1", "p3", "new", "noise"]), min_size=1, max_size=3),
    swaps=st.dictionaries(st.integers(0, 20), st.sampled_from(range(len(SNAPSHOTS))), max_size=4),
)
def test_whatever_is_taken_up_every_start_has_its_end(parts, swaps):
    sounds = PIECES | {"new": NEW, "noise": noise(2, 8)}
    engine, facts, second = Engine(all_pieces(), MatchSettings(max_false_alarms_per_hour=10)), [], 0
    for name in parts:
        y = cut(sounds[name], 1, 7)
        for start in range(0, len(y), RATE_HZ):
            if second in swaps:
                facts += engine.take_up(SNAPSHOTS[swaps[second]]())
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


both_lanes = partial(of, *PIECES, versions=True)
four_of_both_lanes = partial(of, "p7", "p3", "p5", "p1", versions=True)
without_p3 = partial(of, "p7", "p5", "p1", versions=True)


@cache
def coded_anew():
    others = fit_to_tracks([frames_of(piece(seed, 20)) for seed in range(300, 306)], SETTINGS)
    return catalogue(PIECES, planes=others, versions=True)


PROGRAMME = np.concatenate([cut(PIECES["p3"], 5, 8), noise(1, 2), cut(PIECES["p5"], 3, 6)])


def said(block, swaps):
    """Lines of JSON of both lanes and the onsets; snapshots come at the same samples for any block."""
    engine = Engine(both_lanes(), MatchSettings(max_false_alarms_per_hour=10), OnsetSettings())
    facts, at = [], 0
    for until, newer in [*swaps.items(), (len(PROGRAMME), None)]:
        while at < until:
            some = PROGRAMME[at : min(at + block, until)]
            facts += engine.feed(some)
            at += len(some)
        facts += engine.take_up(newer()) if newer is not None else []
    return reads(facts + engine.flush())


@pytest.mark.parametrize(
    "swaps",
    [
        {150_003: without_p3},
        {90_001: four_of_both_lanes, 150_003: coded_anew, 150_004: without_p3, 240_000: both_lanes},
    ],
    ids=["one", "many"],
)
def test_facts_are_the_same_however_the_audio_beside_a_swap_is_cut(swaps):
    whole = said(10**7, swaps)
    assert {"p3", "p5"} <= {name for name in PIECES if any(f'"{name}"' in line for line in whole)}
    assert any("onset_s" in line for line in whole)
    for block in (700, 8_000, 50_000):
        assert said(block, swaps) == whole


CONTENTS = {
    "another piece": cut(piece(99, 25), 0, 25),
    "silence": silence(25),
    "nearly nothing": cut(PIECES["p3"], 0, 3),
    "the same, later": np.concatenate([noise(9, 10, 0.05), PIECES["p3"]]),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_where_an_id_gets_other_content_its_match_ends_or_goes_on_in_it(content):
    y = CONTENTS[content]
    later = catalogue(PIECES | {"p3": y}, planes=planes())
    facts = heard(Engine(all_pieces()), cut(PIECES["p3"], 3, 26), {10.0: later})
    check_lives(facts)
    assert {one.track.id for one in facts} == {"p3"}
    assert {one.match_id for one in facts} == {"1"}
    after = [one for one in facts if one.stream_s > 10.5]
    assert after[-1].phase == "ended"
    for one in after:
        assert 0 <= one.reference_s <= len(y) / RATE_HZ
    if content == "the same, later":
        assert after[-1].ended_s > 25
        for one in after:
            assert one.reference_s == pytest.approx(one.stream_s + 3 + 10, abs=0.1)
    else:
        assert after[-1].stream_s < 14


@pytest.mark.parametrize("away_s", [0.5, 3])
@pytest.mark.parametrize("versions", [False, True])
def test_what_was_removed_and_is_back_begins_no_sooner_than_it_ended(away_s, versions):
    names = [name for name in PIECES if name != "p3"]
    whole, without = (of(*some, versions=versions) for some in (PIECES, names))
    facts = heard(Engine(whole), cut(PIECES["p3"], 3, 24), {10: without, 10 + away_s: whole}, block=2_000)
    check_lives(facts)
    first, second = ([one for one in facts if one.match_id == number] for number in "12")
    assert first[-1].ended_s == pytest.approx(10, abs=0.5)
    assert second[0].started_s >= first[-1].ended_s
    assert second[-1].ended_s > 23


def test_the_version_lane_hears_that_a_recording_that_was_removed_is_over():
    recogniser, y = Recogniser(both_lanes(), MatchSettings()), cut(PIECES["p3"], 3, 20)
    recogniser.feed(y[: 14 * RATE_HZ])
    arbiter = recogniser._arbiter
    assert arbiter.sounds(State.CONFIRMED)
    assert arbiter.explained_s == 0
    recogniser.take_up(without_p3())
    assert not arbiter.sounds(State.CONFIRMED)
    assert 13 < arbiter.explained_s <= 14


def test_the_numbers_of_a_swap_are_found_out_once_for_all_engines(monkeypatch):
    later = of(*reversed(PIECES), versions=True)
    looked_up = []
    monkeypatch.setattr(
        type(later.tracks), "_looked_for", lambda mine, newer: looked_up.append(newer) or np.arange(len(mine))
    )
    for engine in [Engine(both_lanes()) for _ in range(3)]:
        engine.take_up(later)
    assert len(looked_up) == 1


MANY, SHORT = 100_000, 18
"""Tracks of 5 s have 18 codes."""


def test_a_hundred_thousand_short_tracks_are_searched_and_taken_up(monkeypatch):
    """All codes are compared: to build lists of 1.8 million takes half a minute, and tells nothing more."""
    monkeypatch.setattr("stream_match.index.faiss_index.build_faiss", partial(build_faiss, flat_up_to=10**9))
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 256, (MANY, SHORT, SETTINGS.n_bits // 8), dtype=np.uint8)
    chroma = rng.integers(
        0, 256, (MANY, -(-SHORT // HASHED_STRIDE), SETTINGS.chroma_bits // 8), dtype=np.uint8
    )
    audible = np.ones(SHORT, bool)
    tracks = [TrackCodes(own, hashed, audible) for own, hashed in zip(codes, chroma, strict=True)]
    tracks.append(code_track(frames_of(PIECES["p3"]), planes(), SETTINGS))
    segment = build_segment(tracks, SETTINGS)
    named = (*(Track(id=f"t{number}") for number in range(MANY)), Track(id="p3"))
    whole, fewer = (
        catalogue_of([Part(segment, named, frozenset(removed))], planes(), SETTINGS)
        for removed in ((), range(0, MANY, 3))
    )
    y = cut(PIECES["p3"], 5, 14)
    facts = heard(Engine(whole), y, {7.0: fewer})
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "p3")}
    assert [one.phase for one in facts] == ["started", "updated", "updated", "ended"]
    assert facts[0].stream_s < 4
    assert facts[-1].ended_s == pytest.approx(14, abs=0.1)
    numbers = whole.tracks.renumbered(fewer.tracks)
    assert numbers[[0, 1, 2, 3, 4, MANY]].tolist() == [GONE, 0, 1, GONE, 2, MANY - MANY // 3 - 1]
