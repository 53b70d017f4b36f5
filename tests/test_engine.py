"""The engine on music from a seed: what it must find, what it must not, and what it tells."""

import json

import numpy as np
import pytest
from music import (
    PIECES,
    RATE_HZ,
    SETTINGS,
    catalogue,
    check_lives,
    cut,
    hear,
    louder,
    noise,
    piece,
    played_faster,
    reads,
    silence,
    tones,
)

from stream_match.catalog.background import ready
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import ParameterError
from stream_match.match.tuning import UPDATE_S

PLACE_S = 0.2

STEADY = {
    "hum": (((50, 100, 150, 250), 20), {}),
    "sine": (((440,), 20), {}),
    "organ": (((220, 277.2, 329.6, 440), 20), {"harmonics": 6}),
}
STRANGE = {
    "silence": silence(20),
    "white noise": noise(1, 20),
    **{name: tones(*given, **more) for name, (given, more) in STEADY.items()},
    "clicks": np.tile(np.eye(1, RATE_HZ // 2, dtype=np.float32)[0], 40),
    **{f"unknown {seed}": piece(seed, 20) for seed in (101, 102, 103)},
}


def found(facts, name, offset_s, *, within_s, speed=1.0):
    """Assert that one match tells this track, in time and where it is, in every event."""
    check_lives(facts)
    assert [one.phase for one in facts].count("started") == 1, facts
    assert facts[0].stream_s <= within_s
    for one in facts:
        assert one.track.id == name
        assert one.reference_s == pytest.approx(offset_s + speed * one.stream_s, abs=PLACE_S)
    return facts


@pytest.mark.parametrize(
    ("name", "start_s"), [*((name, 17.777) for name in PIECES), ("p3", 0.0), ("p4", 0.0)]
)
def test_a_known_piece_is_found_where_it_is(reference, name, start_s):
    facts = found(hear(reference, cut(PIECES[name], start_s, 12)), name, start_s, within_s=5)
    last = facts[-1]
    assert last.speed == pytest.approx(1, abs=0.01)
    assert last.started_s <= 1.5
    assert last.ended_s == pytest.approx(12, abs=0.5)
    assert last.confidence > 0.9
    assert last.false_alarms_per_hour <= MatchSettings().max_false_alarms_per_hour
    assert last.evidence.faiss_votes + last.evidence.lsh_votes > 0
    assert last.evidence.same_recording == last.evidence.repeats_s == ()
    assert last.evidence.runner_up is None or last.evidence.runner_up.track.id != name


@pytest.fixture(
    scope="module", params=[(name, v) for name in ("p0", "p2", "p5") for v in (0.98, 1.02)], ids=str
)
def turntable(request, reference):
    """Twenty seconds of a piece at another speed, from 10 s on, and what is told of them."""
    name, speed = request.param
    return name, speed, hear(reference, played_faster(cut(PIECES[name], 10, 20), speed))


def test_a_piece_played_faster_is_found(turntable):
    name, speed, facts = turntable
    found(facts, name, 10, within_s=12, speed=speed)


def test_the_speed_is_right_in_the_end(turntable):
    _, speed, facts = turntable
    assert facts[-1].speed == pytest.approx(speed, abs=0.01)


@pytest.fixture(scope="module", params=[("p0", 1.03), ("p2", 0.97), ("p5", 1.03), ("p6", 0.97)], ids=str)
def far_off_turntable(request, reference):
    name, speed = request.param
    return name, speed, hear(reference, played_faster(cut(PIECES[name], 10, 20), speed))


def test_a_piece_half_a_semitone_off_is_found(far_off_turntable):
    name, speed, facts = far_off_turntable
    found(facts, name, 10, within_s=12, speed=speed)


def test_a_turntable_is_told_by_its_speed(far_off_turntable):
    """Speed and pitch are one; 1 % are 0.17 semitones."""
    name, speed, facts = far_off_turntable
    last = [one for one in facts if one.track.id == name][-1]
    assert last.speed == pytest.approx(speed, abs=0.01)
    assert last.semitones == pytest.approx(12 * np.log2(speed), abs=0.2)


@pytest.mark.parametrize("semitones", [-1.0, -0.5, 0.5, 1.0])
@pytest.mark.parametrize("name", ["p1", "p4", "p6"])
def test_a_piece_that_is_played_in_another_key_is_found(reference, name, semitones):
    y = cut(piece(int(name[1]), 40, semitones), 12, 14)
    facts = found(hear(reference, y), name, 12, within_s=10)
    for one in facts:
        assert one.semitones == pytest.approx(semitones, abs=0.01)
    assert facts[-1].speed == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", ["p0", "p3", "p7"])
def test_what_is_in_its_key_is_told_so(reference, name):
    for one in hear(reference, cut(PIECES[name], 17, 12)):
        assert (one.track.id, one.semitones) == (name, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: louder(y, 20),
        lambda y: louder(louder(y, 20), -50),
        lambda y: np.clip(4 * y / np.abs(y).max(), -1, 1),
        lambda y: y + np.float32(0.3),
        lambda y: -y,
        lambda y: y + noise(5, len(y) / RATE_HZ, 0.3 * float(np.std(y))),
    ],
    ids=["20 dB louder", "50 dB quieter", "clipped", "DC offset", "inverted", "noise at 10 dB"],
)
@pytest.mark.parametrize("name", ["p1", "p4"])
def test_a_damaged_piece_is_found(reference, name, change):
    y = change(cut(PIECES[name], 12, 14))
    found(hear(reference, y), name, 12, within_s=10)


@pytest.mark.parametrize("name", STRANGE)
def test_nothing_is_claimed_of_what_is_not_known(reference, name):
    assert hear(reference, STRANGE[name]) == []


@pytest.mark.parametrize("name", STEADY)
def test_a_steady_sound_is_never_a_match_even_if_it_is_known(name):
    drone = tones(*STEADY[name][0], **STEADY[name][1], seed=1)
    known = catalogue({**{name: PIECES[name] for name in ("p0", "p1", "p2")}, "drone": drone})
    assert hear(ready(known), STRANGE[name]) == []


def test_repeats_in_a_twin_hide_nothing():
    bars = np.concatenate([cut(PIECES["p3"], start, 4) for start in (2, 9, 2, 16, 9, 2, 23, 16)])
    twins = catalogue({"one": bars, "other": bars})
    for start in (0, 5, 11, 17, 22):
        facts = hear(twins, cut(bars, start, 6), max_false_alarms_per_hour=100)
        assert [one.phase for one in facts].count("started") == 1, start


@pytest.mark.parametrize("n_names", [2, 3, 5])
def test_one_recording_under_several_names_is_one_match(n_names):
    names = {"p3", *(f"copy {number}" for number in range(1, n_names))}
    twins = catalogue({**dict.fromkeys(sorted(names), PIECES["p3"]), **PIECES})
    facts = hear(twins, cut(PIECES["p3"], 9, 12))
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}
    for one in facts:
        assert sorted([one.track.id, *(t.id for t in one.evidence.same_recording)]) == sorted(names)


