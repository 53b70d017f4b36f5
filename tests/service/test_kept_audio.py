"""Clips in a service that listens: events name them, files come, and no disk holds anything up."""

import asyncio
import errno
import logging
import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from service_fakes import (
    EPOCH,
    ScriptedSource,
    ToyEngine,
    hear,
    live,
    phases,
    real_time,
    run,
    sound,
)

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.clips import Clip, ClipFolder
from stream_match.clips.folder import DAY_S
from stream_match.config import ClipSettings
from stream_match.errors import SourceError, StreamMatchError, UsageError
from stream_match.events import ClusterFacts, OnsetClusterFacts
from stream_match.publish.tasks import first_of
from stream_match.service import clip_keeper
from stream_match.service.clip_keeper import ClipKeeper
from stream_match.service.kept_audio import KeptAudio
from stream_match.service.marking import Marker
from stream_match.service.pause import Pause

NETWORK = SourceError("the line is dead", retry=True)


class SoundEngine(ToyEngine):
    """Hears a match as the toy does, and the first sound of one cluster after two seconds."""

    def feed(self, y, **words):
        before_s = self.stream_s
        facts = super().feed(y, **words)
        if before_s < 2.0 <= self.stream_s:
            facts += [
                ClusterFacts(change="created", cluster_id="7", cluster_size=1, stream_s=2.0),
                OnsetClusterFacts(
                    onset_id="1", onset_s=1.9, stream_s=2.0, strength=1.0, cluster_id="7", cluster_size=1,
                    distance=0.0, doubt=0.0, new_cluster=True, features={},
                ),
            ]  # fmt: skip
        return facts


def kept(folder, **changed):
    return {"folder": str(folder), "matches": True, "first_sounds": True, **changed}


def lengths(folder):
    """Seconds of every clip, by its kind."""
    found = {}
    for clip in ClipFolder(folder).clips():
        info = soundfile.info(folder / clip.name)
        found.setdefault(clip.name.split("/")[1].split("-")[0], []).append(
            round(info.frames / info.samplerate, 2)
        )
    return found


def test_events_name_clips_and_the_files_are_there(tmp_path):
    tape = ScriptedSource("tape", [sound(20)])
    _, events = run(lambda world: hear(world, tape, make_engine=SoundEngine, clips=kept(tmp_path)))
    assert lengths(tmp_path) == {"match": [20.0], "sound": [4.9]}
    told = {event.clip for event in events if event.type == "match"}
    assert len(told) == 1
    assert ClipFolder(tmp_path).find(told.pop()) is not None
    named = {e.type: e.clip for e in events if e.type in ("cluster", "onset_cluster")}
    assert set(named) == {"cluster", "onset_cluster"}
    assert ClipFolder(tmp_path).find(named["cluster"]) == ClipFolder(tmp_path).find(named["onset_cluster"])
    ((title, artist),) = {
        (f.title, f.artist) for f in [soundfile.SoundFile(p) for p in tmp_path.rglob("match-*")]
    }
    assert (title, artist) == ("toy", "")


def test_the_clips_are_the_same_however_the_audio_comes(tmp_path):
    for name, script in {
        "a": [sound(20)],
        "b": [sound(0.37)] * 54 + [sound(0.02)],
        "c": real_time(20),
    }.items():
        tape = ScriptedSource("tape", script)
        run(lambda world, tape=tape, name=name: hear(
            world, tape, make_engine=SoundEngine, clips=kept(tmp_path / name)))  # fmt: skip
    assert lengths(tmp_path / "a") == lengths(tmp_path / "b") == lengths(tmp_path / "c")


def test_a_lost_source_has_a_clip_for_each_opening(tmp_path):
    async def work(world):
        stop = asyncio.Event()
        radio = live("radio", [*real_time(4), NETWORK], [*real_time(3), 1.0, stop.set, 9.0])
        return await hear(world, radio, stop=stop, clips=kept(tmp_path, first_sounds=False))

    _, events = run(work)
    assert phases(events).count("ended") == 2
    assert sorted(lengths(tmp_path)["match"]) == [3.0, 4.0]


