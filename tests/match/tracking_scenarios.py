"""What happens to matches, as made sequences: each scenario says what must be told of it."""

from dataclasses import replace

import numpy as np
import pytest
from made_sequences import (
    FRAME_S,
    RecordingWorld,
    Sound,
    Stretch,
    VersionWorld,
    catalogue_of_tracks,
    gain,
    of,
    path,
    silence,
    track_of,
    unknown,
)

from stream_match.match.tracking.lifecycle import Cue, State

A, B = track_of(60, 1), track_of(60, 2)
TRACKS = {"a": A, "b": B}


def hear(stretches, tracks=None, threshold=8.0, **how):
    return RecordingWorld(tracks or TRACKS, threshold).hear(stretches, **how)


def lives(facts):
    """Track, beginning and end of each match, in the order in which they began."""
    ended = sorted((one for one in facts if one.phase == "ended"), key=lambda one: one.started_s)
    assert {one.match_id for one in facts} == {one.match_id for one in ended}
    return [(one.track.id, one.started_s, one.ended_s) for one in ended]


def check(facts, *expected, within_s=0.8):
    """Compare what was told with tracks, beginnings and ends."""
    told = lives(facts)
    assert [one[0] for one in told] == [one[0] for one in expected]
    for one, other in zip(told, expected, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=within_s)


def a(at_s, db=0.0, speed=1.0):
    return Sound("a", at_s, db, speed)


def b(at_s, db=0.0, speed=1.0):
    return Sound("b", at_s, db, speed)


def a_stream_ends_early():
    check(hear([of(4, a(10))]), ("a", 0, 4))


def a_track_begins_and_ends():
    facts = hear([unknown(3), of(9, a(10)), unknown(7)])
    check(facts, ("a", 3, 12))
    ended = facts[-1]
    assert ended.stream_s < 12 + 4.5
    assert ended.reference_s - ended.stream_s == pytest.approx(7, abs=0.1)


def a_faint_track_ends_later():
    facts = hear([unknown(3), of(14, a(10), noise_db=3), unknown(9)], threshold=5)
    check(facts, ("a", 3, 17), within_s=1.5)


def a_gap(seconds, *expected):
    def scenario():
        stretches = [of(8, a(10)), unknown(seconds), of(6, a(18 + seconds))]
        check(hear(stretches), *expected, within_s=1.2)

    return scenario


def a_mute(seconds, *expected):
    def scenario():
        stretches = [of(8, a(10)), silence(seconds), of(6, a(18 + seconds))]
        check(hear(stretches), *expected)

    return scenario


def a_stop(seconds):
    def scenario():
        check(hear([of(8, a(10)), silence(seconds), of(8, a(18))]), ("a", 0, 16 + seconds))

    return scenario


def a_jump_is_one_match():
    facts = hear([of(8, a(10)), of(8, a(40))])
    check(facts, ("a", 0, 16))
    assert facts[-1].reference_s - facts[-1].stream_s == pytest.approx(32, abs=0.1)


def what_begins_anew_is_one_match():
    facts = hear([of(8, a(10)), of(8, a(10))])
    check(facts, ("a", 0, 16))
    assert facts[-1].reference_s - facts[-1].stream_s == pytest.approx(2, abs=0.15)


def followed(stretches, since_s, until_s):
    """Whether a match was surely followed, and steadily, at each decision between two moments."""
    world, known = RecordingWorld(TRACKS), []
    world.hear(stretches, between=lambda now_s: known.append((now_s, world.tracker.followed)))
    return [steady for now_s, steady in known if since_s < now_s < until_s]


def while_nothing_changes_a_match_is_steady():
    assert all(followed([of(14, a(10))], 8, 14))


def when_something_else_begins_it_is_not():
    assert not any(followed([of(9, a(10)), of(4, a(19), b(20))], 11.5, 13))


def one_track_hands_over_to_another():
    check(hear([of(8, a(10)), of(8, b(20))]), ("a", 0, 8), ("b", 8, 16))


def a_mixture(db):
    def scenario():
        facts = hear([of(7, a(10)), of(9, a(17), b(20, db)), of(6, b(29))])
        check(facts, ("a", 0, 16), ("b", 7, 22), within_s=1.5)

    return scenario


