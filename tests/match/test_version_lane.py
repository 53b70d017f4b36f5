"""Versions recognised, and left unclaimed, from beginning to end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from version_samples import PIECES, REFERENCE, catalogue, hear, matcher_of, performance, silent

from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, State


def ended(facts):
    return [one for one in facts if one.phase == "ended"]


@pytest.mark.parametrize(("speed", "semitones"), [(1.0, 0), (0.82, -5), (1.22, 6), (1.1, 2)])
def test_another_performance_is_told_with_its_key_tempo_and_place(speed, semitones):
    heard = performance(4, 25, start_s=20, speed=speed, semitones=semitones, player=1)
    facts, _ = hear(REFERENCE, heard)
    (match,) = ended(facts)
    assert (match.track.id, match.kind, match.semitones) == ("p4", "version", semitones)
    assert match.speed == pytest.approx(speed, rel=0.02)
    assert match.reference_s == pytest.approx(20 + match.stream_s * speed, abs=0.5)
    assert match.started_s < 2
    assert match.confidence > 0.5


@pytest.mark.parametrize("seed", range(100, 106))
def test_an_unknown_piece_is_not_claimed(seed):
    facts, matcher = hear(REFERENCE, performance(seed, 60))
    assert facts == []
    assert matcher.unclaimed.best_first()


def test_silence_is_nothing():
    facts, matcher = hear(REFERENCE, silent(60))
    assert facts == []
    assert matcher.unclaimed.best_first() == []


def test_too_little_is_nothing():
    facts, _ = hear(REFERENCE, performance(4, 7))
    assert facts == []


def test_a_version_ends_when_it_is_over():
    heard = performance(4, 30, start_s=10, player=1), performance(200, 40), performance(9, 30, player=1)
    facts, _ = hear(REFERENCE, *heard)
    first, second = ended(facts)
    assert (first.track.id, second.track.id) == ("p4", "p9")
    assert first.ended_s == pytest.approx(30, abs=5)
    assert first.stream_s < 45
    assert second.started_s == pytest.approx(70, abs=4)
    assert [one.phase for one in facts].count("started") == 2


def test_a_repeat_is_one_match_that_jumps():
    heard = [performance(4, 20, start_s=10, player=1)] * 3
    facts, _ = hear(REFERENCE, *heard)
    assert len(ended(facts)) == 1
    assert {one.track.id for one in facts} == {"p4"}


@settings(max_examples=15, deadline=None)
@given(portions=st.lists(st.integers(0, 300), min_size=1, max_size=20))
def test_cuts_do_not_matter(portions):
    chroma = np.concatenate([performance(4, 25, player=1), performance(201, 12)])
    whole, _ = hear(REFERENCE, chroma, portion=len(chroma))
    matcher = matcher_of(REFERENCE)
    facts, first = [], 0
    for portion in [*portions, len(chroma)]:
        facts += matcher.feed(chroma[first : first + portion])
        first += portion
    assert facts + matcher.finish(0.0) == whole


def beside(*cues):
    """A version lane, the arbiter, and the id of a recording of something else that has got some cues."""
    arbiter = Arbiter()
    life, _ = arbiter.begin(Cue.CLAIMED, "another", 0.0)
    for cue in cues:
        arbiter.advance(life.match_id, cue, 0.0, 0.0)
    return matcher_of(REFERENCE, arbiter=arbiter), arbiter, life.match_id


def test_beside_what_is_surely_a_recording_no_version_goes_on():
    arbiter = Arbiter()
    matcher, chroma = matcher_of(REFERENCE, arbiter=arbiter), performance(4, 60, player=1)
    facts = matcher.feed(chroma[:600])
    assert facts[0].phase == "started"
    assert arbiter.is_version(facts[0].track.id)
    recording, _ = arbiter.begin(Cue.CLAIMED, "another", 0.0)
    assert "ended" not in [one.phase for one in matcher.feed(chroma[600:700])]
    assert arbiter.sounds(State.VERSION)
    arbiter.advance(recording.match_id, Cue.ON_PACE, 0.0, 0.0)
    assert [one.phase for one in matcher.feed(chroma[700:900])] == ["ended"]
    assert not arbiter.sounds(State.VERSION)


def test_beside_what_may_be_a_recording_no_version_begins():
    matcher, arbiter, _ = beside()
    assert matcher.feed(performance(4, 60, player=1)) == []
    assert not arbiter.sounds(State.VERSION)


def test_a_version_begins_after_one_of_its_track_has_ended():
    arbiter = Arbiter()
    matcher, chroma = matcher_of(REFERENCE, arbiter=arbiter), performance(4, 60, player=1)
    facts = matcher.feed(chroma[:600])
    recording, _ = arbiter.begin(Cue.CLAIMED, "another", 0.0)
    arbiter.advance(recording.match_id, Cue.ON_PACE, 0.0, 0.0)
    facts += matcher.feed(chroma[600:610])
    arbiter.advance(recording.match_id, Cue.OFF_PACE, 0.0, 0.0)
    facts += matcher.feed(chroma[610:])
    ended, started = ([one for one in facts if one.phase == phase] for phase in ("ended", "started"))
    assert len(started) == 2
    assert started[1].started_s >= ended[0].ended_s


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_a_confirmed_recording_explained_is_forgotten(confirmed):
    matcher, arbiter, recording = beside(*([Cue.ON_PACE] if confirmed else []))
    chroma = performance(4, 60, player=1)
    assert matcher.feed(chroma[:600]) == []
    arbiter.advance(recording, Cue.LOST, 25.0, 25.0)
    after = matcher.feed(chroma[600:700]) + matcher.finish(0.0)
    assert [one.phase for one in after] == ([] if confirmed else ["started", "ended"])


def test_a_gap_ends_a_version_and_time_goes_on():
    matcher = matcher_of(REFERENCE)
    chroma = performance(4, 30, player=1)
    before = matcher.feed(chroma) + matcher.finish(100.0)
    assert before[-1].phase == "ended"
    after = matcher.feed(chroma) + matcher.finish(0.0)
    assert after[0].phase == "started"
    assert after[0].started_s == pytest.approx(100, abs=2)


@pytest.mark.parametrize("name", ["empty", "short", "silent", "none"])
def test_poor_catalogues_are_legal(name):
    pieces = {
        "empty": {},
        "short": {"short": PIECES["p1"][:100]},
        "silent": {"silent": silent(60)},
        "none": {"none": silent(0)},
    }[name]
    facts, _ = hear(catalogue(pieces), performance(1, 30))
    assert facts == []


def test_a_catalogue_of_one_track():
    reference = catalogue({"p4": PIECES["p4"]})
    (match,) = ended(hear(reference, performance(4, 40, start_s=10, semitones=2, player=1))[0])
    assert (match.track.id, match.semitones) == ("p4", 2)
    for seed in range(300, 306):
        assert hear(reference, performance(seed, 60))[0] == []


def test_a_catalogue_with_every_track_twice_tells_one_and_names_the_other():
    twice = catalogue({**PIECES, **{f"{name}-again": chroma for name, chroma in PIECES.items()}})
    facts, _ = hear(twice, performance(4, 30, start_s=10, player=1))
    (match,) = ended(facts)
    pair = {match.track.id, *(track.id for track in match.evidence.same_work)}
    assert pair == {"p4", "p4-again"}


def test_a_loop_of_an_hour_stays_bounded():
    loop = performance(400, 4)
    matcher = matcher_of(REFERENCE, 0.1)
    facts = [one for _ in range(900) for one in matcher.feed(loop)]
    assert facts + matcher.finish(0.0) == []
    assert len(matcher.unclaimed.best_first()) <= 64


def test_the_budget_sets_the_threshold():
    for budget in (10.0, 1.0, 0.1):
        threshold = Calibration.versions().score_for(budget)
        assert Calibration.versions().false_alarms_per_hour(threshold) == pytest.approx(0.1 * budget)
    assert Calibration.versions().confidence(12.0) > 0.99 > 0.1 > Calibration.versions().confidence(3.0)


def swapped(names, heard):
    """What a matcher says that takes up a catalogue of other tracks half-way."""
    matcher = matcher_of(REFERENCE)
    newer = catalogue({name: PIECES[name] for name in names})
    own = [track.id for track in newer.tracks]
    numbers = np.array([own.index(track.id) if track.id in own else -1 for track in REFERENCE.tracks])
    facts = matcher.feed(heard[:600])
    at_the_swap = matcher.take_up(newer.harmony, newer.tracks, numbers)
    return facts, at_the_swap, matcher.feed(heard[600:]) + matcher.finish(0.0), matcher


def test_a_version_goes_on_under_its_id_when_another_catalogue_is_taken_up():
    heard = performance(4, 45, start_s=10, semitones=3, player=1)
    before, at_the_swap, after, _ = swapped([*reversed(PIECES)], heard)
    assert {one.phase for one in before} == {"started", "updated"}
    assert at_the_swap == []
    assert {one.phase for one in after} == {"updated", "ended"}
    assert {(one.match_id, one.track.id, one.semitones) for one in before + after} == {("v1", "p4", 3)}
    (match,) = ended(after)
    assert match.ended_s > 40
    assert match.reference_s == pytest.approx(10 + match.stream_s, abs=0.5)


def test_a_catalogue_of_the_same_tracks_changes_nothing():
    heard = performance(4, 45, start_s=10, player=1)
    before, at_the_swap, after, _ = swapped([*PIECES], heard)
    assert before + at_the_swap + after == hear(REFERENCE, heard)[0]


def test_a_version_ends_when_its_track_is_taken_away():
    heard = performance(4, 45, start_s=10, player=1)
    before, at_the_swap, after, matcher = swapped([name for name in PIECES if name != "p4"], heard)
    assert {one.phase for one in before} == {"started", "updated"}
    assert [(one.phase, one.match_id, one.track.id) for one in at_the_swap] == [("ended", "v1", "p4")]
    assert after == []
    assert "p4" not in [one.track.id for one in matcher.unclaimed.best_first()]


def test_a_track_that_is_put_in_is_heard_from_then_on():
    few = catalogue({name: PIECES[name] for name in PIECES if name != "p4"})
    matcher = matcher_of(few)
    heard = performance(4, 60, player=1)
    assert matcher.feed(heard[:600]) == []
    numbers = np.array([REFERENCE.tracks.index(track) for track in few.tracks])
    assert matcher.take_up(REFERENCE.harmony, REFERENCE.tracks, numbers) == []
    facts = matcher.feed(heard[600:])
    assert [(one.phase, one.track.id) for one in facts[:1]] == [("started", "p4")]
    assert facts[0].match_id == "v1"


def test_segments_and_lists_tell_what_one_exhaustive_segment_tells():
    heard = performance(4, 25, start_s=20, speed=1.1, semitones=2, player=1), performance(9, 30, player=1)
    whole, _ = hear(REFERENCE, *heard)
    for how in ({"per_segment": 7}, {"lists_from": 1}, {"per_segment": 11, "lists_from": 1}):
        facts, _ = hear(catalogue(PIECES, **how), *heard)
        assert [(f.phase, f.match_id, f.track.id) for f in facts] == [
            (f.phase, f.match_id, f.track.id) for f in whole
        ]