def test_nothing_of_what_is_said_during_a_pause_is_kept(tmp_path, monkeypatch):
    pauses = []
    recall = Pause.recall

    async def recalled(pause):
        pauses.append(pause)
        await recall(pause)

    monkeypatch.setattr(Pause, "recall", recalled)
    secret = Block(np.full(5 * SAMPLE_RATE_HZ, 0.9, np.float32))
    switch = [lambda on=on: pauses[0]._set(on=on) for on in (True, False)]
    tape = ScriptedSource("tape", [sound(5), 1.0, switch[0], secret, 1.0, switch[1], sound(5)])
    run(lambda world: hear(world, tape, clips=kept(tmp_path, first_sounds=False)))
    assert lengths(tmp_path)["match"] == [5.0, 5.0]
    assert max(np.abs(soundfile.read(path)[0]).max() for path in tmp_path.rglob("*.flac")) < 0.2


def test_nothing_is_kept_by_default_nor_of_a_source_that_says_no(tmp_path):
    tape = ScriptedSource("tape", [sound(8)])
    _, events = run(lambda world: hear(world, tape, make_engine=SoundEngine, state=str(tmp_path)))
    assert not any(getattr(event, "clip", None) for event in events)
    assert not (tmp_path / "clips").exists()


def test_a_source_can_be_left_out(tmp_path):
    sources = [ScriptedSource(name, [sound(8)]) for name in ("kitchen", "bedroom")]
    wanted = [{"uri": "kitchen"}, {"uri": "bedroom", "clips": False}]
    _, events = run(lambda world: hear(world, *sources, settings_of=wanted, clips=kept(tmp_path)))
    assert {event.source for event in events if getattr(event, "clip", None)} == {"kitchen"}
    assert {clip.name.split("/")[0] for clip in ClipFolder(tmp_path).clips()} == {"kitchen"}


def test_what_is_not_allowed_any_more_is_forgotten():
    audio = KeptAudio(ClipSettings(buffer_seconds=9))
    audio.begin("kitchen").hear(sound(1))
    assert audio.of("kitchen").newest(9)[0].size == SAMPLE_RATE_HZ
    begun = audio.begin("kitchen", allowed=False)  # settings that were read again
    begun.hear(sound(1))
    assert audio.of("kitchen") is None
    assert begun.newest(9)[0].size == 0


def test_the_folder_is_in_the_state_folder_unless_the_settings_say_another(tmp_path):
    tape = ScriptedSource("tape", [sound(8)])
    run(lambda world: hear(world, tape, state=str(tmp_path), clips={"matches": True}))
    assert lengths(tmp_path / "clips") == {"match": [8.0]}
    with pytest.raises(UsageError, match="Clips need a folder"):
        run(lambda world: hear(world, tape, clips={"matches": True}))


def test_a_folder_that_cannot_be_made_or_is_in_use_is_refused_before_anything_is_opened(tmp_path):
    tape = ScriptedSource("tape", [sound(8)])
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamMatchError, match=r"folder of clips .* cannot be made"):
        run(lambda world: hear(world, tape, clips=kept(tmp_path / "file" / "clips")))

    async def twice(world):
        second = ScriptedSource("second", [sound(8)])
        first = live("first", [lambda: None, sound(1), 50.0])
        stop = asyncio.Event()
        running = asyncio.create_task(hear(world, first, stop=stop, clips=kept(tmp_path / "clips")))
        await asyncio.sleep(10)
        try:
            await hear(world, second, clips=kept(tmp_path / "clips"))
        finally:
            stop.set()
            await running

    with pytest.raises(StreamMatchError, match="in use by another listener"):
        run(twice)
    assert tape.opened == []


def test_a_full_disk_is_told_once_and_listening_goes_on(tmp_path, monkeypatch, caplog):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    tapes = [ScriptedSource(f"tape{number}", [sound(8)]) for number in range(4)]
    with caplog.at_level(logging.INFO, "stream_match"):
        report, _ = run(lambda world: hear(world, *tapes, clips=kept(tmp_path)))
    assert report.audio_s == pytest.approx(32)
    assert not report.failed
    said = [r.getMessage() for r in caplog.records if "clips" in r.getMessage()]
    assert said == [
        f"The clips in {tmp_path} are not kept as they should: No space left on device; clips lost so far: 1."
    ]
    assert lengths(tmp_path) == {}