def a_crossfade(seconds):
    def scenario():
        steps = 10
        each = seconds / steps
        angles = (np.arange(steps) + 0.5) / steps * np.pi / 2
        fade = [
            of(each, a(17 + n * each, 20 * np.log10(np.cos(x))), b(20 + n * each, 20 * np.log10(np.sin(x))))
            for n, x in enumerate(angles)
        ]
        facts = hear([of(7, a(10)), *fade, of(7, b(20 + seconds))])
        middle = 7 + seconds / 2
        check(facts, ("a", 0, middle), ("b", middle, 14 + seconds), within_s=1 + seconds / 2)

    return scenario


def a_jingle_over_a_song():
    facts = hear([of(8, a(10)), of(4, a(18), b(0, 8)), of(8, a(22))])
    check(facts, ("a", 0, 20), ("b", 8, 12), within_s=1.4)


def a_copy_is_no_second_match():
    tracks = TRACKS | {"copy": A + gain(-14) * track_of(60, 9)}
    check(hear([of(10, a(10))], tracks, also=[("copy", 10)]), ("a", 0, 10))


def a_track_that_resembles_itself_ends_in_its_place():
    """At 30 s it is half of what it is at 10 s: what is over does not go on there."""
    similar = A.copy()
    later = round(20 / FRAME_S)
    similar[later:] = 0.7 * A[later:] + 0.7 * A[:-later]
    facts = hear([of(12, a(10)), unknown(7)], {"a": similar, "b": B}, also=[("a", 10), ("a", 30), ("a", -10)])
    check(facts, ("a", 0, 12))
    assert [one.reference_s - one.stream_s for one in facts] == [pytest.approx(10, abs=0.2)] * len(facts)


def what_another_lane_has_told_is_not_told_again():
    arbiter = RecordingWorld(TRACKS).arbiter
    life, _ = arbiter.begin(Cue.FOUND, "a", 2.0)
    arbiter.advance(life.match_id, Cue.LOST, 12.0, 9.0)
    assert arbiter.begin(Cue.CLAIMED, "a", 5.0)[0].started_s == 9.0
    assert arbiter.begin(Cue.CLAIMED, "b", 5.0)[0].started_s == 5.0


def a_shared_loop_is_no_second_match():
    other = track_of(60, 3) * gain(-4)
    other[: len(A)] += A * gain(-3)
    check(hear([of(12, a(10))], TRACKS | {"other": other}, also=[("other", 10)]), ("a", 0, 12))


def quiet_from(track, begin_s, end_s):
    quiet = track.copy()
    quiet[round(begin_s / FRAME_S) : round(end_s / FRAME_S)] = 0
    return quiet


def a_silence_of_the_track_is_no_end():
    tracks = {"a": quiet_from(A, 18, 28), "b": B}
    check(hear([of(8, a(10)), silence(10), of(6, a(28))], tracks), ("a", 0, 24))


def what_is_played_again_in_its_silence_is_another_match():
    tracks = {"a": quiet_from(A, 18, 50), "b": B}
    check(hear([of(8, a(10)), silence(7), of(8, a(10))], tracks), ("a", 0, 8), ("a", 15, 23))


def a_track_ends_with_its_last_note():
    tracks = {"a": quiet_from(A, 18, 60), "b": B}
    facts = hear([of(8, a(10)), silence(8)], tracks)
    check(facts, ("a", 0, 8))
    assert facts[-1].stream_s < 14
    assert facts[-1].reference_s <= 60


def kinds(facts):
    """The kinds that were told, without repetition."""
    told = [one.kind for one in facts]
    return [kind for n, kind in enumerate(told) if n == 0 or kind != told[n - 1]]


def a_turntable_plays_the_recording():
    facts = hear([of(14, a(10, speed=1.04))])
    check(facts, ("a", 0, 14))
    assert kinds(facts) == ["recording"]
    assert facts[-1].speed == pytest.approx(1.04, abs=0.005)


