import math

import numpy as np
import pytest
from clip_samples import Stream, counting, created, match, numbers, sound
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.clips import SourceAudio
from stream_match.clips.source_audio import LATE_S
from stream_match.config import ClipSettings

KEPT = {"matches": True, "first_sounds": True}


def heard(stream, facts, cuts=(), **changed):
    clips = []
    audio = SourceAudio("kitchen", ClipSettings(**KEPT | changed), clips.append)
    names = stream.told(audio, facts, cuts)
    return clips, names


def spans(clips):
    return [(round(c.begins_s, 2), round(c.begins_s + c.y.size / SAMPLE_RATE_HZ, 2)) for c in clips]


def check_samples(clips, stream):
    for clip in clips:
        assert (clip.y == stream.samples(clip.begins_s, clip.y.size)).all()


def test_a_clip_has_what_was_before_and_after_a_match_that_was_told_late():
    stream = Stream([(0, 40)])
    facts = [
        match("started", 14.5, 8.0),
        match("updated", 19.0, 8.0),
        match("ended", 25.0, 8.0, ended_s=20.0),
    ]
    clips, names = heard(stream, facts)
    assert spans(clips) == [(5.0, 23.0)]
    check_samples(clips, stream)
    assert names == ["kitchen/match-01ab-1.flac"] * 3 == [clips[0].name] * 3
    assert (clips[0].title, clips[0].artist) == ("Song", "Singer")


def test_of_a_long_match_the_beginning_is_kept_and_handed_over_before_it_ends():
    stream, audio, clips = Stream([(0, 40)]), None, []
    audio = SourceAudio("kitchen", ClipSettings(**KEPT, longest_seconds=10), clips.append)
    stream.told(audio, [match("started", 14.5, 8.0)], ())
    assert spans(clips) == [(5.0, 15.0)]
    clips.clear()
    stream.told(SourceAudio("kitchen", ClipSettings(**KEPT, longest_seconds=10), clips.append),
                [match("started", 14.5, 8.0), match("ended", 25.0, 8.0, ended_s=20.0)], ())  # fmt: skip
    assert spans(clips) == [(5.0, 15.0)]


@pytest.mark.parametrize("step", [1, 7, 100])
def test_an_end_that_is_told_after_the_clip_was_complete_does_not_shorten_it(step):
    """Both are in one piece of audio or in two, and the clip is the same."""
    stream = Stream([(0, 12)])
    facts = [match("started", 6.0, 5.2), match("ended", 10.6, 5.2, ended_s=6.0)]
    cuts = [round((10 + number / step) * SAMPLE_RATE_HZ) for number in range(step)]
    clips, _ = heard(stream, facts, cuts, before_seconds=2, longest_seconds=7)
    assert spans(clips) == [(3.2, 10.2)]


def test_a_match_told_very_late_loses_only_what_is_not_held():
    stream = Stream([(0, 100)])
    clips, _ = heard(stream, [match("started", 90.0, 10.0), match("ended", 95, 10.0, ended_s=95)])
    assert spans(clips) == [(90.0 - LATE_S, 90.0)]
    check_samples(clips, stream)


def test_the_first_sound_of_a_cluster_is_kept_and_later_ones_are_not():
    stream = Stream([(0, 30)])
    facts = [created(6.2), sound(6.2, 6.0), sound(9.0, 8.8, new=False), sound(12.0, 11.8, new=False)]
    clips, names = heard(stream, facts)
    assert spans(clips) == [(3.0, 9.0)]
    assert names == ["kitchen/sound-01ab-7.flac", "kitchen/sound-01ab-7.flac", None, None]


@pytest.mark.parametrize("gap_s", [0.0, 4.0])
def test_a_clip_never_reaches_over_a_gap(gap_s):
    stream = Stream([(0, 10), (gap_s, 15)])
    at_s = 10 + gap_s
    facts = [
        match("started", 6.0, 3.0),
        match("ended", 10.0, 3.0, ended_s=9.5),
        created(at_s + 1.1), sound(at_s + 1.1, at_s + 1.0),
    ]  # fmt: skip
    clips, _ = heard(stream, facts)
    assert spans(clips) == [(0.0, 10.0), (at_s, at_s + 4.0)]
    check_samples(clips, stream)