def clip(number, seconds=1.0):
    y = np.full(round(seconds * SAMPLE_RATE_HZ), 1000 + number, np.int16)
    return Clip(f"kitchen/match-{number:04}.flac", y, 0.0, "Song")


async def kept_by(world, folder, work, **settings):
    """Let a keeper run while some work is done."""
    keeper = ClipKeeper(ClipFolder(folder), ClipSettings(matches=True, **settings), world)
    task = asyncio.create_task(keeper.run())
    try:
        await work(keeper)
    finally:
        await keeper.end(task, patience_s=clip_keeper.STOP_PATIENCE_S)


def test_a_disk_that_hangs_bounds_the_queue_and_does_not_hold_up_the_end(tmp_path, caplog):
    async def hang(work):
        del work
        await asyncio.Event().wait()

    async def work(world):
        async def give(keeper):
            for number in range(50):
                keeper.keep(clip(number, 30.0))
            await asyncio.sleep(100)
            assert len(keeper._waiting) <= clip_keeper.QUEUED_S / 30
            began = world.monotonic()
            give.began = began

        await kept_by(replace(world, aside=hang), tmp_path, give)
        return world.monotonic() - give.began

    with caplog.at_level(logging.INFO, "stream_match"):
        assert run(work) <= clip_keeper.STOP_PATIENCE_S + 0.1
    text = caplog.text
    assert text.count("they come faster than the disk takes them") == 1
    assert text.count("has not answered for 60 s") == 1
    assert "20 clips were not written" in text


@pytest.mark.parametrize("live_source", [False, True])
def test_a_file_that_is_read_fast_waits_for_the_disk_and_what_is_live_does_not(tmp_path, live_source, caplog):
    """Ten minutes of clips, each of which takes the disk 2 s."""

    async def work(world):
        async def slowly(job):
            await asyncio.sleep(2.0)
            return job()

        breaks = [Block(np.full(20 * SAMPLE_RATE_HZ, 0.1, np.float32), discontinuity=True) for _ in range(40)]
        tape = ScriptedSource("tape", breaks if not live_source else [*breaks, SourceError("gone")])
        tape.live = live_source
        stop = asyncio.Event()
        running = asyncio.create_task(
            hear(replace(world, aside=slowly), tape, stop=stop, clips=kept(tmp_path, first_sounds=False))
        )
        await asyncio.sleep(1.0 if live_source else 10_000)
        stop.set()
        report, events = await running
        return report, phases(events).count("started")

    _, matches = run(work)
    if live_source:
        assert matches * 20 <= 40  # the queue holds 30 s of what comes at once, and nobody waits
        return
    assert matches == 40
    assert lengths(tmp_path)["match"] == [20.0] * 40
    assert "lost" not in caplog.text


def test_a_disk_that_hangs_does_not_hold_up_a_file(tmp_path):
    async def hang(job):
        del job
        await asyncio.Event().wait()

    async def work(world):
        blocks = [Block(np.full(20 * SAMPLE_RATE_HZ, 0.1, np.float32), discontinuity=True) for _ in range(40)]
        tape = ScriptedSource("tape", blocks)
        report, _ = await hear(replace(world, aside=hang), tape, clips=kept(tmp_path, first_sounds=False))
        return report.audio_s, world.monotonic()

    audio_s, took_s = run(work)
    assert audio_s == pytest.approx(800)
    assert took_s <= clip_keeper.ROOM_PATIENCE_S + clip_keeper.END_PATIENCE_S + 1


def test_a_disk_that_works_again_is_told(tmp_path, caplog):
    async def work(world):
        async def give(keeper):
            keeper.keep(clip(1))
            await asyncio.sleep(1)
            (tmp_path / "kitchen").unlink()
            keeper.keep(clip(2))
            await asyncio.sleep(1)

        (tmp_path / "kitchen").write_text("a file where a folder should be")
        await kept_by(world, tmp_path, give)

    with caplog.at_level(logging.INFO, "stream_match"):
        run(work)
    assert "File exists; clips lost so far: 1" in caplog.text
    assert "are written to" in caplog.text
    assert [one.name for one in ClipFolder(tmp_path).clips()] == ["kitchen/match-0002.flac"]


