"""A source that somebody does not want to be listened to."""

import asyncio

import pytest
from asked import asked
from service_fakes import (
    EPOCH,
    ScriptedSource,
    check_whole,
    live,
    phases,
    real_time,
    run,
    states,
    statuses,
)
from store.store_samples import damage

from stream_match.errors import SourceError, StoreError
from stream_match.service.pause import PAUSED
from stream_match.store.event_store import Store
from stream_match.store.history import History
from stream_match.store.opening import FILE
from stream_match.store.pauses import PauseShelf

FOR_EVER = 100_000.0


def mic(*script):
    return live("mic", [*(script or real_time(5000))])


def test_a_microphone_is_closed_and_its_match_ends_with_a_reason():
    source = mic()

    async def script(sink):
        assert source.open_now == 1
        answer = await sink.ask("pause", source="mic", transaction=1)
        assert answer == {"transaction": 1, "status": "ok", "data": {"source": "mic", "paused": True}}
        await asyncio.sleep(300)
        assert source.open_now == 0
        assert sink.events[-1].state == "paused"
        assert (await sink.ask("resume", source="mic"))["data"] == {"source": "mic", "paused": False}
        await asyncio.sleep(10)

    _, events, report = run(lambda world: asked(world, script, source))
    check_whole(events)
    assert states(events) == ["starting", "running", "paused", "starting", "running", "stopped"]
    assert [event.reason for event in statuses(events, "paused")] == [PAUSED]
    ends = [event for event in events if event.type == "match" and event.phase == "ended"]
    assert [event.reason for event in ends] == [PAUSED, None]
    assert len(source.opened) == 2
    # Nobody wanted to listen: that is no loss.
    assert report.outage_s == report.dropped_s == 0.0
    started = [event for event in events if event.type == "match" and event.phase == "started"]
    assert started[1].time.timestamp() - EPOCH == pytest.approx(303.0, abs=1.0)


def test_a_recording_passes_unheard_and_is_not_begun_anew():
    tape = ScriptedSource("tape", real_time(60))

    async def script(sink):
        await sink.ask("pause", source="tape")
        await asyncio.sleep(20)
        assert phases(sink.events) == [*phases(sink.events)[:-1], "ended"]
        told = len(sink.events)
        await asyncio.sleep(10)
        assert len(sink.events) == told
        await sink.ask("pause", source="tape", paused=False)
        await asyncio.sleep(10)

    _, events, report = run(lambda world: asked(world, script, tape, pace="real"))
    check_whole(events)
    assert states(events) == ["starting", "running", "paused", "running", "stopped"]
    assert len(tape.opened) == 1
    again = [event for event in events if event.type == "match" and event.phase == "started"][1]
    # Its place in the stream and its time are true: what passed is a gap, and stream time goes on over it.
    assert again.stream_s == pytest.approx(33.0, abs=1.0)
    assert again.time.timestamp() - EPOCH == pytest.approx(33.0, abs=1.0)
    assert report.audio_s < 60 - 29
    assert report.outage_s == 0.0


def test_a_silent_pipe_is_told_as_paused_at_once():
    pipe = ScriptedSource("pipe", [*real_time(1), FOR_EVER])

    async def script(sink):
        await sink.ask("pause", source="pipe")
        await asyncio.sleep(1)
        return sink.events[-1].state

    state, _, _ = run(lambda world: asked(world, script, pipe))
    assert state == "paused"


def test_a_pause_does_not_wait_for_the_next_attempt():
    dead = live("mic", [SourceError("the line is dead", retry=True)])

    async def script(sink):
        await asyncio.sleep(100)
        assert states(sink.events)[-1] == "reconnecting"
        await sink.ask("pause", source="mic")
        await asyncio.sleep(0.1)
        opened = len(dead.opened)
        await asyncio.sleep(1000)
        return states(sink.events)[-1], len(dead.opened) - opened

    (state, attempts), events, _ = run(lambda world: asked(world, script, dead))
    assert (state, attempts) == ("paused", 0)
    assert states(events)[-1] == "stopped"


def test_pausing_twice_is_pausing_once():
    async def script(sink):
        for _ in range(3):
            await sink.ask("pause", source="mic")
            await asyncio.sleep(1)
        for _ in range(3):
            await sink.ask("resume", source="mic")
            await asyncio.sleep(1)

    _, events, _ = run(lambda world: asked(world, script, mic()))
    assert states(events) == ["starting", "running", "paused", "starting", "running", "stopped"]


