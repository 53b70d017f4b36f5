"""A jingle that nobody knows is marked while a listener runs, and it is told the next time that it sounds."""

import asyncio
import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from broadcasts import PCM
from happenings import check_ended, matches
from programs import fed, run

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES, UNKNOWN
from stream_match.capture.synth import render
from stream_match.clips import ClipFolder
from stream_match.errors import UsageError
from stream_match.publish.ask import ask

JINGLE = replace(PIECES[4], id="jingle", seed=4711)
SHOW = UNKNOWN[0]
LEVEL_PCM = 32_767


def pcm(*parts):
    y = np.concatenate(
        [render(piece)[round(a * SAMPLE_RATE_HZ) : round(b * SAMPLE_RATE_HZ)] for piece, a, b in parts]
    )
    return np.clip(np.rint(y * LEVEL_PCM), -LEVEL_PCM, LEVEL_PCM).astype("<i2").tobytes()


FIRST = pcm((SHOW, 2, 10), (JINGLE, 3, 9), (SHOW, 10, 16))
AGAIN = pcm((SHOW, 16, 24), (JINGLE, 3, 9), (SHOW, 0, 8))


@pytest.fixture
def own_index(index, tmp_path):
    """An index that may be changed."""
    return shutil.copytree(index, tmp_path / "idx")


def settings(tmp_path, index, *sinks, **clips):
    """A file of settings with clips."""
    path = tmp_path / "settings.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in clips.items()]
    path.write_text(
        f'node = "attic"\npace = "fast"\nindex = {json.dumps(str(index))}\n'
        f"state = {json.dumps(str(tmp_path / 'state'))}\n"
        f"sinks = {json.dumps([*sinks, 'jsonl:-'])}\n"
        f"sources = {json.dumps([f'hall={PCM}'])}\n[clips]\n" + "\n".join(lines),
        encoding="utf-8",
    )
    return path


def until_heard(listener, seconds):
    """Until a listener has taken in so much: single sounds tell how far it is."""
    listener.until(lambda events: any(event.stream_s >= seconds for event in events))


def until_there(path):
    """Until a clip is complete: its event was told before."""
    deadline = time.monotonic() + 30  # a limit for what is broken
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def told(events):
    return {event.track.id for event in matches(events, phase="started")}


def test_by_request_from_the_rolling_buffer(own_index, mosquitto, tmp_path):
    config = settings(tmp_path, own_index, mosquitto.uri, matches=True, buffer_seconds=60)
    with fed(tmp_path, "listen", "--config", config) as listener:
        listener.write(FIRST)
        until_heard(listener, 18)
        asking = (
            "mark",
            "--mqtt",
            mosquitto.uri,
            "--node",
            "attic",
            "--source",
            "hall",
            "--name",
            "Station ident",
        )
        done = run(*asking, "--from", 8, "--to", 14, "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert (answer["track"], answer["from_s"], answer["seconds"]) == ("marked/station-ident", 8.0, 6.0)
        for refused, why in [
            (("--from", 8, "--to", 14), "already"),
            (("--last", 1), "1.0 s long: a reference needs 3 s"),
            (("--from", 100, "--to", 110), "without a gap"),
        ]:
            done = run(*asking, *refused)
            assert (done.returncode, done.stdout) == (2, "")
            assert why in done.stderr
        listener.write(AGAIN)
        listener.until(
            lambda events: "marked/station-ident" in told(events),
        )
        assert listener.end() == 0
    check_ended(listener.events)
    (started,) = [
        one for one in matches(listener.events, phase="started") if one.track.id.startswith("marked/")
    ]
    assert started.track.title == "Station ident"
    assert started.started_s == pytest.approx(28, abs=1.0)
    clip, rate = soundfile.read(ClipFolder(tmp_path / "state" / "clips").find(started.clip), dtype="int16")
    assert rate == SAMPLE_RATE_HZ
    assert len(clip) / rate == pytest.approx(12, abs=2)  # 3 s before, 6 s of it, 3 s after
    begins = round((started.started_s - 3) * SAMPLE_RATE_HZ)
    assert (clip == np.frombuffer(FIRST + AGAIN, "<i2")[begins:][: len(clip)]).all()
    history = run("history", "--state", tmp_path / "state", "--json")
    assert started.clip in {json.loads(line)["clip"] for line in history.stdout.splitlines()}
    assert "Traceback" not in listener.stderr


def test_by_request_from_a_clip(own_index, mosquitto, tmp_path):
    config = settings(
        tmp_path, own_index, mosquitto.uri, first_sounds=True, after_seconds=5, before_seconds=0
    )
    with fed(tmp_path, "listen", "--config", config) as listener:
        listener.write(pcm((JINGLE, 3, 12)))
        listener.until(lambda events: any(event.type == "cluster" for event in events))
        clip = next(event.clip for event in listener.events if event.type == "cluster")
        until_there(tmp_path / "state" / "clips" / clip)
        answer = asyncio.run(
            ask(
                mosquitto.uri,
                "attic",
                "mark",
                {"source": "hall", "name": "Ding", "clip": clip},
                patience_s=60,
            )
        )
        assert (answer["track"], answer["clip"]) == ("marked/ding", clip)
        assert answer["seconds"] == pytest.approx(5, abs=0.01)
        with pytest.raises(UsageError, match="There is no clip 'hall/sound-none"):
            asyncio.run(
                ask(
                    mosquitto.uri,
                    "attic",
                    "mark",
                    {"source": "hall", "name": "x", "clip": "hall/sound-none.flac"},
                )
            )
        assert listener.end() == 0


def test_from_the_clip_of_a_first_sound(own_index, tmp_path):
    config = settings(
        tmp_path, own_index, first_sounds=True, after_seconds=5, before_seconds=0, format="opus"
    )
    folder = ClipFolder(tmp_path / "state" / "clips")
    with fed(tmp_path, "listen", "--config", config) as listener:
        listener.write(pcm((JINGLE, 3, 12)) + bytes(4 * SAMPLE_RATE_HZ))
        listener.until(lambda events: any(getattr(event, "clip", None) for event in events))
        assert listener.end() == 0
    first = next(event for event in listener.events if event.type == "cluster")
    assert first.clip == f"hall/sound-{first.cluster_id.lower()}.opus"
    done = run("mark", folder.find(first.clip), "--index", own_index, "--name", "Jingle")
    assert done.returncode == 0, done.stderr
    with fed(tmp_path, "listen", "--config", config) as listener:
        listener.write(AGAIN)
        assert listener.end() == 0
    assert "marked/jingle" in told(listener.events)