def test_what_is_too_old_or_too_much_is_deleted_while_listening(tmp_path):
    for number, age_days in enumerate((31, 20)):
        path = tmp_path / "kitchen" / f"match-old{number}.flac"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 600_000)
        os.utime(path, (EPOCH - age_days * DAY_S,) * 2)
    (tmp_path / "kitchen" / ".match-x.flac.part").write_bytes(b"x")

    async def work(world):
        async def give(keeper):
            await asyncio.sleep(1)
            first = sorted(one.name for one in keeper.folder.clips())
            assert first == ["kitchen/match-old1.flac"]
            rng = np.random.default_rng(1)
            noise = rng.integers(-9999, 9999, 12 * SAMPLE_RATE_HZ).astype(np.int16)
            for number in range(2):  # of 0.5 MB each
                keeper.keep(Clip(f"kitchen/match-{number}.flac", noise, 0.0))
                await asyncio.sleep(1)
            left = sorted(one.name for one in keeper.folder.clips())
            assert "kitchen/match-old1.flac" not in left
            assert "kitchen/match-1.flac" in left

        await kept_by(world, tmp_path, give, max_megabytes=1)

    run(work)
    assert not list(tmp_path.rglob("*.part"))


def test_clips_whose_events_are_gone_are_deleted(tmp_path):
    for name, age_days in {"match-gone": 10, "match-there": 3}.items():
        path = tmp_path / "kitchen" / f"{name}.flac"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (EPOCH - age_days * DAY_S,) * 2)

    async def work(world):
        keeper = ClipKeeper(
            ClipFolder(tmp_path), ClipSettings(matches=True), world, lambda: EPOCH - 5 * DAY_S
        )
        await first_of(keeper.run(), asyncio.sleep(10))

    run(work)
    assert [one.name for one in ClipFolder(tmp_path).clips()] == ["kitchen/match-there.flac"]


class TestMarker:
    """Requests that cannot be met; those that can are in the end-to-end tests."""

    def marker(self, world, heard_s=0.0, **settings):
        kept = KeptAudio(ClipSettings(**settings))
        audio = kept.begin("kitchen")
        for _ in range(round(heard_s)):
            audio.hear(Block(np.full(SAMPLE_RATE_HZ, 0.1, np.float32)))
        return Marker(kept, lambda _: None, lambda: None, world)

    @pytest.mark.parametrize(
        ("source", "from_s", "to_s", "said"),
        [
            ("kitchen", -5.0, None, "No audio of 'kitchen' is held: set buffer_seconds"),
            ("hall", -5.0, None, "No audio of 'hall' is held"),
        ],
    )
    def test_without_a_buffer(self, source, from_s, to_s, said):
        with pytest.raises(UsageError, match=said):
            run(lambda world: self.marker(world).mark(source, from_s, to_s, "bell"))

    @pytest.mark.parametrize(("from_s", "to_s"), [(1.0, 8.0), (18.0, 25.0), (100.0, 110.0)])
    def test_what_is_not_held_is_refused_and_never_made_shorter(self, from_s, to_s):
        with pytest.raises(UsageError, match=r"it was heard up to 20\.0 s, and 10 s are held at most"):
            run(lambda world: self.marker(world, 20, buffer_seconds=10).mark("kitchen", from_s, to_s, "bell"))

    def test_without_an_index(self):
        with pytest.raises(UsageError, match="There is no index of 'kitchen'"):
            run(lambda world: self.marker(world, 20, buffer_seconds=10).mark("kitchen", -5, None, "bell"))

    @pytest.mark.parametrize("name", ["../x.flac", "kitchen/none.flac", "/etc/passwd", "a" * 10_000])
    def test_a_clip_that_is_none(self, tmp_path, name):
        async def work(world):
            kept = KeptAudio(ClipSettings(), ClipKeeper(ClipFolder(tmp_path), ClipSettings(), world))
            await Marker(kept, lambda _: None, lambda: None, world).mark_clip(name, "bell")

        with pytest.raises(UsageError, match="There is no clip") as caught:
            run(work)
        assert len(str(caught.value)) < 400