def test_a_sound_at_the_very_end_of_a_stretch_belongs_to_it():
    stream = Stream([(0, 10), (5.0, 10)])
    clips, _ = heard(stream, [created(10.0), sound(10.0, 9.95)])
    assert spans(clips) == [(6.95, 10.0)]
    check_samples(clips, stream)


def test_what_is_lost_is_handed_over_at_once_and_goes_on_in_another_stretch():
    clips = []
    audio = SourceAudio("kitchen", ClipSettings(**KEPT), clips.append)
    audio.hear(Block(counting(0, 10 * SAMPLE_RATE_HZ)))
    audio.note(match("started", 10.0, 5.0))
    audio.go_on()
    assert not clips
    audio.note(match("ended", 10.0, 5.0, ended_s=10.0))
    audio.finish()  # the source is lost
    assert spans(clips) == [(2.0, 10.0)]
    audio.hear(Block(counting(10 * SAMPLE_RATE_HZ, 5 * SAMPLE_RATE_HZ)))
    audio.note(match("started", 13.0, 11.0, match_id="01AB-2"))
    audio.finish()
    assert spans(clips)[1:] == [(10.0, 15.0)]


def test_nothing_is_kept_unless_it_is_asked_for():
    facts = [match("started", 14.5, 8.0), created(15), sound(15, 14.9), match("ended", 25, 8.0, ended_s=20.0)]
    stream = Stream([(0, 40)])
    for changed, kept in [
        ({"matches": False, "first_sounds": False}, []),
        ({"first_sounds": False}, ["match"]),
        ({"matches": False}, ["sound"]),
    ]:
        clips, names = heard(stream, facts, **changed)
        assert [clip.name.partition("/")[2].partition("-")[0] for clip in clips] == kept
        assert [name is not None for name in names].count(True) == 2 * len(kept)
    audio = SourceAudio("kitchen")
    stream.told(audio, facts, ())
    assert audio.newest(10)[0].size == audio.between(1, 5)[0].size == 0


def test_an_id_that_is_no_name_of_a_file_gives_no_clip():
    hostile = match("started", 5, 3, match_id="../../etc/passwd")
    clips, names = heard(Stream([(0, 10)]), [hostile, created(6, "a/b"), sound(6, 5.9, cluster_id="a/b")])
    assert clips == []
    assert names == [None, None, None]


def begun_in(stream, heard_s):
    """Where the stretch begins in which something was heard."""
    return next(at_s for *_, at_s in reversed(stream.stretches) if round(at_s, 3) <= heard_s)


def naive(stream, facts, settings):
    """The clips of one match and one sound, by what the manual says of them."""
    found = {}
    for fact in facts:
        if getattr(fact, "phase", None) == "started":
            start = max(begun_in(stream, fact.stream_s), fact.started_s - settings.before_seconds)
            end = start + settings.longest_seconds
            over = next((f for f in facts if getattr(f, "phase", None) == "ended"), None)
            if over is not None and not end < over.stream_s:
                end = min(end, over.ended_s + settings.after_seconds)
            found["match"] = (fact.stream_s, start, end)
        if getattr(fact, "new_cluster", False):
            start = max(begun_in(stream, fact.onset_s), fact.onset_s - settings.before_seconds)
            end = min(start + settings.longest_seconds, fact.onset_s + settings.after_seconds)
            found["sound"] = (fact.onset_s, start, end)
    kept = {}
    for kind, (heard_s, start, end) in found.items():
        for _, first, count, at_s in reversed(stream.stretches):
            if round(at_s, 3) <= heard_s:
                a = first + max(0, round((start - at_s) * SAMPLE_RATE_HZ))
                b = min(first + count, first + round((end - at_s) * SAMPLE_RATE_HZ))
                kept[kind] = numbers(counting(a, max(0, b - a)))
                break
    return {kind: y for kind, y in kept.items() if y.size >= 0.1 * SAMPLE_RATE_HZ}


millis = st.integers(0, 3000).map(lambda ms: ms / 1000)


