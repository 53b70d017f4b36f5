"""What `index add` and `remove` change is heard by a listener that runs; what is broken is not taken up."""

import shutil
import signal
import time

import numpy as np
import pytest
import soundfile
from broadcasts import PCM
from happenings import check_ended, matches, states
from programs import fed, run, started

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render

TAKEN_UP_WITHIN_S = 5.0
KNOWN_WITHIN_S = 8.0
"""What it takes to recognise a piece that was not known before, from a history that is heard anew."""
BUSY_S = 3.0
"""For a machine on which other tests run beside."""

SIDES = {"side-a": PIECES[:2], "side-b": PIECES[2:4], "side-c": PIECES[4:5]}
"""Tracks, long enough that a match goes on for as long as a test takes."""


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sides")
    for name, pieces in SIDES.items():
        samples = np.concatenate([render(piece) for piece in pieces])
        soundfile.write(folder / f"{name}.flac", samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def built(sides, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "sides"
    change("build", sides / "side-a.flac", sides / "side-c.flac", "--out", out, "--jobs", 1)
    return out


@pytest.fixture
def index(built, tmp_path):
    """An index of the sides a and c, to be changed."""
    return shutil.copytree(built, tmp_path / "idx")


def change(*args):
    """Change an index; return when that was done [monotonic seconds]."""
    done = run("index", *args)
    assert done.returncode == 0, done.stderr
    return time.monotonic()


def pcm(sides, name, start_s, end_s):
    first, last = (round(seconds * SAMPLE_RATE_HZ) for seconds in (start_s, end_s))
    return soundfile.read(sides / f"{name}.flac", dtype="int16")[0][first:last].astype("<i2").tobytes()


def of(name, phase, at_least=1):
    """Whether there are events of a phase of a match with a track."""
    return lambda events: len(found(events, name, phase)) >= at_least


def found(events, name, phase=None):
    return [event for event in matches(events, phase=phase) if event.track.id == name]


def until_said(listener, sentence, times=1):
    deadline = time.monotonic() + 40  # a limit for what is broken
    while listener.stderr.count(sentence) < times:
        assert time.monotonic() < deadline, listener.stderr
        time.sleep(0.05)


def test_what_is_added_is_heard_and_what_is_removed_ends(index, sides, tmp_path):
    sources = [f"{name[-1]}={sides / name}.flac" for name in ("side-a", "side-b")]
    args = ("--source", sources[0], "--source", sources[1], "--pace", "real", "--sink", "jsonl:-")
    with started(tmp_path, "listen", "--index", index, "--no-onsets", *args) as listener:
        listener.until(of("side-a", "started"))
        added = change("add", index, sides / "side-b.flac", "--jobs", 1)
        listener.until(of("side-b", "started"))
        assert time.monotonic() - added <= TAKEN_UP_WITHIN_S + KNOWN_WITHIN_S + BUSY_S
        # What was known goes on, as the same match.
        so_far = len(found(listener.events, "side-a", "updated"))
        listener.until(of("side-a", "updated", so_far + 1))
        removed = change("remove", index, "side-a")
        listener.until(of("side-a", "ended"))
        assert time.monotonic() - removed <= TAKEN_UP_WITHIN_S + BUSY_S
        so_far = len(found(listener.events, "side-b", "updated"))
        listener.until(of("side-b", "updated", so_far + 1))
        assert listener.end(signal.SIGTERM) == 0
    check_ended(listener.events)
    assert len(found(listener.events, "side-a", "started")) == 1
    assert len(found(listener.events, "side-b", "started")) == 1
    assert f"the index {str(index)!r} has 3 tracks now (was 2)" in listener.stderr
    assert f"the index {str(index)!r} has 2 tracks now (was 3)" in listener.stderr
    assert listener.stderr.count("the index") == 2  # once for all sources
    assert "Traceback" not in listener.stderr
    assert {event.state for event in listener.events if event.type == "status"} == {
        "starting",
        "running",
        "stopped",
    }


def test_what_is_broken_is_refused_and_what_was_known_serves_on(index, sides, tmp_path):
    manifest = index / "manifest.json"
    kept = shutil.copy2(manifest, tmp_path / "kept.json")
    refused = f"the index {str(index)!r} is not taken up, and listening goes on with what it was before: "
    with fed(
        tmp_path, "listen", "--index", index, "--no-onsets", "--source", f"hall={PCM}", "--sink", "jsonl:-"
    ) as listener:
        listener.write(pcm(sides, "side-a", 0, 12))
        listener.until(of("side-a", "started"))
        (tmp_path / "damaged.json").write_text("{}")
        (tmp_path / "damaged.json").rename(manifest)
        until_said(listener, refused)
        listener.write(pcm(sides, "side-a", 12, 20))
        listener.until(lambda events: matches(events)[-1].stream_s > 18)
        kept.rename(manifest)
        until_said(listener, f"the index {str(index)!r} has changed (tracks: 2)")
        # The pipe is silent now, and the match ends all the same.
        removed = change("remove", index, "side-a")
        listener.until(of("side-a", "ended"))
        assert time.monotonic() - removed <= TAKEN_UP_WITHIN_S + BUSY_S
        assert listener.stderr.count(refused) == 1
        shutil.rmtree(index)
        until_said(listener, refused, times=2)
        listener.write(pcm(sides, "side-c", 0, 15))
        listener.until(of("side-c", "started"))
        assert listener.end() == 0
    check_ended(listener.events)
    assert len(found(listener.events, "side-a", "started")) == 1
    assert states(listener.events, "hall")[-1] == "stopped"
    assert listener.stderr.count(refused) == 2
    assert "Traceback" not in listener.stderr


def test_all_streams_take_up_one_catalogue(index, sides, tmp_path):
    """Two sources that hear the same are told the same, before and after."""
    sources = [word for name in "xy" for word in ("--source", f"{name}={sides / 'side-b.flac'}")]
    args = ("listen", "--index", index, "--no-onsets", *sources, "--pace", "real", "--sink", "jsonl:-")
    with started(tmp_path, *args) as listener:
        listener.until(lambda events: {"running"} <= set(states(events, "x")) & set(states(events, "y")))
        change("add", index, sides / "side-b.flac", "--jobs", 1)
        listener.until(lambda events: {e.source for e in found(events, "side-b", "started")} == {"x", "y"})
        assert listener.end(signal.SIGTERM) == 0
    check_ended(listener.events)
    assert listener.stderr.count("has 3 tracks now (was 2)") == 1
