"""Why nothing may be detected: machines that count samples, and what the status events say of them."""

import asyncio

import numpy as np
import pytest
from catalogue_fakes import Folder, Makers
from hypothesis import given
from hypothesis import strategies as st
from service_fakes import ScriptedSource, ToyEngine, check_whole, hear, live, run, sound

from stream_match.capture.base import SAMPLE_RATE_HZ as RATE
from stream_match.capture.base import Block
from stream_match.errors import SourceError
from stream_match.events import GenreFacts, OnsetClusterFacts
from stream_match.service.hints import Expected, Hints, Lasting

RNG = np.random.default_rng(7)


def noise(level_dbfs, seconds=1.0, offset=0.0):
    y = RNG.standard_normal(round(seconds * RATE)) * 10 ** (level_dbfs / 20) + offset
    return y.astype(np.float32)


def clipped(share):
    """A second of which this share is at full scale."""
    y = noise(-20)
    y[: round(share * RATE)] = 1.0
    return y


SILENCE = np.zeros(RATE, np.float32)
MUSIC = noise(-20)


def after(y, seconds, hints=None, uri="mic:"):
    """The causes second by second."""
    hints = hints or Hints(Expected(silence_s=300.0), uri)
    causes = []
    for _ in range(seconds):
        hints.hear(y)
        causes.append(hints.cause)
    return causes


def test_digital_silence_is_told_to_the_sample_and_withdrawn_when_it_sounds_again():
    hints = Hints(Expected(silence_s=300.0), "mic:")
    hints.hear(MUSIC)
    assert after(SILENCE, 299, hints) == [None] * 299
    hints.hear(SILENCE[:-1])
    assert hints.cause is None
    hints.hear(SILENCE[:1])
    assert hints.cause == "silent"
    assert hints.text.startswith("Digital silence for more than 5 min: the microphone may be muted")
    assert after(MUSIC, 4, hints) == ["silent"] * 4  # a click is no sound
    assert after(SILENCE, 1, hints) == ["silent"]
    assert after(MUSIC, 5, hints) == ["silent"] * 4 + [None]
    assert hints.text is None


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mic:USB", "stream-match devices"),
        ("https://radio.example/live", "off the air"),
        ("pcm:-", "writes zeros"),
        ("night.wav", "nothing is recorded"),
    ],
)
def test_what_may_be_silent_depends_on_the_source(uri, words):
    hints = Hints(Expected(silence_s=2.0), uri)
    after(SILENCE, 2, hints)
    assert words in hints.text
    assert "channel" in hints.text


def test_dither_is_silence_and_a_quiet_room_is_faint():
    dither = RNG.choice([-1, 0, 1], RATE).astype(np.float32) / 2**15 * 0.98
    assert after(dither, 300)[-1] == "silent"
    assert after(noise(-70), 600) == [None] * 599 + ["faint"]
    assert after(noise(-50), 700)[-1] is None


def test_a_faint_source_that_is_heard_again():
    hints = Hints(Expected(), "mic:")
    after(noise(-70), 600, hints)
    assert "very faint" in hints.text
    assert after(noise(-40), 5, hints)[-1] is None


def test_clipping_is_judged_by_minutes():
    assert after(clipped(0.02), 60) == [None] * 59 + ["clipped"]
    assert after(clipped(0.005), 300)[-1] is None
    hints = Hints(Expected(), "mic:")
    after(clipped(0.02), 60, hints)
    assert after(clipped(0.007), 60, hints)[-1] == "clipped"  # not yet much less
    assert after(clipped(0.002), 60, hints)[-1] is None


def test_an_offset_is_no_sound():
    assert after(noise(-60, offset=0.2), 60)[-1] == "offset"
    assert after(noise(-10, offset=0.1), 60)[-1] is None  # most of the power sounds
    assert after(noise(-60, offset=0.01), 60)[-1] is None
    tone = np.sin(np.arange(RATE) * 2 * np.pi * 50 / RATE).astype(np.float32) * 0.9
    assert after(tone, 60)[-1] is None


def test_what_is_lost_is_forgotten():
    hints = Hints(Expected(silence_s=10.0), "mic:")
    after(SILENCE, 10, hints)
    hints.forget()
    assert hints.cause is None
    assert after(SILENCE, 10, hints) == [None] * 9 + ["silent"]


def test_no_samples_and_no_numbers_are_no_sound():
    hints = Hints(Expected(silence_s=1.0), "mic:")
    hints.hear(np.empty(0, np.float32))
    hints.hear(np.full(RATE, np.nan, np.float32))
    assert hints.cause is None


ONSET = OnsetClusterFacts(
    onset_id="1", onset_s=0.0, stream_s=0.0, strength=1.0, cluster_id="a", cluster_size=1, distance=0.0,
    doubt=0.0, new_cluster=True, features={},
)  # fmt: skip
MATCH = ToyEngine()._facts("updated")
GENRE = GenreFacts(stream_s=1.0, heard_s=0.0, genre="jazz", probability=0.9, runner_up="blues")


