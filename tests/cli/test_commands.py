"""Every command once, as a user runs it."""

import json
import re
import shutil

import pytest
import soundfile

from stream_match.capture.repertoire import PIECES
from stream_match.events import from_json

IDS = sorted(piece.id for piece in PIECES[:2])


def test_build_tells_what_was_built_and_what_was_not(built):
    _, done = built
    assert done.returncode == 1  # one file was skipped
    assert not done.stdout
    skipped, summary = done.stderr.splitlines()[-2:]
    assert "skipped: " in skipped
    assert "broken.wav" in skipped
    assert "2 tracks" in summary
    assert "files skipped: 1" in summary


def test_a_song_in_two_formats_is_one_track_and_no_failure(run_cli, query, tmp_path):
    y, rate_hz = soundfile.read(query[0])
    (tmp_path / "music" / ".git").mkdir(parents=True)
    for name in ("song.mp3", "song.flac"):
        soundfile.write(tmp_path / "music" / name, y, rate_hz)
    (tmp_path / "music" / "cover.jpg").touch()
    done = run_cli("index", "build", tmp_path / "music", "--out", tmp_path / "out", "--jobs", "1")
    assert done.returncode == 0
    lossless, lossy = (repr(str(tmp_path / "music" / f"song.{suffix}")) for suffix in ("flac", "mp3"))
    assert f"ignored: {lossy} is the track 'song' that {lossless} gives\n" in done.stderr
    assert "ignored: 1 file without a suffix of audio, 1 hidden\n" in done.stderr
    assert "1 track," in done.stderr


def test_info_is_for_people_and_programs(run_cli, index):
    about = json.loads(run_cli("index", "info", index, "--json").stdout)
    assert about["tracks"] == 2
    lines = run_cli("index", "info", index).stdout.splitlines()
    assert ["tracks", "2"] in [line.split() for line in lines]
    columns = {re.match(r"\S+ +", line).end() for line in lines}
    assert columns == {max(len(line.split()[0]) for line in lines) + 1}


def test_list_tells_every_track_and_its_length(run_cli, index):
    done = run_cli("index", "list", index, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == IDS
    assert all(set(row) == {"id", "title", "artist", "album", "seconds"} for row in rows)
    done = run_cli("index", "list", index)
    lengths = [f"{round(row['seconds']) // 60}:{round(row['seconds']) % 60:02}" for row in rows]
    assert [line.split() for line in done.stdout.splitlines()] == [
        list(pair) for pair in zip(lengths, IDS, strict=True)
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_verify_finds_what_is_altered(run_cli, index, tmp_path):
    done = run_cli("index", "verify", index)
    assert (done.returncode, done.stdout) == (0, "")
    copy = shutil.copytree(index, tmp_path / "copy")
    files = [path for path in copy.rglob("*") if path.is_file()]
    altered = max(files, key=lambda path: path.stat().st_size)
    content = altered.read_bytes()
    altered.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = run_cli("index", "verify", copy)
    assert done.returncode == 1
    assert altered.name in done.stderr
    assert "Traceback" not in done.stderr


def test_tracks_are_removed_and_added(run_cli, index, music, tmp_path):
    copy = shutil.copytree(index, tmp_path / "copy")
    done = run_cli("index", "remove", copy, IDS[0])
    assert (done.returncode, done.stderr.count("removed 1 track from")) == (0, 1)
    done = run_cli("index", "add", copy, next(music.rglob(f"{IDS[0].rpartition('/')[2]}.wav")), "--jobs", 1)
    assert (done.returncode, done.stderr.count("1 track,")) == (0, 1)
    assert json.loads(run_cli("index", "info", copy, "--json").stdout)["tracks"] == 2


def test_identify_says_what_and_where(run_cli, index, query, stranger):
    path, start_s = query
    done = run_cli("identify", "--index", index, "--json", path, "no.wav", stranger)
    assert done.returncode == 1
    assert done.stderr == "stream-match: there is no file 'no.wav'; check the path\n"
    found, missing, unknown = map(json.loads, done.stdout.splitlines())
    assert found["file"] == str(path)
    assert found["seconds"] == 12.0
    best = found["matches"][0]
    assert best["track"]["id"] == PIECES[0].id
    assert best["claimed"] is True
    assert best["reference_s"] - best["query_s"] == pytest.approx(start_s, abs=0.3)
    assert set(best) == {
        "track", "kind", "query_s", "reference_s", "speed", "semitones", "score", "confidence", "claimed",
        "evidence",
    }  # fmt: skip
    assert "error" not in found
    assert missing["error"].startswith("there is no file")
    assert unknown["matches"] == []


def test_identify_all_adds_what_is_not_claimed(run_cli, index, query):
    done = run_cli("identify", "--index", index, "--json", "--all", query[0])
    matches = json.loads(done.stdout)["matches"]
    claimed = [match["claimed"] for match in matches]
    assert claimed == sorted(claimed, reverse=True)
    for kind in (True, False):
        scores = [match["score"] for match in matches if match["claimed"] is kind]
        assert scores == sorted(scores, reverse=True)


def test_identify_prints_a_table_for_people(run_cli, index, query, stranger):
    done = run_cli("identify", "--index", index, query[0], stranger)
    assert (done.returncode, done.stderr) == (0, "")
    assert "query.wav  (12.0 s)\n" in done.stdout
    assert "score" in done.stdout
    assert done.stdout.endswith("\n  unknown\n")


def test_listen_gives_json_only_and_tells_what_failed(run_process, index, query):
    done = run_process(
        "listen", "--index", index, "--source", f"kitchen={query[0]}", "--source", "no.wav", "--pace", "fast",
        "--sink", "jsonl:-", "--node", "attic",
    )  # fmt: skip
    assert done.returncode == 1
    events = [from_json(line) for line in done.stdout.splitlines()]
    assert {(event.node, event.source) for event in events} == {("attic", "kitchen"), ("attic", "no")}
    phases = [event.phase for event in events if event.type == "match"]
    assert phases.count("started") == phases.count("ended") >= 1
    last = {event.source: event.state for event in events if event.type == "status"}
    assert last == {"kitchen": "stopped", "no": "failed"}
    assert "real-time factor" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_embedded_broker_hears_is_printed(run_process, index, query):
    pytest.importorskip("amqtt")
    done = run_process(
        "listen", "--index", index, "--source", query[0], "--pace", "fast",
        "--sink", "embedded:", "--sink", "console:",
    )  # fmt: skip
    assert done.returncode == 0
    # The console and the subscriber of the broker, each in its order.
    lines = sorted(line.partition("  query  ")[2] for line in done.stdout.splitlines())
    assert lines[::2] == lines[1::2]
    assert {line[0] for line in lines} == {"·", "▶", "■", "♪"}


@pytest.mark.parametrize(
    "words",
    [
        "similar track --index",
        "report --index",
        "mark song.wav --name jingle --index",
        "index build music --out",
        "index update",
        "index compact",
        "index describe",
        "index hash",
        "index push",
    ],
)
def test_who_needs_a_folder_refuses_an_address_without_telling_its_password(run_process, words):
    done = run_process(*words.split(), "milvus://ann:hunter2@host/music")
    assert done.returncode == 2
    assert "needs an index folder" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
