"""Every number of the life of a match decides something: moved by half, it decides otherwise."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_sequences import Sound, VersionWorld, background, of, path, unknown
from tracking_scenarios import SCENARIOS, hear

from stream_match.index.lines import Lines
from stream_match.index.spans import STANDARD
from stream_match.match import tuning
from stream_match.match.recording.claim_check import ClaimCheck, is_no_performance, reads_both_ways
from stream_match.match.recording.following import Follower
from stream_match.match.recording.query import Query
from stream_match.match.recording.recording_match import Candidate
from stream_match.match.tracking.alive import Presence, least_correlation
from stream_match.match.tracking.explained import share_left
from stream_match.match.tracking.report import Reading
from stream_match.match.tracking.tempo import TempoTrack
from stream_match.match.version.dtw import steps_in

WINDOWS = np.array([6, 12, 24, 48])


def query(positions=48):
    frames = positions * 8
    return Query(np.zeros((1, frames, 4), np.uint64), np.ones(frames, bool), 1000.0, 8)


def candidate(correlation, window=24, score=20.0, position=500.0):
    against = background(WINDOWS)
    return Candidate(0, position, 1.0, 0, window, correlation, score, 1, 1, (), against)


def reader(**answers):
    """A reader of lines that answers with given numbers."""
    given = {name: (lambda *_, value=value: np.array(value, float)) for name, value in answers.items()}
    return SimpleNamespace(spans=STANDARD, **given)


def checking(**answers):
    tracks = SimpleNamespace()
    catalogue = SimpleNamespace(lines=reader(**answers), tracks=tracks, score_bias=0.0)
    return ClaimCheck(catalogue, 8.0, None)


def both_ways(correlation, backward, window=24):
    return reads_both_ways(reader(mean=[backward]), query(), candidate(correlation, window))


def elsewhere(there, alike, score=20.0):
    """Whether another place speaks against a claim that correlates by 0.5 with what is heard."""
    peaks = iter([[alike], [0.5], [there]])
    answers = reader(ridges=[100.0])
    answers.peak = lambda *_: np.array(next(peaks), np.float32)
    answers.stretch = lambda *_: (np.zeros((1, 192, 4), np.uint64), np.ones((1, 192), bool))
    catalogue = SimpleNamespace(lines=answers, tracks=None, score_bias=0.0)
    return ClaimCheck(catalogue, 8.0, None).fits_elsewhere(query(), candidate(0.5, score=score))


def better(gain, positions):
    lines = Lines.single(0, 500.0, 1.0, 0)
    catalogue = SimpleNamespace(lines=reader(peak=[0.5 + gain, 0.5], mean=[0.5, 0.5]))
    return Follower(catalogue).is_better(query(positions), lines, lines)


def walked(seconds, speed, stray_s=0.0, off_pace=False):
    """A tempo track that strays from a straight line to both sides in turn."""
    track = TempoTrack(off_pace=off_pace)
    for look in range(round(seconds / 0.37)):
        side = 1 if look % 2 else -1
        track = track.followed_by(0.37 * look, 0.37 * look * speed + side * stray_s)
    return track


def after(missing_s):
    return Presence(0.0).after_sound(missing_s, missing_s, 0.0, 0.4)


def told_again(since_s, moved_s):
    told, now = (
        Reading(at_s, at_s + away_s, 0.0, 1.0, 0.0, 9.0, None, None)
        for at_s, away_s in ((0.0, 0.0), (since_s, moved_s))
    )
    return now.is_due_after(told, tuning.UPDATE_S, tuning.CORRECTION_S)


def scenario(name):
    def check():
        try:
            SCENARIOS[name]()
        except AssertionError:
            return False
        return True

    return check


def version(**how):
    """What is told of a version that goes on like this for two decisions."""
    return VersionWorld().hear(5, path("a", **how))


def version_jumps(ahead_s):
    world = VersionWorld()
    world.hear(5, path("a"))
    return [one.phase for one in world.hear(2.3, path("a", ahead_s=ahead_s))] == ["updated"]


def begins_at(begin_s):
    """When a track is told to begin that begins then."""
    return hear([unknown(begin_s), of(6, Sound("a", 10.0))])[0].started_s


PINS = [
    ("NEWEST_S", 1.5, lambda: walked(3.0, 1.0).on_pace),
    ("NEWEST_S", 0.5, lambda: not walked(2.5, 1.0).on_pace),
    ("SOUNDING_SCORE", 0.5, lambda: not checking(mean=[0.26]).sounds(query(), candidate(0.5))),
    ("SOUNDING_SCORE", 1.5, lambda: checking(mean=[0.295]).sounds(query(), candidate(0.5))),
    ("DIRECTED_SCORE", 0.5, lambda: both_ways(0.40, 0.35)),
    ("DIRECTED_SCORE", 1.5, lambda: not both_ways(0.40, 0.325)),
    ("LOST_WHILE_HELD", 0.5, lambda: both_ways(0.8, 0.5, window=8)),
    ("LOST_WHILE_HELD", 1.5, lambda: not both_ways(0.8, 0.3, window=8)),
    ("HELD_CORRELATION", 0.5, lambda: not both_ways(0.4, 0.3)),
    ("HELD_CORRELATION", 1.5, lambda: both_ways(0.6, 0.45)),
    ("LOST", 0.5, lambda: both_ways(0.8, 0.6)),
    ("LOST", 1.5, lambda: not both_ways(0.8, 0.48)),
    ("NEARLY", 0.5, lambda: not elsewhere(0.3, 0.0, score=24.0)),
    ("NEARLY", 1.5, lambda: elsewhere(0.40, 0.0)),
    ("ELSEWHERE", 0.5, lambda: not elsewhere(0.355, 0.35)),
    ("ELSEWHERE", 1.5, lambda: elsewhere(0.436, 0.35)),
    ("REPEAT", 0.5, lambda: elsewhere(0.42, 0.25)),
    ("REPEAT", 1.5, lambda: not elsewhere(0.6, 0.4)),
    ("NO_PERFORMANCE", 0.5, lambda: not is_no_performance(candidate(0.6), STANDARD)),
    ("NO_PERFORMANCE", 1.5, lambda: is_no_performance(candidate(0.9), STANDARD)),
    ("BETTER", 0.5, lambda: not better(0.008, 8)),
    ("BETTER", 1.5, lambda: better(0.012, 8)),
    ("OVER_CORRELATION", 0.5, lambda: least_correlation(0.2) > 0.12),
    ("OVER_CORRELATION", 1.5, lambda: least_correlation(0.2) < 0.14),
    ("ALIVE_SHARE", 0.5, lambda: least_correlation(0.8) > 0.3),
    ("ALIVE_SHARE", 1.5, lambda: least_correlation(0.8) < 0.4),
    ("MISSING_AT_END", 0.5, lambda: not after(1.9).lost),
    ("MISSING_AT_END", 1.5, lambda: after(2.1).lost),
    ("MAX_PAUSE_S", 0.5, lambda: not Presence(0.0).after_silence(3.5).lost),
    ("MAX_PAUSE_S", 1.5, lambda: Presence(0.0).after_silence(3.7).lost),
    ("LEAST_LEFT", 0.5, lambda: share_left([1.0]) > 0.2),
    ("LEAST_LEFT", 1.5, lambda: share_left([1.0]) < 0.4),
    ("OFF_SPEED", 0.5, lambda: not walked(8, 1.06).off_pace),
    ("OFF_SPEED", 1.5, lambda: walked(8, 1.09).off_pace),
    ("SURE_ERRORS", 0.5, lambda: not walked(6, 1.08, stray_s=0.03).off_pace),
    ("SURE_ERRORS", 1.5, lambda: walked(6, 1.085, stray_s=0.03).off_pace),
    ("STRAY_S", 0.5, lambda: not walked(8, 1.0, stray_s=0.04).off_pace),
    ("STRAY_S", 1.5, lambda: walked(8, 1.0, stray_s=0.05).off_pace),
    ("FOLLOWED_S", 0.5, lambda: not walked(4, 1.1).off_pace),
    ("FOLLOWED_S", 1.5, lambda: walked(6.5, 1.1).off_pace),
    ("DECISION_S", 0.5, lambda: walked(3.0, 1.0).on_pace),
    ("DECISION_S", 1.5, lambda: not walked(2.5, 1.0).on_pace),
    ("STEADY", 1.5, scenario("steady")),
    ("STEADY", 0.5, scenario("unsteady")),
    ("VERSION_DECISION_S", 1.5, lambda: steps_in(tuning.VERSION_DECISION_S) == 6),
    ("VERSION_DECISION_S", 0.5, lambda: steps_in(tuning.VERSION_DECISION_S) == 6),
    ("VERSION_CORRECTION_S", 0.5, lambda: not version_jumps(1.5)),
    ("VERSION_CORRECTION_S", 1.5, lambda: version_jumps(2.6)),
    ("VERSION_SLOWEST", 0.5, lambda: version(speed=0.5)[0].speed == 0.67),
    ("VERSION_SLOWEST", 1.5, lambda: version(speed=0.75)[0].speed == pytest.approx(0.75)),
    ("VERSION_SOUNDS", 0.5, lambda: version(recent=1.0) == []),
    ("VERSION_SOUNDS", 1.5, lambda: len(version(recent=2.0)) == 1),
    ("VERSION_CORRELATION", 0.5, lambda: version(correlation=0.25) == []),
    ("VERSION_CORRELATION", 1.5, lambda: len(version(correlation=0.4)) == 1),
    ("UPDATE_S", 0.5, lambda: not told_again(4.9, 0.0)),
    ("UPDATE_S", 1.5, lambda: told_again(5.1, 0.0)),
    ("CORRECTION_S", 0.5, lambda: not told_again(1.0, 0.19)),
    ("CORRECTION_S", 1.5, lambda: told_again(1.0, 0.21)),
    ("HEARD_AT_START", 0.5, lambda: begins_at(3.0) < 3.0),
    ("HEARD_AT_START", 1.5, lambda: begins_at(3.0) > 2.3),
    ("SILENT_AT_END", 1.5, lambda: Presence(10.0, 0.1).ended_s(2.0) > 9.4),
    ("SILENT_AT_END", 0.5, lambda: Presence(10.0, 0.1).ended_s(2.0) < 9.6),
]


@pytest.mark.parametrize(("name", "factor", "check"), PINS, ids=lambda value: str(value)[:20])
def test_moved_by_half_it_decides_otherwise(monkeypatch, name, factor, check):
    assert check()
    monkeypatch.setattr(tuning, name, getattr(tuning, name) * factor)
    assert not check()


def test_each_number_of_a_life_is_held():
    names = [name for name in vars(tuning) if name.isupper()]
    assert {name for name, _, _ in PINS} == set(names[names.index("NEWEST_S") :])