def test_a_pause_outlives_the_process(tmp_path):
    async def script(sink):
        await sink.ask("pause", source="mic")
        await asyncio.sleep(1)

    async def again(sink):
        first = states(sink.events)
        await sink.ask("resume", source="mic")
        await asyncio.sleep(5)
        return first

    run(lambda world: asked(world, script, mic(), state=tmp_path))
    source = mic()
    first, events, _ = run(lambda world: asked(world, again, source, state=tmp_path))
    assert first == ["starting", "paused"]
    assert states(events) == ["starting", "paused", "starting", "running", "stopped"]
    assert len(source.opened) == 1


@pytest.mark.parametrize("switched", [False, True])
def test_a_pause_is_recalled_as_soon_as_the_store_tells_it(tmp_path, monkeypatch, switched):
    """Until then it is listened to. What is asked meanwhile counts."""
    holds, asked_before = PauseShelf.holds, []

    async def script(sink):
        await sink.ask("pause", source="mic")
        await asyncio.sleep(1)

    async def again(sink):
        if switched:
            await sink.ask("resume", source="mic")
        await asyncio.sleep(60)
        return states(sink.events)

    def busy(shelf, source):
        asked_before.append(source)
        if len(asked_before) < 4:
            raise (
                StoreError("locked", "The store is busy.")
                if len(asked_before) < 3
                else RuntimeError("no thread")
            )
        return holds(shelf, source)

    run(lambda world: asked(world, script, mic(), state=tmp_path))
    monkeypatch.setattr(PauseShelf, "holds", busy)
    found, _, _ = run(lambda world: asked(world, again, mic(), state=tmp_path))
    assert found == ["starting", "running", *([] if switched else ["paused"])]
    assert len(asked_before) == 4


@pytest.mark.parametrize("told", [False, True])
def test_a_pause_outlives_a_power_cut_that_damaged_the_store(tmp_path, told, caplog):
    """It is read from the damaged file; where that cannot be, the log says so."""

    async def script(sink):
        await sink.ask("pause", source="mic")
        await asyncio.sleep(1)

    async def again(sink):
        return states(sink.events)

    run(lambda world: asked(world, script, mic(), state=tmp_path))
    for table in ("events", *(["pauses"] if told else [])):
        damage(tmp_path / FILE, table)
    source = mic()
    found, _, _ = run(lambda world: asked(world, again, source, state=tmp_path))
    assert (tmp_path / f"{FILE}.set-aside").exists()
    assert (found[-1] == "paused") is not told
    assert ("Lost with the store" in caplog.text and "which sources are paused" in caplog.text) is told


def test_a_pause_outlives_a_store_that_is_damaged_while_it_holds(tmp_path, monkeypatch):
    write, path = Store.write, tmp_path / FILE

    def damaged(store, batch):
        monkeypatch.setattr(Store, "write", write)
        path.write_bytes(b"\xff" * 9000)
        raise StoreError("damaged", "The store is damaged.")

    async def script(sink):
        await sink.ask("name", source="mic", track="toy", name="Jingle")
        monkeypatch.setattr(Store, "write", damaged)
        await sink.ask("pause", source="mic")
        await asyncio.sleep(100)
        assert states(sink.events)[-1] == "paused"
        assert path.with_name(f"{FILE}.set-aside").exists()

    async def again(sink):
        return states(sink.events)

    run(lambda world: asked(world, script, mic(), state=tmp_path))
    found, _, _ = run(lambda world: asked(world, again, mic(), state=tmp_path))
    assert found == ["starting", "paused"]
    with History(tmp_path) as history:
        assert history.names() == {("mic", "track", "toy"): "Jingle"}


def test_what_has_ended_is_not_paused():
    tape = ScriptedSource("tape", real_time(1))

    async def script(sink):
        await asyncio.sleep(100)
        return await sink.ask("pause", source="tape")

    answer, _, _ = run(lambda world: asked(world, script, tape, live("mic", real_time(5000))))
    assert answer["status"] == "error"
    assert "has ended" in answer["error"]


def test_a_station_that_is_paused_from_the_start_is_not_even_called(tmp_path):
    def radio():
        made = live("radio", real_time(5000))
        made.uri, made.live = "http://radio.example/", False  # what it is shows with its first block
        return made

    async def script(sink):
        return await sink.ask("pause", source="radio")

    async def wait(sink):
        await asyncio.sleep(100)

    run(lambda world: asked(world, script, radio(), state=tmp_path))
    source = radio()
    _, events, _ = run(lambda world: asked(world, wait, source, state=tmp_path))
    assert source.opened == []
    assert states(events) == ["starting", "paused", "stopped"]