OTHERS = {name: y for name, y in PIECES.items() if name != "p3"}


@pytest.mark.parametrize("trim_s", [0.06, 0.1, 0.62])
def test_copies_that_are_cut_differently_are_one_recording(trim_s):
    copies = {f"cut {number}": cut(PIECES["p3"], number * trim_s, 40) for number in range(3)}
    facts = hear(catalogue({**copies, **OTHERS}), cut(PIECES["p3"], 9, 14) + noise(3, 14, level=0.05))
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}
    assert sorted([facts[-1].track.id, *(t.id for t in facts[-1].evidence.same_recording)]) == sorted(copies)


@pytest.mark.parametrize(
    "between", [silence(5), noise(4, 5), piece(77, 5)], ids=["silence", "noise", "other"]
)
def test_after_an_interruption_the_first_part_is_not_claimed_again(reference, between):
    y = np.array(cut(PIECES["p5"], 2, 36))
    y[12 * RATE_HZ : 12 * RATE_HZ + len(between)] = between
    facts = hear(reference, y)
    check_lives(facts)
    lives = [one for one in facts if one.track.id == "p5"]
    ended, started = ([one for one in lives if one.phase == phase] for phase in ("ended", "started"))
    assert len(started) == 2
    assert started[1].started_s > ended[0].ended_s - 1


@pytest.mark.parametrize("level", [0.15, 0.5, 1.0])
def test_what_resembles_what_sounds_is_no_second_match(level):
    """Neither a track that quotes it nor one that has the same chords, however much may be claimed."""
    quoting = piece(50, 40) + np.float32(level) * PIECES["p1"]
    reference = catalogue({**PIECES, "quoting": quoting})
    facts = hear(reference, cut(PIECES["p1"], 5, 25), max_false_alarms_per_hour=10)
    check_lives(facts)
    assert {one.track.id for one in facts} == {"p1"}


def test_a_mixture_of_two_is_two_matches():
    mixed = cut(PIECES["p1"], 5, 25) + cut(PIECES["p4"], 11, 25)
    facts = hear(catalogue(PIECES), mixed)
    check_lives(facts)
    assert {one.track.id for one in facts} == {"p1", "p4"}