@given(
    stretches=st.lists(
        st.tuples(millis, st.integers(200, 9000).map(lambda ms: ms / 1000)), min_size=1, max_size=4
    ),
    places=st.tuples(*[st.floats(0, 1)] * 4),
    lengths=st.tuples(millis, millis, st.integers(1000, 8000).map(lambda ms: ms / 1000)),
    cuts=st.lists(st.floats(0, 1), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_however_the_audio_is_cut_the_clips_are_the_same_and_those_of_the_manual(
    stretches, places, lengths, cuts
):
    stream = Stream([(0.0 if number == 0 else gap, length) for number, (gap, length) in enumerate(stretches)])
    _, _, count, at_s = stream.stretches[-1 if places[0] > 0.5 else 0]
    length_s = math.floor(count / SAMPLE_RATE_HZ * 1000) / 1000
    told_s = round(at_s + 0.05 + places[1] * max(0.0, length_s - 0.06), 3)
    begun_s = round(max(0.0, told_s - 4 * places[2]), 3)
    ended_told_s = round(told_s + places[3] * (at_s + length_s - told_s), 3)
    onset_s = round(max(at_s, told_s - 0.05), 3)
    facts = [
        match("started", told_s, begun_s),
        created(told_s),
        sound(told_s, onset_s),
        match("ended", ended_told_s, begun_s, ended_s=max(begun_s, round(ended_told_s - places[2], 3))),
    ]
    options = dict(zip(("before_seconds", "after_seconds", "longest_seconds"), lengths, strict=True))
    total = sum(count for _, _, count, _ in stream.stretches)
    whole, names = heard(stream, facts, (), **options)
    cut, cut_names = heard(stream, facts, [round(place * total) for place in cuts], **options)
    assert names == cut_names
    assert [(c.name, c.begins_s, c.title) for c in whole] == [(c.name, c.begins_s, c.title) for c in cut]
    assert all((a.y == b.y).all() for a, b in zip(whole, cut, strict=True))
    expected = naive(stream, facts, ClipSettings(**options))
    assert {clip.name.split("/")[1].split("-")[0] for clip in whole} == set(expected)
    for clip in whole:
        wanted = expected[clip.name.split("/")[1].split("-")[0]]
        assert clip.y.size == pytest.approx(wanted.size, abs=12)  # a break is told to the millisecond
        assert (clip.y[: wanted.size - 12] == wanted[: clip.y.size][: wanted.size - 12]).all()


def test_the_buffer_holds_the_newest_audio_up_to_the_last_gap():
    audio = SourceAudio("kitchen", ClipSettings(buffer_seconds=10))
    Stream([(0, 8), (2.0, 6)]).told(audio, [], [12_345])
    y, begins_s = audio.newest(30)
    assert (round(begins_s, 3), y.size) == (10.0, 6 * SAMPLE_RATE_HZ)
    y, begins_s = audio.between(5.0, 7.0)
    assert (y == numbers(counting(5 * SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ))).all()
    assert audio.between(7.0, 12.0)[0].size == SAMPLE_RATE_HZ  # up to the gap
    assert audio.between(1.0, 3.0)[0].size == 0  # no longer held
    assert audio.between(30.0, 40.0)[0].size == 0  # not heard yet


def test_memory_is_bounded_whatever_comes():
    audio = SourceAudio("kitchen", ClipSettings(buffer_seconds=1, **KEPT))
    for _ in range(5000):
        audio.hear(Block(np.zeros(3, np.float32), discontinuity=True))
    assert len(audio._rolling._stretches) <= 1001
    assert audio._rolling._ring.nbytes <= 2 * SAMPLE_RATE_HZ * (LATE_S + 2)


def test_samples_beyond_full_scale_are_clipped_and_no_numbers_are_silent():
    audio = SourceAudio("kitchen", ClipSettings(buffer_seconds=1))
    audio.hear(Block(np.array([2.0, -2.0, 1.0, -1.0, np.nan, 0.5], np.float32)))
    assert audio.newest(1)[0].tolist() == [32767, -32768, 32767, -32768, 0, 16384]