def another_pace_is_a_version():
    world = RecordingWorld(TRACKS)
    facts = world.hear([of(14, a(10, speed=1.1))])
    check(facts, ("a", 0, 14))
    assert kinds(facts) == ["recording", "version"]
    assert next(one.stream_s for one in facts if one.kind == "version") < 11
    assert facts[-1].speed == pytest.approx(1.1, abs=0.02)


def who_hurries_and_lingers_performs():
    at_s, stretches = 10.0, []
    for n in range(6):
        speed = 1.05 if n % 2 else 0.95
        stretches.append(of(2.5, a(at_s, speed=speed)))
        at_s += 2.5 * speed
    assert kinds(hear(stretches)) == ["recording", "version"]


def what_runs_straight_again_is_the_recording():
    facts = hear([of(10, a(5, speed=1.1)), of(24, a(16))])
    check(facts, ("a", 0, 34))
    assert kinds(facts) == ["recording", "version", "recording"]


def what_was_performed_begins_as_a_version():
    facts = hear([of(11, a(5, speed=1.1)), unknown(5), of(6, a(30), noise_db=-3)])
    assert [(one.phase, one.kind) for one in facts if one.phase == "started"] == [
        ("started", "recording"),
        ("started", "version"),
    ]


def a_removed_track_ends_at_once():
    world, without = RecordingWorld(TRACKS), catalogue_of_tracks({"b": B})
    removed = []

    def remove(now_s):
        if now_s > 4.5 and not removed:
            numbers = world.catalogue.tracks.renumbered(without.tracks)
            removed.extend(world.tracker.take_up(without, numbers, world.clock))
            raise StopIteration

    with pytest.raises(StopIteration):
        world.hear([of(9, a(10))], between=remove)
    (ended,) = removed
    assert (ended.phase, ended.track.id) == ("ended", "a")
    assert 4 < ended.ended_s <= 4.5


def rejected(world, stretches, name, reason, **how):
    """Check that a track is never told, and for what reason it was rejected once at least."""
    facts = world.hear(stretches, **how)
    assert name not in {one.track.id for one in facts}
    assert (name, reason) in world.rejections


def of_a_poor_score():
    rejected(RecordingWorld(TRACKS), [unknown(6)], "a", "score", also=[("a", 10)])


def what_reads_both_ways():
    tone = np.repeat(track_of(1, 5)[:1], len(A), axis=0)
    rejected(RecordingWorld(TRACKS | {"tone": tone}), [of(8, Sound("tone", 10))], "tone", "both ways")


def a_chord_that_changes_slowly():
    """Its neighbours resemble it for half a second; over little time, that is as good backwards."""
    slow = np.repeat(track_of(60, 6)[::90], 90, axis=0)[: len(A)]
    world = RecordingWorld(TRACKS | {"slow": slow})
    facts = world.hear([of(8, Sound("slow", 10))])
    assert ("slow", "both ways") in world.rejections
    check(facts, ("slow", 0, 8), within_s=2.5)


def what_sounds_already():
    world = RecordingWorld(TRACKS)
    world.hear([of(6, a(10))])
    assert ("a", "known") in world.rejections


def what_a_version_explains():
    world = RecordingWorld(TRACKS)
    world.arbiter.begin(Cue.FOUND, "a", 0.0)
    rejected(world, [of(7, a(10), noise_db=0)], "a", "version")


def the_recording_after_its_version():
    world = RecordingWorld(TRACKS)
    life, _ = world.arbiter.begin(Cue.FOUND, "a", 0.0)
    facts = world.hear([of(9, a(10), noise_db=-20)])
    assert {(one.match_id, one.kind) for one in facts} == {(life.match_id, "recording")}
    assert facts[0].phase == "updated"


def what_a_match_explains():
    loop = A * gain(-2) + track_of(60, 3) * gain(-4)
    rejected(
        RecordingWorld(TRACKS | {"loop": loop}),
        [of(12, a(10))],
        "loop",
        "explained",
        also=[("loop", 10)],
    )


def what_is_past():
    world = RecordingWorld(TRACKS, threshold=12)
    facts = world.hear([of(3.0, a(10)), unknown(6)], also=[("a", 10)])
    assert ("a", "past") in world.rejections
    assert len(lives(facts)) <= 1