@pytest.mark.parametrize("n_verses", [2, 3, 5])
def test_the_repeats_of_a_passage_are_told(n_verses):
    verse = cut(PIECES["p6"], 0, 14)
    between = [cut(piece(200 + number, 10), 0, 10) for number in range(n_verses)]
    song = np.concatenate([part for other in between for part in (verse, other)])
    others = {name: y for name, y in PIECES.items() if name != "p6"}
    facts = hear(catalogue({"song": song, **others}), cut(verse, 2, 8))
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "song")}
    for told in facts:
        places = sorted([told.reference_s, *told.evidence.repeats_s])
        verses = [round((place - 2 - told.stream_s) / 24) for place in places]
        assert places == pytest.approx([told.stream_s + 2 + 24 * verse for verse in verses], abs=PLACE_S)
        assert len(set(verses)) == len(verses) >= 2
        assert set(verses) <= set(range(n_verses))


@pytest.mark.parametrize("broken", [{"gap_s": 2.5}, {"discontinuity": True}])
def test_a_gap_ends_the_match_and_it_starts_anew(reference, broken):
    lost_s = broken.get("gap_s", 0.0)
    engine = Engine(reference, MatchSettings())
    facts = engine.feed(cut(PIECES["p5"], 10, 8))
    assert facts[0].phase == "started"
    at_gap = engine.feed(cut(PIECES["p5"], 18 + lost_s, 8), **broken)
    assert (at_gap[0].phase, at_gap[0].match_id) == ("ended", "1")
    assert at_gap[0].ended_s <= 8
    facts += at_gap + engine.flush()
    check_lives(facts)
    second = [one for one in facts if one.match_id == "2"]
    assert [second[0].phase, second[-1].phase] == ["started", "ended"]
    assert second[0].started_s >= 8 + lost_s
    for one in facts:
        assert one.reference_s == pytest.approx(10 + one.stream_s, abs=PLACE_S)
    assert engine.stream_s == pytest.approx(16 + lost_s)


def test_a_match_ends_when_its_piece_does(reference):
    facts = hear(reference, noise(3, 6), cut(PIECES["p2"], 5, 12), piece(104, 15), cut(PIECES["p4"], 8, 10))
    check_lives(facts)
    ends = [one for one in facts if one.phase == "ended"]
    assert [(one.match_id, one.track.id) for one in ends] == [("1", "p2"), ("2", "p4")]
    for one, begin_s, end_s in zip(ends, (6, 33), (18, 43), strict=True):
        assert one.started_s == pytest.approx(begin_s, abs=2)
        assert one.ended_s == pytest.approx(end_s, abs=2)
        # Noticed not much later than it could be.
        assert one.stream_s <= end_s + 6


@pytest.mark.parametrize(("name", "first", "then"), [("p0", 5, 30), ("p3", 25, 8)])
def test_a_piece_that_jumps_goes_on_as_one_match(reference, name, first, then):
    facts = hear(reference, cut(PIECES[name], first, 12), cut(PIECES[name], then, 10))
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}
    assert facts[-1].reference_s - facts[-1].stream_s == pytest.approx(then - 12, abs=0.1)


@pytest.mark.parametrize("pause_s", [1.0, 2.0, 2.8])
def test_a_pause_is_no_end(reference, pause_s):
    y = PIECES["p2"].copy()
    cut(y, 15, pause_s)[:] = 0
    facts = hear(reference, y)
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}
    assert facts[-1].ended_s == pytest.approx(40, abs=0.1)


def test_a_silence_that_its_track_holds_is_no_end_however_long():
    gapped = np.concatenate([cut(PIECES["p1"], 0, 12), silence(15), cut(PIECES["p1"], 12, 14)])
    facts = hear(catalogue({**PIECES, "p1": gapped}), gapped)
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "p1")}
    assert facts[-1].ended_s == pytest.approx(41, abs=0.1)


JINGLE = np.concatenate([cut(PIECES["p1"], 0, 6), silence(60), cut(PIECES["p1"], 6, 4)])


def test_what_is_played_again_in_a_silence_of_its_track_is_another_match():
    jingle = cut(JINGLE, 0, 6)
    facts = hear(catalogue({**PIECES, "p1": JINGLE}), jingle, silence(10), jingle, silence(20), jingle)
    check_lives(facts)
    ended = [one for one in facts if one.phase == "ended"]
    assert [one.track.id for one in ended] == ["p1", "p1", "p1"]
    for one, begin_s in zip(ended, (0, 16, 42), strict=True):
        assert one.started_s == pytest.approx(begin_s, abs=1)
        assert one.ended_s == pytest.approx(begin_s + 6, abs=1)


