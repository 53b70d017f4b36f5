"""Both lanes on one stream of samples: the recording, and another performance of the same score."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from music import (
    RATE_HZ,
    catalogue,
    check_lives,
    hear,
    noise,
    played_faster,
    reads,
    silence,
    tone,
)

from stream_match.catalog.background import ready
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.identify import identify_blocks


def played(score, seconds, *, speed=1.0, semitones=0, touch=0.12):
    """A score of broken triads, from its beginning."""
    rng = np.random.default_rng(score)
    y = np.zeros(round(seconds * RATE_HZ), np.float32)
    at_s = 0.0
    while at_s < seconds:
        length_s = rng.uniform(0.35, 0.8) / speed
        root = 50 + int(rng.integers(12)) + semitones
        for note in (0, 4, 7):
            start = round(at_s * RATE_HZ)
            sound = tone(root + note, round(length_s * RATE_HZ))[: len(y) - start]
            y[start : start + len(sound)] += np.float32(touch) * sound
        at_s += length_s
    return y


@pytest.fixture(scope="module")
def reference():
    recordings = {f"s{score}": played(score, 60) for score in range(8)}
    return ready(catalogue(recordings, versions=True))


def test_another_performance_is_a_version(reference):
    heard = played(3, 40, speed=0.87, semitones=4, touch=0.05)
    facts = hear(reference, heard, max_false_alarms_per_hour=0.1)
    (match,) = [one for one in facts if one.phase == "ended" and one.kind == "version"]
    assert (match.track.id, match.semitones) == ("s3", 4)
    assert match.speed == pytest.approx(0.87, rel=0.03)
    assert match.reference_s == pytest.approx(40 * 0.87, abs=0.5)


def test_the_recording_itself_is_a_recording_only(reference):
    facts = hear(reference, played(3, 60), max_false_alarms_per_hour=0.1)
    assert {(one.track.id, one.kind) for one in facts} == {("s3", "recording")}


def lives(facts):
    """The facts of each match, by its id."""
    return {one.match_id: [other for other in facts if other.match_id == one.match_id] for one in facts}


@pytest.mark.parametrize("speed", [0.92, 1.08])
def test_what_was_taken_for_the_recording_is_told_as_the_version_it_is(reference, speed):
    facts = hear(reference, played(3, 40, speed=speed), max_false_alarms_per_hour=0.1)
    check_lives(facts)
    assert {one.match_id for one in facts} == {"1"}
    kinds = [one.kind for one in facts]
    assert kinds == sorted(kinds)  # a recording first, then a version for good
    assert (kinds[0], kinds[-1]) == ("recording", "version")
    changed = facts[kinds.index("version")]
    assert changed.stream_s < 15
    assert changed.speed == pytest.approx(speed, abs=0.03)
    assert facts[-1].speed == pytest.approx(speed, abs=0.01)  # the version lane has taken over
    assert facts[-1].reference_s == pytest.approx(40 * speed, abs=0.5)


def test_the_recording_is_told_again_after_another_performance(reference):
    parts = played(3, 20), played(3, 30, speed=1.1)[: 25 * RATE_HZ], played(3, 20)
    facts = hear(reference, *parts, max_false_alarms_per_hour=0.1)
    started = [one for one in facts if one.phase == "started"]
    assert {one.track.id for one in started} == {"s3"}
    again = [one for one in facts if one.kind == "recording" and one.stream_s > 46]
    assert again[0].stream_s < 45 + 9
    assert again[-1].reference_s == pytest.approx(again[-1].stream_s - 45, abs=0.1)


def test_a_version_that_gives_way_to_the_recording_goes_on_as_one_match(reference):
    performed, recorded = played(3, 25, speed=1.1), played(3, 60)[30 * RATE_HZ :]
    facts = hear(reference, performed, recorded, max_false_alarms_per_hour=0.1)
    check_lives(facts)
    assert {(one.match_id, one.track.id) for one in facts} == {("1", "s3")}
    assert any(one.kind == "version" and 15 < one.stream_s < 25 for one in facts)
    assert {one.kind for one in facts if one.stream_s > 35} == {"recording"}
    assert facts[-1].reference_s == pytest.approx(60, abs=0.1)


def test_of_a_file_the_version_is_told_not_what_it_was_taken_for(reference):
    settings = MatchSettings(max_false_alarms_per_hour=0.1)
    blocks = [played(3, 40, speed=1.08)]
    (found,) = identify_blocks(reference, "some.wav", blocks, settings).matches
    assert (found.track.id, found.kind) == ("s3", "version")
    assert found.speed == pytest.approx(1.08, abs=0.01)


def test_of_a_file_both_the_recording_and_a_version_are_told(reference):
    settings = MatchSettings(max_false_alarms_per_hour=0.1)
    blocks = [played(3, 20), noise(1, 8), played(3, 30, speed=0.87, semitones=4)]
    found = identify_blocks(reference, "some.wav", blocks, settings).matches
    assert {(one.track.id, one.kind) for one in found} >= {("s3", "recording"), ("s3", "version")}


PART = st.one_of(
    st.tuples(st.integers(0, 2), st.sampled_from([1.0, 1.0, 0.92, 1.05, 1.1]), st.sampled_from([0, 0, 3])),
    st.sampled_from(["noise", "silence"]),
)
PARTS = st.lists(st.tuples(PART, st.sampled_from([2.0, 6.0, 14.0, 25.0])), min_size=1, max_size=4)


def part(what, seconds):
    if what == "silence":
        return silence(seconds)
    if what == "noise":
        return noise(3, seconds)
    score, speed, semitones = what
    return played(score, seconds, speed=speed, semitones=semitones)


FOUND = ("track", "kind", "score", "confidence", "speed", "semitones")


def found(one):
    return tuple(getattr(one, name) for name in FOUND)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=PARTS)
def test_of_a_file_the_matches_are_told_that_are_told_while_listening(reference, parts):
    y = np.concatenate([part(what, seconds) for what, seconds in parts])
    told = hear(reference, y, max_false_alarms_per_hour=0.1)
    settings = MatchSettings(max_false_alarms_per_hour=0.1)
    identified = identify_blocks(reference, "some.wav", [y], settings)
    ended = [one for one in told if one.phase == "ended"]
    assert sorted(map(found, identified.matches), key=str) == sorted(map(found, ended), key=str)


@pytest.mark.parametrize("speed", [0.85, 1.15])
def test_a_version_that_sounds_is_not_taken_for_the_recording(reference, speed):
    facts = hear(reference, played(3, 40, speed=speed), max_false_alarms_per_hour=0.1)
    assert lives(facts).keys() == {"v1"}


@pytest.mark.parametrize("speed", [0.96, 1.03])
def test_a_recording_at_another_speed_stays_one(reference, speed):
    facts = hear(reference, played_faster(played(3, 40), speed), max_false_alarms_per_hour=0.1)
    assert {(one.match_id, one.kind) for one in facts} == {("1", "recording")}
    assert facts[-1].speed == pytest.approx(speed, abs=0.005)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=PARTS)
def test_whatever_is_played_every_start_has_its_end(reference, parts):
    heard = np.concatenate([part(what, seconds) for what, seconds in parts])
    settings = MatchSettings(max_false_alarms_per_hour=0.1)
    whole = hear(reference, heard, max_false_alarms_per_hour=0.1)
    check_lives(whole)
    engine = Engine(reference, settings)
    cut = [one for n in range(0, len(heard), 7919) for one in engine.feed(heard[n : n + 7919])]
    assert reads(cut + engine.flush()) == reads(whole)


def test_however_the_audio_is_cut(reference):
    performed = played(2, 25, speed=1.1, semitones=2), played(3, 20, speed=1.08)
    heard = np.concatenate([*performed, noise(1, 5), played(5, 20)])
    settings = MatchSettings(max_false_alarms_per_hour=0.1)
    whole = hear(reference, heard, max_false_alarms_per_hour=0.1)
    engine = Engine(reference, settings)
    cut = [one for n in range(0, len(heard), 1777) for one in engine.feed(heard[n : n + 1777])]
    assert reads(cut + engine.flush()) == reads(whole)
    assert {one.kind for one in whole} == {"recording", "version"}
    assert [one.stream_s for one in whole] == sorted(one.stream_s for one in whole)
