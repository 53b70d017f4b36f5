"""However a recording comes in, and however it is cut: the same matches."""

import json

import pytest
import soundfile
from broadcasts import PCM, SAMPLE_BYTES
from capture.capture_servers import whole
from happenings import as_told, check_alike, check_ended, matches, states
from programs import fed, run

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.events import from_json

HOP_SAMPLES = 1024
CUT_S = 16  # a whole match, and what follows it

# Music, speech and a bird; what the file names begin with.
PLAYED = {"dance": "Hungarian", "trumpet": "sorohanro", "speech": "5703-47212", "robin": "456440"}


def heard(index, sources):
    """Listen to sources as fast as possible, and return the events."""
    given = [word for name, uri in sources.items() for word in ("--source", f"{name}={uri}")]
    done = run("listen", "--index", index, *given, "--pace", "fast", "--sink", "jsonl:-")
    assert done.returncode == 0, done.stderr
    events = [from_json(line) for line in done.stdout.splitlines()]
    check_ended(events)
    return events


def heard_over_stdin(tmp_path, index, uri, data, portion=None):
    with fed(
        tmp_path, "listen", "--index", index, "--source", uri, "--pace", "fast", "--sink", "jsonl:-"
    ) as it:
        it.write(data, portion)
        assert it.end() == 0, it.stderr
        check_ended(it.events)
        return it.events


def test_a_broadcast_from_file_over_http_and_over_stdin(index, broadcast, server, tmp_path):
    server.pages["/live.flac"] = whole(broadcast.path.read_bytes())
    from_file = heard(index, {"file": broadcast.path})
    over_http = heard(index, {"http": server.url("/live.flac")})
    over_stdin = heard_over_stdin(tmp_path, index, PCM, broadcast.pcm())

    started = matches(from_file, phase="started")
    assert [event.track.id for event in started] == [PIECES[0].id, PIECES[1].id]
    for event, (from_s, place_s) in zip(started, [(0.0, 5.0), (19.0, 9.0)], strict=True):
        assert event.reference_s - event.stream_s == pytest.approx(place_s - from_s, abs=0.2)
    told = [as_told(event) for event in matches(from_file)]
    assert [as_told(event) for event in matches(over_stdin)] == told
    # Without loss there is but one way to decode it.
    assert [as_told(event) for event in matches(over_http)] == told
    assert states(over_http) == ["starting", "running", "stopped"]


def test_real_recordings_from_file_over_http_and_over_stdin(recordings, recordings_index, server, tmp_path):
    files = {name: next(recordings.glob(f"{begin}*.hq.ogg")) for name, begin in PLAYED.items()}
    server.pages |= {f"/{name}.ogg": whole(path.read_bytes()) for name, path in files.items()}
    from_file = heard(recordings_index, files)
    over_http = heard(recordings_index, {name: server.url(f"/{name}.ogg") for name in files})

    for name, path in files.items():
        there = matches(from_file, name)
        assert {event.track.id for event in there} == {path.name.removesuffix(".hq.ogg")}, name
        check_alike(matches(over_http, name), there)

    y, rate_hz = soundfile.read(files["dance"], dtype="float32", always_2d=True)
    uri = f"pcm:-?rate={rate_hz}&channels={y.shape[1]}&format=f32le"
    over_stdin = heard_over_stdin(tmp_path, recordings_index, uri, y.astype("<f4").tobytes())
    told = [as_told(event) for event in matches(from_file, "dance")]
    assert [as_told(event) for event in matches(over_stdin)] == told


def test_how_the_audio_is_cut_changes_no_event(index, broadcast, tmp_path):
    told = []
    for samples in (HOP_SAMPLES, SAMPLE_RATE_HZ // 100, round(1.7 * SAMPLE_RATE_HZ)):
        portion = samples * SAMPLE_BYTES
        events = heard_over_stdin(tmp_path, index, PCM, broadcast.pcm(0, CUT_S), portion)
        told.append([as_told(event) for event in events])
        assert states(events) == ["starting", "running", "stopped"]
        assert {event.phase for event in matches(events)} == {"started", "updated", "ended"}
    assert told[0] == told[1] == told[2]


def test_a_file_is_identified_as_it_is_heard(index, broadcast):
    asked = "--max-false-alarms-per-hour", "0.1"
    done = run("identify", "--index", index, *asked, "--json", broadcast.path)
    assert done.returncode == 0, done.stderr
    told = {event.match_id: event for event in matches(heard(index, {"file": broadcast.path}))}
    found = json.loads(done.stdout)["matches"]
    assert len(found) == len(told) > 1
    for event in told.values():
        (same,) = [one for one in found if one["track"]["id"] == event.track.id]
        assert (same["kind"], same["score"]) == (event.kind, event.score)
        assert same["query_s"] == pytest.approx(event.started_s, abs=1e-3)