def test_what_is_not_heard_again_after_a_silence_of_its_track_had_ended_before_it():
    facts = hear(catalogue({**PIECES, "p1": JINGLE}), cut(JINGLE, 0, 14), cut(PIECES["p2"], 0, 10))
    check_lives(facts)
    first, other = [one for one in facts if one.phase == "ended"]
    assert (first.track.id, other.track.id) == ("p1", "p2")
    assert first.ended_s == pytest.approx(6, abs=1)


def test_a_silence_to_the_end_of_its_track_keeps_no_match():
    silent_end = np.concatenate([cut(PIECES["p1"], 0, 12), silence(60)])
    facts = hear(catalogue({**PIECES, "p1": silent_end}), cut(silent_end, 0, 30))
    check_lives(facts)
    assert facts[-1].ended_s == pytest.approx(12, abs=1)
    assert facts[-1].stream_s < 12 + 6


def test_what_is_drowned_just_after_its_start_goes_on_when_heard_again(reference):
    played = PIECES["p2"][5 * RATE_HZ :].copy()
    cut(played, 4, 3)[:] = 0
    heard = (played + noise(4, len(played) / RATE_HZ, 0.15))[: 19 * RATE_HZ]
    cut(heard, 4, 3)[:] *= 6
    facts = hear(reference, heard)
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "p2")}
    assert facts[0].stream_s < 5


def test_what_comes_back_after_its_end_is_told_as_soon_as_anything(reference):
    facts = hear(reference, cut(PIECES["p2"], 0, 15), silence(6), cut(PIECES["p2"], 21, 10))
    check_lives(facts)
    first, again = [one for one in facts if one.phase == "started"]
    assert again.started_s == pytest.approx(21, abs=0.5)
    assert again.stream_s - 21 < first.stream_s + 0.5


@pytest.mark.parametrize("seconds", [8, 20])
def test_old_evidence_starts_nothing_when_something_else_begins(seconds):
    """Just after a silence, what sounded before it is above background scores that are about nothing."""
    loop = np.tile(cut(PIECES["p4"], 10, 6), 7)
    known = ready(catalogue({**PIECES, "loop": loop}))
    facts = hear(known, cut(loop, 0, seconds), silence(10), piece(101, 10))
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}


@pytest.mark.parametrize("name", ["p0", "p2", "p4"])
def test_a_match_that_falls_silent_ends_soon(reference, name):
    facts = hear(reference, cut(PIECES[name], 10, 12), silence(8))
    check_lives(facts)
    last = facts[-1]
    assert (last.track.id, last.phase) == (name, "ended")
    assert last.ended_s == pytest.approx(12, abs=1.5)
    assert last.stream_s <= 12 + 6


def test_a_loop_is_heard_to_its_end(reference):
    facts = hear(ready(reference), np.tile(cut(PIECES["p4"], 10, 2), 30), silence(4))
    check_lives(facts)
    assert {one.track.id for one in facts} <= {"p4"}
    assert all(one.ended_s <= 62 for one in facts if one.phase == "ended")


@pytest.mark.parametrize("n_frames", range(6))
def test_a_stretch_of_any_length_can_end(reference, n_frames):
    """Just before, at and after the first code, then the second and so on."""
    n = round(SETTINGS.listening().first_span_s * RATE_HZ) + (n_frames - 1) * SETTINGS.hop_samples
    engine = Engine(reference, MatchSettings())
    assert engine.feed(cut(PIECES["p0"], 5, 5)[:n]) + engine.flush() == []
    assert engine.stream_s == n / RATE_HZ