def what_has_ended_is_not_told_again():
    world = RecordingWorld(TRACKS)
    facts = world.hear([of(9, a(10)), unknown(9)])
    check(facts, ("a", 0, 9), within_s=1)
    assert ("a", "past") in world.rejections


def what_fits_elsewhere():
    """A loop that its track plays all the time, under something that does not recur."""
    loop = np.tile(track_of(6, 7), (11, 1))[: len(A)]
    looped = loop + track_of(60, 8)
    world = RecordingWorld({"looped": looped, "b": B})
    world.tracks = {"loop": loop}  # what sounds is not known
    facts = world.hear([Stretch(8, (Sound("loop", 13),), known=False)], also=[("looped", 13)])
    assert facts == []
    assert ("looped", "elsewhere") in world.rejections


def a_version_begins_and_ends():
    world = VersionWorld()
    facts = world.hear(9, path("a"))
    begun_s = facts[0].stream_s
    facts += world.hear(20, path("a", newest=0.1, recent=0.0))
    assert facts[0].phase == "started"
    assert facts[-1].phase == "ended"
    assert facts[-1].stream_s - begun_s < 20
    assert {(one.match_id, one.kind) for one in facts} == {("v1", "version")}


def a_version_bridges_a_gap():
    world = VersionWorld()
    facts = world.hear(9, path("a")) + world.hear(3, path("a", newest=0.1, recent=0.0))
    facts += world.hear(9, path("a")) + world.end(Cue.FINISHED)
    assert [one.phase for one in facts].count("started") == 1
    assert facts[-1].ended_s == pytest.approx(world.now_s, abs=0.1)


def a_version_that_jumps_is_told_at_once():
    world = VersionWorld()
    world.hear(5, path("a"))
    moved = world.hear(2.3, path("a", ahead_s=25.0))
    assert [one.phase for one in moved] == ["updated"]


def a_version_that_jumps_a_little_is_told_at_once():
    world = VersionWorld()
    world.hear(5, path("a"))
    assert [one.phase for one in world.hear(2.3, path("a", ahead_s=2.6))] == ["updated"]


def a_slow_version_is_followed():
    facts = VersionWorld().hear(5, path("a", speed=0.75))
    assert [one.speed for one in facts] == [pytest.approx(0.75)] * len(facts)


def a_version_that_hardly_sounds():
    assert [one.phase for one in VersionWorld().hear(2.3, path("a", recent=2.0))] == ["started"]


def a_version_that_correlates_poorly():
    assert [one.phase for one in VersionWorld().hear(2.3, path("a", correlation=0.4))] == ["started"]


def versions_are_rejected():
    world = VersionWorld()
    assert world.hear(2.3, path("a", score=7.0)) == []
    assert world.hear(2.3, path("a", recent=1.0)) == []
    assert world.hear(2.3, path("a", correlation=0.25)) == []
    assert world.hear(2.3, path("a"), muted=True) == []
    world.hear(2.3, path("a"), path("b", score=10.0))
    world.hear(2.3, path("a"), path("b", score=10.0))
    reasons = {reason for _, reason in world.rejections}
    assert reasons == {"score", "past", "faint", "behind", "sounding", "known", "explained", None}


def a_confirmed_recording_ends_a_version():
    world = VersionWorld()
    world.hear(5, path("a"))
    assert [one.phase for one in world.end(Cue.EXPLAINED)] == ["ended"]
    world.hear(5, path("a"))
    assert [one.phase for one in world.end(Cue.REMOVED)] == ["ended"]


def a_performance_goes_on_in_the_version_lane():
    recordings = RecordingWorld(TRACKS)
    versions, told = VersionWorld(recordings.arbiter), []

    def hear_versions(now_s):
        if recordings.arbiter.sounds(State.PERFORMED):
            told.extend(versions.hear(2.3, path("a")))

    facts = recordings.hear([of(14, a(10, speed=1.1))], between=hear_versions)
    assert (told[0].phase, told[0].match_id) == ("updated", "1")
    assert told[0].started_s == facts[0].started_s
    assert "ended" not in {one.phase for one in facts}
    assert versions.end(Cue.FINISHED)[0].match_id == "1"


