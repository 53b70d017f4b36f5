"""Sounds of whole files and of recorded events."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile
from onsets.onset_samples import placed

from stream_match.cli import main
from stream_match.errors import ParameterError, SourceError
from stream_match.sounds import analyse_file
from stream_match.sounds.groups import GROUPINGS, grouped
from stream_match.sounds.sonify import BEEP_S, beeps

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def drums(tmp_path_factory):
    from stream_match.capture.synth import drum_solo

    path = tmp_path_factory.mktemp("sounds") / "drums.wav"
    soundfile.write(path, drum_solo(6 * RATE_HZ, np.random.default_rng(0)), RATE_HZ)
    return path


@pytest.fixture
def run(capfd):
    def call(*args):
        status = main(["onsets", *map(str, args)])
        out, err = capfd.readouterr()
        return status, out.splitlines(), err

    return call


def test_the_worked_example_is_repeated_to_the_label(run, real_audio):
    pytest.importorskip("sklearn")
    expected = json.loads((real_audio / "seed" / "expected_125_bounce.json").read_text())
    path = real_audio / "seed" / "125_bounce.wav"
    status, lines, _ = run(path, "--method", "affinity", "--features", "seed", "--json")
    rows = [json.loads(line) for line in lines]
    assert status == 0
    assert len(rows) == 37
    assert [row["cluster"] for row in rows] == expected["affinity_labels"]
    assert [row["onset_s"] for row in rows] == pytest.approx(
        np.array(expected["onset_samples"]) / RATE_HZ, abs=1e-6
    )
    scaled = [[row["features"]["zero_crossings"], row["features"]["energy"]] for row in rows]
    np.testing.assert_allclose(scaled, expected["features_scaled"], atol=1e-3)


def test_three_drums_are_three_kinds(drums):
    found = analyse_file(drums)
    assert len({sound.cluster for sound in found.sounds}) in (3, 4)  # the kick ends with a click
    beats = [
        sound.cluster
        for sound in found.sounds
        if abs(sound.onset_s / 0.3 - round(sound.onset_s / 0.3)) < 0.05
    ]
    assert beats[0:16:4] == [beats[0]] * len(beats[0:16:4])


@pytest.mark.parametrize("features", ["timbre", "seed"])
@pytest.mark.parametrize("method", GROUPINGS)
def test_every_method_groups_every_sound(drums, method, features):
    clusters = 3 if method != "affinity" else None
    found = analyse_file(drums, method=method, features=features, clusters=clusters)
    assert len(found.sounds) >= 15
    if clusters:
        assert {sound.cluster for sound in found.sounds} == {0, 1, 2}
    for sound in found.sounds:
        assert all(-1 <= value <= 1 for value in sound.features.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"method": "nonsense"}, "expected one of online"),
        ({"method": "kmeans"}, "has to be told"),
        ({"method": "kmeans", "clusters": 10_000}, "give 1 to"),
        ({"method": "affinity", "clusters": 2}, "leave --clusters out"),
        ({"method": "online", "clusters": 2}, "leave --clusters out"),
        ({"method": "online", "detector": "librosa"}, "streaming detector"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(drums, words, message):
    with pytest.raises(ParameterError, match=message):
        analyse_file(drums, **words)


def test_one_sound_is_one_group():
    assert grouped(np.zeros((1, 2)), "affinity", None) == [0]


def test_silence_has_no_sounds(run, tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(RATE_HZ), RATE_HZ)
    for method in ((), ("--method", "affinity")):
        status, lines, err = run(path, *method, "--sonify", tmp_path / "s.wav")
        assert (status, lines) == (0, [])
        assert "onsets: 0, clusters: 0" in err


def test_a_long_recording_is_heard_bit_by_bit(tmp_path):
    path = tmp_path / "long.wav"
    y = np.zeros(300 * RATE_HZ, np.float32)
    y[290 * RATE_HZ : 290 * RATE_HZ + 4] = 0.5
    soundfile.write(path, y, RATE_HZ)
    tracemalloc.start()
    found = analyse_file(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [sound.onset_s for sound in found.sounds] == pytest.approx([290], abs=0.001)
    assert most < 4 * y.nbytes  # the spectra of all of it at once take sixteen times as much as its samples


def spoilt(path, how):
    """A recording of strokes, and what went wrong with it."""
    y, _ = placed([0, 1, 2, 3] * 4)
    if how == "clipped":
        y = np.clip(50 * y, -1, 1)
    if how == "not a number":
        y[20_000:20_100], y[30_000] = np.nan, np.inf
    soundfile.write(path, y if how != "nothing" else y[:0], RATE_HZ, subtype="FLOAT")
    if how == "cut off":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if how == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("how", "status", "least", "message"),
    [
        ("clipped", 0, 16, "onsets: "),
        ("not a number", 0, 16, "101 samples were no numbers"),
        ("cut off", 0, 7, "broken off"),
        ("empty", 1, 0, "is empty"),
        ("nothing", 1, 0, "holds no audio"),
    ],
)
def test_a_spoilt_recording_is_heard_as_far_as_it_goes(run, tmp_path, caplog, how, status, least, message):
    spoilt(tmp_path / "spoilt.wav", how)
    said, lines, err = run(tmp_path / "spoilt.wav")
    assert said == status
    assert least <= len(lines) <= 20
    assert message in err + caplog.text
    assert "Traceback" not in err


def test_a_table_for_people_and_a_line_of_json_each(run, drums):
    _, table, _ = run(drums)
    _, lines, _ = run(drums, "--json")
    assert len(table) == len(lines) > 15
    assert "cluster 0" in table[0]
    assert set(json.loads(lines[0])) == {"onset_s", "cluster", "features"}


def test_beeps_sound_where_the_onsets_are(run, drums, tmp_path):
    out = tmp_path / "beeps.wav"
    run(drums, "--sonify", out)
    y, rate_hz = soundfile.read(out)
    assert (y.shape, rate_hz) == ((6 * RATE_HZ, 2), RATE_HZ)
    sounds = analyse_file(drums).sounds
    right = beeps(sounds, len(y))
    np.testing.assert_allclose(y[:, 1], right, atol=1e-4)
    for sound in sounds:
        assert np.abs(right[round(sound.onset_s * RATE_HZ) :][: round(BEEP_S * RATE_HZ)]).max() > 0.1


@pytest.mark.parametrize("args", [(), ("--method", "affinity", "--features", "seed")])
def test_a_picture_is_drawn(run, drums, tmp_path, args):
    pytest.importorskip("matplotlib")
    status, *_ = run(drums, *args, "--plot", tmp_path / "out.png")
    assert status == 0
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_without_matplotlib_one_sentence_says_what_to_install(run, drums, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, err = run(drums, "--plot", tmp_path / "out.png")
    assert status == 2
    assert "stream-match[plot]" in err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("args", [("--plot", "no/such/folder/x.png"), ("--sonify", "no/such/folder/x.wav")])
def test_what_cannot_be_written_is_said(run, drums, args):
    pytest.importorskip("matplotlib")
    status, _, err = run(drums, *args)
    assert status == 1
    assert "cannot be written" in err


def test_the_hour_is_drawn_from_recorded_events(run, drums, tmp_path):
    pytest.importorskip("matplotlib")
    events = tmp_path / "events.jsonl"
    assert main(["listen", "--source", str(drums), "--pace", "fast", "--sink", f"jsonl:{events}"]) == 0
    events.write_text(events.read_text() + "no event\n")
    status, lines, err = run("--from", events, "--plot", tmp_path / "hour.png")
    assert status == 0
    assert len(lines) in (3, 4)
    assert "no event known here: 1" in err
    assert (tmp_path / "hour.png").stat().st_size > 5_000
    _, lines, _ = run("--from", events, "--json")
    assert set(json.loads(lines[0])) == {"source", "cluster_id", "sounds", "first", "last"}


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        ((), 2, "either a FILE"),
        (("a.wav", "--from", "b.jsonl"), 2, "either a FILE"),
        (("--from", "b.jsonl"), 1, "cannot be read"),
        (("--from", "b.jsonl", "--sonify", "x.wav"), 2, "hold no sound"),
        (("no.wav",), 1, "no file"),
    ],
)
def test_a_mistake_is_one_sentence(run, args, status, message):
    said = run(*args)
    assert said[0] == status
    assert message in said[2]
    assert "Traceback" not in said[2]


def test_a_file_without_sounds_is_no_recording_of_events(tmp_path):
    from stream_match.sounds.recorded import read_events

    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="holds no onset_cluster"):
        read_events(tmp_path / "empty.jsonl")
