"""What goes wrong is told in one sentence, with the right exit status, and nothing is left half done."""

import shutil
import signal

import numpy as np
import pytest
import soundfile
from happenings import check_ended, matches, states
from programs import run, started

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.events import from_json

USERS_MISTAKE, FAILURE = 2, 1


def check_refused(done, status, *words):
    """Check that a command ended with one sentence that holds `words`, and did nothing else."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("stream-match: ")
    for word in words:
        assert word in line


@pytest.fixture
def bad_audio(broadcast, tmp_path):
    """Files of all kinds that are no good, and what is said of each."""
    folder = tmp_path / "bad"
    folder.mkdir()
    wav, flac = folder / "cut.wav", folder / "cut.flac"
    soundfile.write(wav, broadcast.samples, SAMPLE_RATE_HZ)
    wav.write_bytes(wav.read_bytes()[: -10 * SAMPLE_RATE_HZ])
    flac.write_bytes(broadcast.path.read_bytes()[: broadcast.path.stat().st_size // 2])
    soundfile.write(folder / "none.wav", np.zeros(0, np.float32), SAMPLE_RATE_HZ)
    nan = np.full(SAMPLE_RATE_HZ, np.nan, np.float32)
    soundfile.write(folder / "nan.wav", nan, SAMPLE_RATE_HZ, subtype="FLOAT")
    (folder / "text.wav").write_text("this is no audio\n" * 100)
    (folder / "empty.wav").touch()
    (folder / "stub.wav").write_bytes(b"RIFF\x10\0\0\0WAVE")
    return folder


UNREADABLE = {
    "text.wav": "is no audio that libsndfile or FFmpeg can read",
    "empty.wav": "is empty",
    "stub.wav": "is no audio",
    "none.wav": "holds no audio that can be decoded",
    "absent.wav": "there is no file",
    "": "is a folder",
}
BROKEN = {
    "nan.wav": f"{SAMPLE_RATE_HZ} samples were no numbers and became silence",
    "cut.wav": "broken off",
    "cut.flac": "broken off",
}


@pytest.mark.parametrize("said", [UNREADABLE, BROKEN], ids=["unreadable", "broken"])
def test_identify_tells_of_every_bad_file_once_and_goes_on(said, bad_audio, index, broadcast):
    files = [bad_audio / name for name in said]
    done = run("identify", "--index", index, "--json", *files, broadcast.path)
    assert done.returncode == (FAILURE if said is UNREADABLE else 0)
    assert len(done.stdout.splitlines()) == len(files) + 1
    assert PIECES[0].id in done.stdout.splitlines()[-1]
    lines = done.stderr.splitlines()
    assert len(lines) == len(files)
    for line, file, words in zip(lines, files, said.values(), strict=True):
        assert str(file) in line
        assert words in line


def test_listen_fails_on_what_is_no_audio(bad_audio, index):
    done = run("listen", "--index", index, "--source", bad_audio / "text.wav", "--sink", "jsonl:-")
    assert done.returncode == FAILURE
    events = [from_json(line) for line in done.stdout.splitlines()]
    assert states(events) == ["starting", "failed"]
    assert "is no audio" in events[-1].reason
    said, _ = done.stderr.splitlines()  # and the report
    assert "is no audio" in said


def test_index_build_leaves_nothing_where_there_is_nothing_to_build(bad_audio, music, index, tmp_path):
    (tmp_path / "nothing").mkdir()
    models = tmp_path / "models"
    models.mkdir()
    out = ("--out", models / "new")
    done = run("index", "build", tmp_path / "nothing", *out)
    check_refused(done, USERS_MISTAKE, "there is no audio in", "nothing")
    done = run("index", "build", bad_audio / "text.wav", *out)
    check_refused(done, FAILURE, "no track could be read", "text.wav")
    other = tmp_path / "other" / "demo"
    other.mkdir(parents=True)
    shutil.copy(bad_audio / "nan.wav", other / f"{PIECES[0].id.removeprefix('demo/')}.wav")
    done = run("index", "build", music, other.parent, *out)
    check_refused(done, USERS_MISTAKE, "would both be the track", PIECES[0].id)
    assert list(models.iterdir()) == []


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_build_that_fails_leaves_the_old_index_whole(bad_audio, index, tmp_path):
    copy = shutil.copytree(index, tmp_path / "models" / "mine")
    before = contents(copy)
    done = run("index", "build", bad_audio / "text.wav", "--out", copy, "--replace")
    check_refused(done, FAILURE, "no track could be read")
    assert contents(copy) == before
    assert list(copy.parent.iterdir()) == [copy]


def made_with_other_settings(folder):
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    assert '"n_steps": 9' in text
    manifest.write_text(text.replace('"n_steps": 9', '"n_steps": 8'))


def of_another_fingerprint(folder):
    manifest = folder / "manifest.json"
    head, mark, rest = manifest.read_text().partition('"fingerprint": "')
    manifest.write_text(f"{head}{mark}0123456789abcdef{rest[16:]}")


def cut_short(folder):
    (codes,) = folder.rglob("chroma_codes.npy")
    codes.write_bytes(codes.read_bytes()[:-100])


def tampered(folder):
    (codes,) = folder.rglob("chroma_codes.npy")
    data = bytearray(codes.read_bytes())
    data[len(data) // 2] ^= 1
    codes.write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (made_with_other_settings, "other feature code"),
        (of_another_fingerprint, "other feature code (fingerprint 0123456789abcdef)"),
        (cut_short, "bytes, expected"),
        (tampered, "has been altered"),
        (shutil.rmtree, "there is no index folder"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_an_index_that_cannot_be_trusted_is_refused(harm, words, index, broadcast, tmp_path):
    copy = shutil.copytree(index, tmp_path / "index")
    harm(copy)
    check_refused(run("identify", "--index", copy, broadcast.path), FAILURE, str(copy), words)


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--source", "ftp://host/song"], USERS_MISTAKE, "'ftp:' is of no kind that is known"),
        (["--sink", "kafka://host"], USERS_MISTAKE, "'kafka:…' is of no known kind"),
        (["--volume", "11"], USERS_MISTAKE, "unrecognized arguments: --volume 11"),
        (["--sink", "jsonl:no/such/folder/events"], FAILURE, "'no/such/folder/events' does not exist"),
    ],
    ids=["source", "sink", "option", "folder"],
)
def test_listen_refuses_what_it_cannot_understand(args, status, words, index, broadcast, tmp_path):
    given = ("listen", "--index", index, "--pace", "fast", "--source", broadcast.path)
    check_refused(run(*given, *args, cwd=tmp_path), status, words)
    assert list(tmp_path.iterdir()) == []


def test_sinks_that_refuse_do_not_keep_events_from_the_others(index, broadcast, guarded_mosquitto, tmp_path):
    path = tmp_path / "events.jsonl"
    refused = f"mqtt://guest:hidden@127.0.0.1:{guarded_mosquitto.port}"
    sinks = ("--sink", refused, "--sink", "jsonl:/dev/full", "--sink", f"jsonl:{path}")
    done = run("listen", "--index", index, "--source", broadcast.path, "--pace", "fast", *sinks)
    assert done.returncode == FAILURE
    events = [from_json(line) for line in path.read_text().splitlines()]
    check_ended(events)
    assert len(matches(events, phase="started")) == 2
    assert done.stderr.count("refuses user or password") == 1
    assert done.stderr.count("Writing to jsonl:/dev/full failed (No space left on device)") == 1
    assert done.stderr.count(f"{len(events)} events could not be delivered") == 2
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_microphone_that_is_not_there_is_waited_for(index, broadcast, tmp_path):
    if run("devices").stdout:
        pytest.skip("this machine has a microphone")
    sources = ("--source", "mic:", "--source", f"other={broadcast.path}", "--pace", "fast")
    with started(tmp_path, "listen", "--index", index, *sources, "--sink", "jsonl:-") as listener:
        listener.until(
            lambda events: "reconnecting" in states(events, "mic") and "stopped" in states(events, "other")
        )
        assert listener.end(signal.SIGTERM) == 0
        check_ended(listener.events)
        reason = next(e.reason for e in listener.events if e.type == "status" and e.reason)
        assert "microphone" in reason
        assert "Traceback" not in listener.stderr
