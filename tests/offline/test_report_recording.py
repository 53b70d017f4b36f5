"""The report of a recording: what librosa says, plainly called, and files that are none."""

import re
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.cli import main
from stream_match.errors import SourceError, install_command
from stream_match.offline.reports import recording
from stream_match.offline.reports.recording import ROW_EDGES, analyse_file

pytest.importorskip("matplotlib")


def write(path, y):
    soundfile.write(path, y, SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def music():
    """Ten seconds, and silence on both sides."""
    y = np.asarray(render(PIECES[0]), np.float32)[: 10 * SAMPLE_RATE_HZ]
    return np.concatenate([np.zeros(SAMPLE_RATE_HZ, np.float32), y, np.zeros(2 * SAMPLE_RATE_HZ, np.float32)])


@pytest.fixture(scope="module")
def song(music, tmp_path_factory):
    return write(tmp_path_factory.mktemp("audio") / "song.wav", music)


@pytest.fixture(scope="module")
def page(song, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages") / "song.html"
    assert main(["report", str(song), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
def test_the_numbers_are_those_of_librosa_plainly_called(librosa, song, music):
    from sklearn.preprocessing import scale

    found = analyse_file(song)
    y, (begin, end) = librosa.effects.trim(music)
    np.testing.assert_array_equal(found.y, music)
    assert (found.begin, found.end) == (begin, end)
    assert found.zero_crossings == sum(librosa.zero_crossings(y, pad=False))
    assert found.tempo == pytest.approx(float(np.squeeze(librosa.beat.beat_track(y=y)[0])))
    np.testing.assert_array_equal(found.chroma, librosa.feature.chroma_stft(y=y, hop_length=5000))
    harmonic, percussive = librosa.effects.hpss(y)
    np.testing.assert_array_equal(found.harmonic, harmonic)
    np.testing.assert_array_equal(found.percussive, percussive)
    np.testing.assert_allclose(found.mfcc, scale(librosa.feature.mfcc(y=y), axis=1), atol=1e-3)
    np.testing.assert_allclose(found.centroid_hz, librosa.feature.spectral_centroid(y=y)[0], rtol=1e-4)
    np.testing.assert_allclose(found.rolloff_hz, librosa.feature.spectral_rolloff(y=y)[0], rtol=1e-4)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y), ref=np.max)
    np.testing.assert_allclose(found.mel_db, mel, atol=1e-2)
    decibels = librosa.amplitude_to_db(np.abs(librosa.stft(y)), ref=np.max)
    rows = [decibels[first:last].max(axis=0) for first, last in pairwise(ROW_EDGES)]
    # The loudest bin may be the lowest one, of 0 Hz, which a logarithmic scale has no row for.
    np.testing.assert_allclose(np.ptp(found.spectrogram_db), np.ptp(rows), atol=1)
    assert found.spectrogram_db.shape == np.shape(rows)
    assert np.unravel_index(found.spectrogram_db.argmax(), found.spectrogram_db.shape) == np.unravel_index(
        np.argmax(rows), np.shape(rows)
    )


def test_frames_that_share_a_column(monkeypatch, song):
    every = analyse_file(song)
    monkeypatch.setattr(recording, "MOST_COLUMNS", 100)
    few = analyse_file(song)
    together = few.column_samples // every.column_samples
    assert together == -(-every.spectrogram_db.shape[1] // 100)
    for name, joined in (
        ("spectrogram_db", np.max),
        ("mel_db", np.max),
        ("mfcc", np.mean),
        ("rolloff_hz", np.mean),
    ):
        whole, part = getattr(every, name), getattr(few, name)
        assert part.shape[-1] <= 100
        columns = [
            joined(whole[..., first : first + together], axis=-1)
            for first in range(0, whole.shape[-1], together)
        ]
        np.testing.assert_allclose(part, np.stack(columns, axis=-1), atol=1e-3, rtol=1e-4)


def test_of_a_long_recording_the_beginning_is_looked_at(monkeypatch, song, music, tmp_path):
    monkeypatch.setattr(recording, "MOST_S", 5.0)
    found = analyse_file(song)
    np.testing.assert_array_equal(found.y, music[: 5 * SAMPLE_RATE_HZ])
    assert found.claimed_s == pytest.approx(13.0)
    out = tmp_path / "long.html"
    assert main(["report", str(song), "--out", str(out)]) == 0
    assert "0:13.0, of which the first 0:05.0 are shown" in out.read_text()


def test_the_page_has_every_figure_and_needs_nothing_else(song, page):
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == [
        "numbers", "waveform", "spectrogram", "mel", "parts", "centroid", "mfcc", "chroma",
    ]  # fmt: skip
    assert page.count("<img ") == page.count("prefers-color-scheme: dark)") - 1 == 7  # one in the style
    assert len(page) < 2_000_000
    assert not re.search(r"https?://", page)
    found = analyse_file(song)
    for told in (
        "0:13.0",
        f"{found.begin / SAMPLE_RATE_HZ:.2f} s",
        f"{13 - found.end / SAMPLE_RATE_HZ:.2f} s. Frames",
        f"{found.zero_crossings:,}: ",
        f"{found.tempo:.1f} beats a minute",
    ):
        assert f"<td>{told}" in page
    for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page):
        assert len(alt) > 30


def test_the_policy_forbids_what_is_not_in_the_page(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "script-src 'none'" in policy


@pytest.mark.parametrize(
    ("y", "why"),
    [
        (np.ones(4000), "has 0.2 s; a report needs 0.5 s at least"),
        (np.zeros(30_000), "holds silence only"),
        (np.full(30_000, np.nan), "silence only"),
    ],
)
def test_too_short_or_silent(tmp_path, y, why):
    with pytest.raises(SourceError, match=why):
        analyse_file(write(tmp_path / "odd.wav", y))


@pytest.mark.parametrize("kind", ["click", "constant", "noise", "half a second", "holes"])
def test_odd_audio_is_shown(tmp_path, kind):
    rng = np.random.default_rng(0)
    y = {
        "click": np.eye(1, 30_000, 15_000)[0],
        "constant": np.full(30_000, 0.5),
        "noise": rng.uniform(-1, 1, 30_000),
        "half a second": rng.uniform(-1, 1, 11_025),
        "holes": np.where(rng.random(30_000) < 0.1, np.nan, 0.1),
    }[kind]
    out = tmp_path / "page.html"
    assert main(["report", str(write(tmp_path / "odd.wav", y)), "--out", str(out)]) == 0
    assert out.read_text().count("<img ") == 7


def test_mistakes_are_told_in_a_sentence_and_nothing_is_written(song, tmp_path, monkeypatch, capsys):
    text = tmp_path / "text.wav"
    text.write_text("no audio " * 100)
    monkeypatch.chdir(tmp_path)
    for arguments, status, sentence in (
        ([text, "--out", "page.html"], 1, "text.wav"),
        (["nothing.wav", "--out", "page.html"], 1, "nothing.wav"),
        ([], 2, "give one recording, or --index DIR or --table FILE"),
        ([song, song], 2, "give one recording, or"),
        ([song, "--out", "page.png"], 2, "does not end in .html"),
        ([song, "--out", tmp_path / "no" / "page.html"], 2, "is in a folder that is not there"),
        ([song, "--out", tmp_path], 2, "does not end in .html"),
    ):
        assert main(["report", *map(str, arguments)]) == status, arguments
        told = capsys.readouterr().err
        assert sentence in told
        assert told.count("\n") == 1
        assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["text.wav"]


def test_a_name_that_nobody_gave_replaces_nothing(song, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song-report.html").write_text("mine")
    assert main(["report", str(song)]) == 2
    assert "'song-report.html' is there already; give --out" in capsys.readouterr().err
    assert (tmp_path / "song-report.html").read_text() == "mine"


def test_a_disk_that_is_full_leaves_what_was_there(song, tmp_path, monkeypatch, capsys):
    out = tmp_path / "page.html"
    out.write_text("before")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    assert main(["report", str(song), "--out", str(out)]) == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_without_matplotlib(song, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert main(["report", str(song), "--out", str(tmp_path / "page.html")]) == 2
    assert install_command("plot") in capsys.readouterr().err


def test_a_hostile_name_is_only_text(music, tmp_path):
    name = "<script>alert(1)<" + "\u2215script>\"'&.wav"
    out = tmp_path / "page.html"
    assert main(["report", str(write(tmp_path / name, music[: 2 * SAMPLE_RATE_HZ])), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;" in text