def hours(hints, count, *facts):
    """Hear music for hours, which have a second each here, then what was detected; return the cause."""
    hints.hear(np.resize(MUSIC, round(count * RATE)))
    hints.note(facts)
    return hints.cause


def wanted(tracks, *, sounds=True):
    return Hints(Expected(tracks=lambda: tracks, sounds=sounds, after_s=12.0), "mic:")


def test_nothing_for_hours():
    hints = wanted(208)
    assert hours(hints, 11.9) is None
    assert hours(hints, 0.1) == "nothing"
    assert "neither a track nor a sound" in hints.text
    assert hints.text.startswith("For more than ")
    assert hours(hints, 0.0, MATCH) is None


def test_sounds_without_a_match_may_be_talk():
    hints = wanted(208)
    assert hours(hints, 11, ONSET) is None
    assert hours(hints, 1.1) == "nothing"
    assert "talk only" in hints.text
    assert "208 tracks" in hints.text
    assert hours(hints, 0.0, ONSET) == "nothing"


def test_music_that_the_index_lacks():
    hints = wanted(3)
    assert hours(hints, 12.5, GENRE) == "nothing"
    assert "music that the index (3 tracks) lacks" in hints.text
    hours(hints, 0.0, MATCH)
    hours(hints, 12.5)
    assert "music that the index (3 tracks) lacks" not in hints.text.replace("or music", "")


def test_matches_that_come_are_enough():
    hints = wanted(208)
    for _ in range(10):
        assert hours(hints, 11, MATCH) is None


def test_without_an_index_sounds_count():
    hints = wanted(None)
    assert hours(hints, 11, ONSET) is None
    assert hours(hints, 12.1) == "nothing"
    assert "no index is searched" in hints.text
    assert hours(hints, 0.0, ONSET) is None
    assert hours(wanted(None, sounds=False), 24) is None  # genres alone are asked for


def test_an_index_without_tracks_is_told_at_once_and_only_as_long():
    tracks = [0]
    hints = Hints(Expected(tracks=lambda: tracks[0]), "mic:")
    hints.hear(MUSIC)
    assert hints.cause == "empty"
    tracks[0] = 1
    assert hints.cause is None


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=60))
def test_a_state_lasts_until_the_contrary_has_lasted(pieces):
    """Against a naive reference, which looks back over every sample since the last change."""
    machine = Lasting(30 / RATE, 12 / RATE)
    holds, said = False, []
    for count, is_true in pieces:
        machine.hear(count, is_true=is_true)
        said += [is_true] * count
        needed = 12 if holds else 30
        contrary = 0
        while contrary < len(said) and said[-1 - contrary] != holds:
            contrary += 1
        if contrary >= needed:
            holds, said = not holds, []
        assert machine.holds == holds


# What the world is told.


def zeros(seconds):
    return [Block(np.zeros(RATE, np.float32))] * seconds


def hinted(events):
    """The hints of status events, without repetitions."""
    told = [event.hint for event in events if event.type == "status"]
    return [hint for hint, before in zip(told, [None, *told], strict=False) if hint != before]


def test_the_status_says_it_once_and_withdraws_it(caplog):
    caplog.set_level("INFO", "stream_match.service.status")
    script = [sound(1.0), *zeros(400), *[sound(1.0)] * 20]

    async def heard(world):
        return await hear(world, ScriptedSource("file", script), hints={"silence_minutes": 2.0})

    _, events = run(heard)
    check_whole(events)
    first, second = hinted(events)
    assert first.startswith("Digital silence for more than 2 min")
    assert second is None
    begun = next(event for event in events if event.type == "status" and event.hint)
    assert begun.stream_s == pytest.approx(121.0)
    assert caplog.text.count("Digital silence") == 1
    assert caplog.text.count("withdrawn (silent)") == 1


def test_a_source_that_is_away_has_a_reason_and_no_hint():
    stop = asyncio.Event()
    script = [*[step for block in zeros(200) for step in (1.0, block)], SourceError("gone", retry=True)]

    async def heard(world):
        asyncio.get_running_loop().call_later(220, stop.set)
        return await hear(
            world, live("radio", script), hints={"silence_minutes": 2.0}, stop=stop, pace="real"
        )

    _, events = run(heard)
    away = [event for event in events if event.type == "status" and event.state == "reconnecting"]
    assert [(event.reason, event.hint) for event in away] == [("gone", None)]
    assert any(event.hint for event in events if event.type == "status")


def test_an_index_that_becomes_empty(tmp_path):
    folder = Folder(tmp_path / "idx")
    folder.put("toy")
    current = folder.current()

    async def heard(world):
        asyncio.get_running_loop().call_later(5.0, folder.put)
        script = [step for _ in range(20) for step in (1.0, sound(1.0))]
        return await hear(
            world, live("radio", [*script, 100.0]), catalogue=current, make_engine=Makers(current),
            pace="real", stop=stopped(20),
        )  # fmt: skip

    _, events = run(heard)
    assert [hint and hint[:24] for hint in hinted(events)] == ["The index has no tracks,", None]


def stopped(seconds):
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return stop
