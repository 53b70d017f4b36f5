"""What is told of a match of the recording lane."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stream_match.match.recording.query import shifts_semitones
from stream_match.match.recording.recording_match import RecordingMatch
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.tempo import TempoTrack


def match_at(shift_semitones, speed, position=500.0, now=1000.0):
    """A match of which nothing is known but its line."""
    moments = dict.fromkeys(("now", "began", "here_since", "place_again"), now)
    numbers = dict.fromkeys(("level", "correlation", "coverage"), 0.0)
    return RecordingMatch(
        match_id="1",
        best=None,
        runner_up=None,
        position=position,
        speed=speed,
        shift=shifts_semitones().index(shift_semitones),
        presence=Presence(0.0),
        tempo=TempoTrack(),
        **moments,
        **numbers,
    )


@pytest.mark.parametrize("shift", shifts_semitones())
def test_at_its_own_speed_it_sounds_as_high_as_the_shift(shift):
    assert match_at(shift, 1.0).semitones == shift


@pytest.mark.parametrize(
    ("shift", "speed"), [(0.5, 1.03), (0.5, 1.025), (-0.5, 0.97), (1.0, 1.06), (-1.0, 0.945), (0.5, 1.02)]
)
def test_of_a_turntable_the_speed_tells_how_high_it_sounds(shift, speed):
    assert match_at(shift, speed).semitones == pytest.approx(12 * math.log2(speed))


@pytest.mark.parametrize(
    ("shift", "speed"), [(0.5, 0.97), (-0.5, 1.03), (1.0, 1.03), (-1.0, 0.97), (0.5, 1.05), (0.0, 1.05)]
)
def test_where_tempo_and_pitch_do_not_go_together_the_shift_tells(shift, speed):
    assert match_at(shift, speed).semitones == shift


def test_its_line_goes_on():
    match = replace(match_at(0.5, 1.02), best=SimpleNamespace(track=3))
    line = match.line_at(1040.0)
    assert (line.track.tolist(), line.shift.tolist()) == ([3], [match.shift])
    assert line.head == pytest.approx([500 + 1.02 * 40])
    assert line.speed == pytest.approx([1.02])


def test_no_shift_stands_twice():
    assert shifts_semitones()[0] == 0  # what is looked for at every second frame
    assert len(set(shifts_semitones())) == len(shifts_semitones())