def a_performance_of_a_version_is_taken_back():
    world = RecordingWorld(TRACKS)
    life, _ = world.arbiter.begin(Cue.FOUND, "a", 0.0)
    world.arbiter.hear(0.5)
    assert world.arbiter.begin(Cue.CLAIMED_OFF_PACE, "a", 3.0)[0] == replace(life, state=State.PERFORMED)
    for cue in (Cue.CORRECTED, Cue.REMOVED):
        world.arbiter.advance(life.match_id, cue, 4.0, 4.0)
    for cues in ((Cue.FOUND, Cue.LOST), (Cue.CLAIMED, Cue.ON_PACE, Cue.CORRECTED, Cue.REMOVED)):
        life, _ = world.arbiter.begin(cues[0], "b", 5.0)
        for cue in cues[1:]:
            world.arbiter.advance(life.match_id, cue, 6.0, 6.0)


SCENARIOS = {
    "steady": while_nothing_changes_a_match_is_steady,
    "unsteady": when_something_else_begins_it_is_not,
    "version, slow": a_slow_version_is_followed,
    "version, hardly": a_version_that_hardly_sounds,
    "version, poor": a_version_that_correlates_poorly,
    "short": a_stream_ends_early,
    "begins and ends": a_track_begins_and_ends,
    "faint": a_faint_track_ends_later,
    "gap of 1 s": a_gap(1, ("a", 0, 15)),
    "gap of 2.5 s": a_gap(2.5, ("a", 0, 16.5)),
    "gap of 5 s": a_gap(5, ("a", 0, 8), ("a", 13, 19)),
    "mute of 3 s": a_mute(3, ("a", 0, 17)),
    "mute of 5 s": a_mute(5, ("a", 0, 8), ("a", 13, 19)),
    "stop of 2 s": a_stop(2),
    "jump": a_jump_is_one_match,
    "anew": what_begins_anew_is_one_match,
    "hand-over": one_track_hands_over_to_another,
    "mixture, 0 dB": a_mixture(0),
    "mixture, 6 dB": a_mixture(6),
    "mixture, -6 dB": a_mixture(-6),
    "cross-fade of 2 s": a_crossfade(2),
    "cross-fade of 5 s": a_crossfade(5),
    "cross-fade of 10 s": a_crossfade(10),
    "jingle": a_jingle_over_a_song,
    "copy": a_copy_is_no_second_match,
    "resembles itself": a_track_that_resembles_itself_ends_in_its_place,
    "told by the other lane": what_another_lane_has_told_is_not_told_again,
    "shared loop": a_shared_loop_is_no_second_match,
    "silence of the track": a_silence_of_the_track_is_no_end,
    "again in its silence": what_is_played_again_in_its_silence_is_another_match,
    "last note": a_track_ends_with_its_last_note,
    "turntable": a_turntable_plays_the_recording,
    "another pace": another_pace_is_a_version,
    "hurries and lingers": who_hurries_and_lingers_performs,
    "straight again": what_runs_straight_again_is_the_recording,
    "performed lately": what_was_performed_begins_as_a_version,
    "removed": a_removed_track_ends_at_once,
    "rejected: score": of_a_poor_score,
    "rejected: both ways": what_reads_both_ways,
    "rejected at first: both ways": a_chord_that_changes_slowly,
    "rejected: known": what_sounds_already,
    "rejected: version": what_a_version_explains,
    "recording after its version": the_recording_after_its_version,
    "rejected: explained": what_a_match_explains,
    "rejected: past": what_is_past,
    "rejected: past, ended": what_has_ended_is_not_told_again,
    "rejected: elsewhere": what_fits_elsewhere,
    "version": a_version_begins_and_ends,
    "version, gap": a_version_bridges_a_gap,
    "version, jump": a_version_that_jumps_is_told_at_once,
    "version, small jump": a_version_that_jumps_a_little_is_told_at_once,
    "version, rejected": versions_are_rejected,
    "version, explained": a_confirmed_recording_ends_a_version,
    "version takes over": a_performance_goes_on_in_the_version_lane,
    "arbiter": a_performance_of_a_version_is_taken_back,
}
