"""What the line of a match tells of its speed, and whether it is a recording's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_match.match import tuning
from stream_match.match.tracking.tempo import TempoTrack

LOOK = tuning.DECISION_S


def walked(steps, track=None, now=0.0):
    """A track that goes on by some steps, one per look."""
    track, head = track or TempoTrack(), 100.0
    for number, step in enumerate(steps):
        head += step
        track = track.followed_by(now + LOOK * number, head)
    return track


def test_it_is_short_until_it_tells_the_speed():
    assert not TempoTrack().tells_speed
    assert not walked([LOOK] * 7).tells_speed
    assert walked([LOOK] * 8).tells_speed


@given(st.floats(0.7, 1.4), st.integers(8, 60))
def test_its_speed_is_that_of_the_straight_line_through_it(speed, looks):
    assert walked([LOOK * speed] * looks).speed == pytest.approx(speed)
    heads = np.cumsum(np.random.default_rng(looks).normal(LOOK * speed, 0.02, looks))
    newest = min(looks, int(tuning.FOLLOWED_S / LOOK) + 1)
    fitted = np.polyfit(LOOK * np.arange(newest), heads[-newest:], 1)[0]
    assert walked(np.diff(heads, prepend=0.0)).speed == pytest.approx(fitted)


@given(st.floats(0.96, 1.04), st.integers(0, 99), st.integers(1, 80))
def test_of_a_recording_in_noise_it_is_straight(speed, seed, looks):
    heads = speed * LOOK * np.arange(looks) + np.random.default_rng(seed).uniform(-0.037, 0.037, looks)
    assert not walked(np.diff(heads, prepend=0.0)).off_pace


@pytest.mark.parametrize("speed", [0.8, 0.9, 0.925, 1.075, 1.1, 1.25])
def test_another_pace_is_no_recordings(speed):
    assert not walked([speed * LOOK] * 15).off_pace
    assert walked([speed * LOOK] * 16).off_pace
    assert not any(walked([speed * LOOK] * looks).on_pace for looks in (7, 8, 15, 16, 40))


@pytest.mark.parametrize("speed", [0.94, 0.96, 1.0, 1.04, 1.06])
def test_a_turntable_plays_recordings(speed):
    """Looks beside each other err alike, as where a line is followed."""
    wander = 0.018 * np.sin(np.arange(40) / 5)
    heads = speed * LOOK * np.arange(40) + wander
    for looks in range(8, 41):
        track = walked(np.diff(heads[:looks], prepend=0.0))
        assert not track.off_pace
        assert track.on_pace or looks < 16


def test_at_another_place_it_begins_anew():
    here = walked([LOOK] * 8).from_here()
    assert not here.tells_speed
    assert not here.on_pace


def test_who_lingers_and_hurries_performs():
    looks = np.arange(32)
    heads = LOOK * looks + 0.1 * np.sin(looks / 4)
    assert walked(np.diff(heads, prepend=0.0)).off_pace


def test_what_runs_straight_for_long_is_a_recording_after_all():
    bent = walked([0.9 * LOOK] * 20)
    here = bent.from_here()
    assert here.off_pace
    assert not here.tells_speed
    assert walked([LOOK] * 29, here).off_pace
    assert not walked([LOOK] * 30, here).off_pace
    assert walked([0.9 * LOOK] * 40, here).off_pace