@pytest.mark.parametrize("before_s", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_two_seconds_are_enough(reference, before_s):
    """Less is heard than a code spans: the rest is guessed, the silence before the first sound as well."""
    facts = hear(reference, silence(before_s), cut(PIECES["p0"], 5, 1.8))
    check_lives(facts)
    assert [one.track.id for one in facts if one.phase == "started"] == ["p0"]
    assert facts[0].reference_s == pytest.approx(5 + facts[0].stream_s - before_s, abs=0.05)
    assert facts[0].started_s == pytest.approx(before_s, abs=0.3)


@pytest.mark.parametrize("sounds_s", [0.05, 0.2])
def test_of_a_blip_nothing_is_told(reference, sounds_s):
    assert hear(reference, cut(PIECES["p0"], 5, sounds_s), silence(6)) == []


@pytest.mark.parametrize("semitones", [-2.0, -1.5, 1.5, 2.0])
def test_what_sounds_up_to_two_semitones_higher_or_lower_is_found(reference, librosa, semitones):
    y = librosa.effects.pitch_shift(cut(PIECES["p1"], 4, 8), sr=RATE_HZ, n_steps=semitones)
    facts = hear(reference, y.astype(np.float32))
    check_lives(facts)
    assert [(one.track.id, one.semitones) for one in facts if one.phase == "ended"] == [("p1", semitones)]


def test_the_cut_changes_no_byte(reference):
    y = np.concatenate([cut(PIECES["p0"], 5, 7), silence(4), cut(PIECES["p1"], 5, 6)])
    whole = hear(reference, y)
    assert {one.match_id for one in whole} == {"1", "2"}
    for block in (97, 4096, 22_050):
        engine = Engine(reference, MatchSettings())
        facts = [one for start in range(0, len(y), block) for one in engine.feed(y[start : start + block])]
        assert reads(facts + engine.flush()) == reads(whole)
        assert engine.stream_s == len(y) / RATE_HZ


def test_what_is_short_or_only_just_over_is_held_back_whatever_the_cut(reference):
    y = np.concatenate([cut(PIECES["p0"], 5, 14), cut(PIECES["p1"], 5, 6), cut(PIECES["p0"], 5, 14)])
    assert [one.track.id for one in hear(reference, y) if one.phase == "started"] == ["p0", "p1", "p0"]
    whole = hear(reference, y, min_seconds=8, cooldown_seconds=60)
    check_lives(whole)
    assert {(one.track.id, one.started_s) for one in whole} == {("p0", 0.0)}
    assert 8 <= whole[0].stream_s <= 8 + UPDATE_S
    settings = MatchSettings(min_seconds=8, cooldown_seconds=60)
    for block in (97, 4096, 22_050):
        engine = Engine(reference, settings)
        facts = [one for start in range(0, len(y), block) for one in engine.feed(y[start : start + block])]
        assert reads(facts + engine.flush()) == reads(whole)
    rested = Engine(reference, settings)
    rested.rest({"p0": -20.0})
    assert rested.feed(y) + rested.flush() == []


def test_flush_ends_the_stream_and_can_be_repeated(reference):
    engine = Engine(reference, MatchSettings())
    y = cut(PIECES["p7"], 3, 8)
    first = engine.feed(y) + engine.flush()
    assert engine.flush() == []
    again = engine.feed(y) + engine.flush()
    check_lives(first + again)
    assert [one.match_id for one in again] == ["2"] * len(again)
    assert [one.phase for one in again] == [one.phase for one in first]


def test_candidates_are_told_best_first(reference):
    engine = Engine(reference, MatchSettings())
    engine.feed(STRANGE["unknown 101"])
    engine.flush()
    candidates = engine.candidates()
    assert candidates
    scores = [one.score for one in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len({one.track.id for one in candidates}) == len(candidates)


def test_a_larger_budget_of_false_alarms_claims_sooner(reference):
    y = cut(PIECES["p6"], 15, 8) + 0.5 * noise(3, 8)
    strict, lax = (hear(reference, y, max_false_alarms_per_hour=rate)[0].stream_s for rate in (1e-6, 1000))
    assert lax < strict


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(9, np.int16), "int16"),
        (np.zeros(9), "float64"),
        (np.zeros((9, 2), np.float32), r"shape \(9, 2\)"),
        (np.array([0, np.nan], np.float32), "finite"),
        (np.array([0, np.inf], np.float32), "finite"),
    ],
)
def test_what_is_no_audio_is_refused_and_nothing_heard(reference, y, message):
    engine = Engine(reference, MatchSettings())
    with pytest.raises(ParameterError, match=message):
        engine.feed(y)
    assert engine.stream_s == 0
    assert engine.feed(np.empty(0, np.float32)) == []


@pytest.mark.parametrize("gap_s", [-1, -1e-9, float("nan"), float("inf")])
def test_a_gap_has_a_length(reference, gap_s):
    with pytest.raises(ParameterError, match="gap_s"):
        Engine(reference, MatchSettings()).feed(silence(1), gap_s=gap_s)


def test_what_was_given_stays_as_it_is(reference):
    y = cut(PIECES["p0"], 0, 6).copy()
    y.flags.writeable = False
    twin = y.copy()
    hear(reference, y)
    assert (y == twin).all()


def test_facts_are_json(reference):
    for one in hear(reference, cut(PIECES["p0"], 0, 6)):
        assert json.loads(one.model_dump_json())["track"]["id"] == "p0"
