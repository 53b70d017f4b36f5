"""Files that were joined, damaged, padded or never finished: heard whole, or said not to be."""

import io
import itertools
import logging
import os
import re
import struct

import numpy as np
import pytest
import scipy.signal
from capture_samples import encoded, frequency_hz, sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture import parts
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import duration_s, read_blocks
from stream_match.capture.joined import JoinedFile
from stream_match.capture.parts import Part, parts_of
from stream_match.errors import SourceError

av = pytest.importorskip("av")

BY_LIBSNDFILE = {
    "wav": ("WAV", None), "rf64": ("RF64", None), "w64": ("W64", None), "aiff": ("AIFF", None),
    "au": ("AU", None), "caf": ("CAF", None), "flac": ("FLAC", None), "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"), "mp3": ("MP3", None),
}  # fmt: skip
BY_FFMPEG = {
    "aac": ("adts", "aac"), "m4a": ("ipod", "aac"), "mka": ("matroska", "flac"), "webm": ("webm", "libopus"),
    "wma": ("asf", "wmav2"), "ts": ("mpegts", "aac"), "bare mp3": ("mp3", "libmp3lame"),
}  # fmt: skip
FORMATS = [*BY_LIBSNDFILE, *BY_FFMPEG]


def tone(hz, seconds, rate_hz=44_100, channels=1):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.repeat(0.3 * np.sin(2 * np.pi * hz * t)[:, None], channels, axis=1).astype(np.float32)


def by_ffmpeg(y, rate_hz, container, codec, options=None):
    """Encode with FFmpeg; MP3 without the header that counts its frames."""
    output = io.BytesIO()
    bare = {"write_xing": "0"} if container == "mp3" else {}
    with av.open(output, "w", format=container, options=bare) as out:
        layout = "mono" if y.shape[1] == 1 else "stereo"
        stream = out.add_stream(codec, rate=rate_hz, layout=layout, options=options or {})
        if codec == "wmav2":  # knows no other
            stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y.T), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return output.getvalue()


def file_of(name, y, rate_hz):
    if name in BY_LIBSNDFILE:
        return encoded(y, rate_hz, *BY_LIBSNDFILE[name])
    return by_ffmpeg(y, rate_hz, *BY_FFMPEG[name])


def read(path, data=None):
    if data is not None:
        path.write_bytes(data)
    return np.concatenate(list(read_blocks(path)))


def seconds(y):
    return y.size / SAMPLE_RATE_HZ


def at(y, second):
    """The frequency that is heard at a time."""
    start = round((second - 0.1) * SAMPLE_RATE_HZ)
    return frequency_hz(y[start : start + SAMPLE_RATE_HZ // 5])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("second", [(48_000, 1), (48_000, 2), (24_000, 1)])
def test_each_part_of_a_joined_file_is_heard(tmp_path, caplog, name, second):
    """Of the same rate and channels, or not."""
    first = (24_000, 1) if name == "webm" else (48_000, 1)
    data = file_of(name, tone(500, 2, *first), first[0]) + file_of(name, tone(1_500, 2, *second), second[0])
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "joined", data)
    assert seconds(got) == pytest.approx(4.0, abs=0.2)
    assert [at(got, s) for s in (0.5, 1.5)] == pytest.approx([500] * 2, abs=6)
    assert [at(got, s) for s in (2.6, 3.5)] == pytest.approx([1_500] * 2, abs=6)
    assert caplog.text == ""


MIXED = ["wav", "flac", "ogg", "opus", "aiff", "mp3"]


@pytest.mark.parametrize("names", [*itertools.permutations(MIXED, 2), MIXED, MIXED[::-1]], ids="+".join)
def test_parts_of_different_formats_are_heard_too(tmp_path, caplog, names):
    path = tmp_path / "joined"
    rates_hz = [48_000 if name == "opus" else 44_100 for name in names]
    tones = [
        file_of(name, tone(500 * n, 2, rate_hz), rate_hz)
        for n, (name, rate_hz) in enumerate(zip(names, rates_hz, strict=True), start=1)
    ]
    with caplog.at_level(logging.WARNING):
        got = read(path, b"".join(tones))
    assert seconds(got) == pytest.approx(2.0 * len(names), abs=0.1 * len(names))
    assert [at(got, 2.0 * n + 1.0) for n in range(len(names))] == pytest.approx(
        [500 * (n + 1) for n in range(len(names))], rel=0.02
    )
    assert duration_s(path) == pytest.approx(2.0 * len(names), abs=0.2 * len(names))
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "aiff"])
def test_a_tag_behind_a_file_is_no_part_of_it(tmp_path, caplog, name):
    whole = file_of(name, tone(500, 2), 44_100)
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "song", whole + b"ID3\3\0\0\0\0\7\0" + bytes(7 * 128))
    assert seconds(got) == pytest.approx(2.0, abs=0.05)
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "m4a"])
def test_the_length_of_a_joined_file_is_that_of_all_parts(tmp_path, name):
    path = tmp_path / "joined"
    path.write_bytes(file_of(name, tone(500, 2), 44_100) * 3)
    assert duration_s(path) == pytest.approx(6.0, abs=0.1)
    assert seconds(read(path)) == pytest.approx(6.0, abs=0.2)


@pytest.mark.parametrize("name", ["mp3", "bare mp3", "aac"])
def test_a_tag_in_the_middle_is_passed_over(tmp_path, caplog, name):
    whole = file_of(name, tone(500, 4), 44_100)
    n = 300_000
    size = bytes([(n >> 21) & 127, (n >> 14) & 127, (n >> 7) & 127, n & 127])
    tag = b"ID3\3\0\0" + size + np.random.default_rng(0).bytes(n)
    got = read(tmp_path / "song", whole[: len(whole) // 2] + tag + whole[len(whole) // 2 :])
    assert seconds(got) == pytest.approx(4.0, abs=0.1)
    assert at(got, 3.5) == pytest.approx(500, abs=6)
    assert caplog.text == ""


def test_a_bare_mp3_of_changing_rate_is_heard_whole(tmp_path, caplog):
    """Without the header that counts its frames, its length can only be guessed."""
    rng = np.random.default_rng(0)
    quiet_then_loud = np.concatenate([tone(500, 15), rng.uniform(-0.5, 0.5, (5 * 44_100, 1))]).astype(
        np.float32
    )
    data = by_ffmpeg(
        quiet_then_loud, 44_100, "mp3", "libmp3lame", {"global_quality": str(4 * 118), "flags": "+qscale"}
    )
    with caplog.at_level(logging.WARNING):
        assert seconds(read(tmp_path / "bare.mp3", data)) == pytest.approx(20.0, abs=0.1)
    assert caplog.text == ""


@pytest.mark.parametrize("channels", [1, 2])
def test_damage_in_flac_costs_a_frame_and_moves_nothing(tmp_path, caplog, channels):
    y = sweep(12.0, 44_100, channels)
    whole = bytearray(encoded(y, 44_100, "FLAC"))
    middle = len(whole) // 2
    whole[middle : middle + 50] = np.random.default_rng(0).bytes(50)
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "damaged.flac", bytes(whole))
    expected = read(tmp_path / "whole.flac", encoded(y, 44_100, "FLAC"))
    assert got.size == pytest.approx(expected.size, abs=2)
    shared = min(got.size, expected.size)
    wrong = np.abs(got[:shared] - expected[:shared]) > 1e-3
    assert np.count_nonzero(wrong) < 0.5 * SAMPLE_RATE_HZ
    assert "became silence" in caplog.text
    assert "broken off" not in caplog.text


@pytest.mark.parametrize("name", ["flac", "wav", "ogg", "mp3", "aiff", "m4a", "mka"])
def test_what_was_appended_costs_nothing_and_is_no_loss(tmp_path, caplog, name):
    whole = file_of(name, tone(500, 4), 44_100)
    expected = read(tmp_path / "whole", whole)
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "padded", whole + bytes(4096))
    np.testing.assert_allclose(got[: expected.size], expected, atol=1e-3)
    assert seconds(got) - seconds(expected) < 0.03  # of MP3 the encoder's padding, whose length is not sure
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["flac", "ogg", "opus"])
@pytest.mark.parametrize("behind", ["noise", "aac"])
def test_what_follows_and_is_not_heard_is_told(tmp_path, caplog, name, behind):
    noise = np.random.default_rng(0).normal(0, 0.2, (15 * 48_000, 1)).astype(np.float32)
    follows = noise.tobytes()[:300_000] if behind == "noise" else file_of("aac", noise, 48_000)
    assert len(follows) > 100_000
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "song", file_of(name, tone(500, 4, 48_000), 48_000) + follows)
    assert seconds(got) == pytest.approx(4.0, abs=0.2)
    told = re.search(r"about (\d+) kB behind its audio are not heard", caplog.text)
    assert int(told[1]) == pytest.approx(len(follows) / 1000, abs=10)


@pytest.mark.parametrize("name", ["flac", "wav", "aiff", "ogg", "caf"])
def test_what_lies_in_front_costs_nothing(tmp_path, name):
    whole = file_of(name, tone(500, 2), 44_100)
    got = read(tmp_path / "behind", np.random.default_rng(0).bytes(3_000) + whole)
    np.testing.assert_array_equal(got, read(tmp_path / "whole", whole))


def sizes(data, riff, body):
    """A WAV file whose header tells other sizes."""
    changed = bytearray(data)
    place = changed.find(b"data")
    changed[4:8], changed[place + 4 : place + 8] = struct.pack("<I", riff), struct.pack("<I", body)
    return bytes(changed)


@pytest.mark.parametrize(
    ("riff", "body"),
    [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFFF), (0xFFFFFFFF, 0), (0, 0xFFFFFFFF)],
)
def test_a_wav_whose_recorder_was_killed_is_heard_whole(tmp_path, caplog, riff, body):
    y = sweep(4.0, 44_100, 2)
    whole = encoded(y, 44_100, "WAV")
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "killed.wav", sizes(whole, riff, body))
    np.testing.assert_array_equal(got, read(tmp_path / "whole.wav", whole))
    assert caplog.text == ""


def test_a_killed_wav_that_ends_within_a_sample_is_heard_up_to_there(tmp_path):
    whole = sizes(encoded(sweep(2.0, 44_100, 2), 44_100, "WAV"), 0, 0)
    assert seconds(read(tmp_path / "odd.wav", whole[:-3])) == pytest.approx(2.0, abs=0.001)


def test_an_rf64_is_heard_whole(tmp_path):
    assert seconds(read(tmp_path / "long.wav", encoded(sweep(2.0, 44_100), 44_100, "RF64"))) == 2.0


def test_audio_behind_the_end_that_a_header_names_is_said_not_to_be_heard(tmp_path, caplog):
    """A recorder that brings its header up to date from time to time, killed in between."""
    whole = encoded(sweep(4.0, 44_100), 44_100, "WAV")
    half = (len(whole) - 44) // 2
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "song.wav", sizes(whole, 36 + half, half))
    assert seconds(got) == pytest.approx(2.0)
    assert f"{half} bytes behind the end that its header names are not heard" in caplog.text


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "mp3", "au", "ogg"])
@pytest.mark.parametrize("missing_s", [0.0, 0.03, 2.0])
def test_a_loss_is_told_when_it_is_one_and_with_figures_that_differ(tmp_path, caplog, name, missing_s):
    whole = file_of(name, sweep(8.0, 44_100), 44_100)
    kept = round(len(whole) * (1 - missing_s / 8))
    with caplog.at_level(logging.WARNING):
        read(tmp_path / "cut", whole[:kept])
    told = "broken off" in caplog.text
    assert told <= (missing_s > 0)
    if name != "ogg":  # its last whole page is its end
        assert told or missing_s < 2
    if told and " s of " in caplog.text:
        got, promised = caplog.text.split("broken off: ")[1].split(" s could")[0].split(" s of ")
        assert got != promised


def test_parts_that_cannot_be_read_are_counted(tmp_path, caplog):
    whole = encoded(tone(500, 2), 44_100, "FLAC")
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "song.flac", whole + b"fLaC\0\0\0\x22" + bytes(500) + whole)
    assert seconds(got) == pytest.approx(4.0, abs=0.01)
    assert "508 bytes in it cannot be read as audio" in caplog.text


SECOND = encoded(tone(500, 1), 44_100, "FLAC")
BROKEN = b"fLaC\0\0\0\x22" + bytes(500)


@pytest.mark.parametrize(
    ("limit", "heard", "unheard"),
    [("MAX_PARTS", [SECOND] * 2, [SECOND] * 3), ("MAX_UNREADABLE", [SECOND], [BROKEN] * 2 + [SECOND])],
)
def test_what_lies_behind_too_many_parts_is_said_not_to_be_heard(
    tmp_path, caplog, monkeypatch, limit, heard, unheard
):
    monkeypatch.setattr(f"stream_match.capture.joined.{limit}", 2)
    with caplog.at_level(logging.WARNING):
        got = read(tmp_path / "song.flac", b"".join(heard + unheard))
    assert seconds(got) == pytest.approx(len(heard), abs=0.01)
    assert f"{sum(map(len, unheard))} bytes in it cannot be read as audio" in caplog.text


def test_thousands_of_heads_are_no_hang(tmp_path):
    with pytest.raises(SourceError):
        read(tmp_path / "heads.flac", b"fLaC\0\0\0\x22" * 50_000)


HEADS = {
    name: file_of(name, tone(500, 0.3), 24_000)
    for name in ("wav", "flac", "ogg", "m4a", "mka", "caf", "aiff")
}


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(HEADS)),
    copies=st.integers(1, 4),
    chunk=st.integers(100, 5_000),
    padding=st.integers(0, 200),
)
def test_heads_are_found_however_the_file_is_searched(name, copies, chunk, padding):
    whole = HEADS[name] + bytes(padding)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "CHUNK_BYTES", chunk)
        found = list(parts_of(io.BytesIO(whole * copies)))
    assert [part.start for part in found] == [n * len(whole) for n in range(copies)]
    assert all(before.end == after.start for before, after in itertools.pairwise(found))


def test_a_part_is_read_as_a_file_of_its_own():
    part = Part(io.BytesIO(b"0123456789"), 2, 7)
    assert part.read(2) + part.read(100) + part.read(1) == b"23456"
    assert (part.seek(-2, 2), part.read(1), part.tell(), part.seek(1, 1)) == (3, b"5", 4, 5)
    assert part.read(1) == b""


def test_a_part_that_is_read_in_circles_comes_to_an_end():
    part = Part(io.BytesIO(bytes(10)), 0, 10)
    while part.read(10):
        part.seek(0)
    assert "in circles" in str(part.failure)


def test_a_place_beyond_every_file_is_its_end():
    part = Part(io.BytesIO(bytes(10)), 0, 10)
    part.seek(2**63)
    assert part.read(10) == b""
    assert part.failure is None


def test_a_disk_that_fails_is_told_and_what_was_read_is_heard(tmp_path, caplog, monkeypatch):
    path = tmp_path / "song.wav"
    path.write_bytes(encoded(tone(500, 8), 44_100, "WAV"))
    read_whole = Part._read

    def fails(self, n):
        if self.start + self._position > 400_000:
            raise OSError(5, "Input/output error")
        return read_whole(self, n)

    monkeypatch.setattr(Part, "_read", fails)
    with caplog.at_level(logging.WARNING):
        assert 4 < seconds(read(path)) < 6
    assert "Input/output error" in caplog.text


class FailingDisk(io.FileIO):
    """A file with a bad sector in its middle."""

    def read(self, n=-1):
        size = os.fstat(self.fileno()).st_size
        if self.tell() <= size // 2 < self.tell() + (size if n < 0 else n):
            raise OSError(5, "Input/output error")
        return super().read(n)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg"])
def test_a_disk_that_fails_while_parts_are_sought_is_told_too(tmp_path, caplog, name):
    path = tmp_path / "song"
    noise = np.random.default_rng(1).normal(0, 0.1, (20 * 44_100, 1)).astype(np.float32)
    path.write_bytes(file_of(name, noise, 44_100))  # large enough not to be read at once
    with caplog.at_level(logging.WARNING), FailingDisk(path) as disk:
        assert 6 < seconds(np.concatenate(list(JoinedFile(disk, path).blocks(None)))) < 11
    assert "Input/output error" in caplog.text or "broken off" in caplog.text


def test_the_end_of_a_joined_file_is_where_it_was(tmp_path):
    """Resampled part by part, nothing is lost or added between them."""
    pieces = [sweep(1.0 + 0.1 * n, 44_100) for n in range(3)]
    got = read(tmp_path / "joined.wav", b"".join(encoded(y, 44_100, "WAV") for y in pieces))
    whole = np.concatenate(pieces)[:, 0]
    assert got.size == pytest.approx(whole.size / 2, abs=3)
    correlation = scipy.signal.correlate(got, whole[::2][-SAMPLE_RATE_HZ // 2 :], mode="valid")
    assert correlation.argmax() == pytest.approx(got.size - SAMPLE_RATE_HZ // 2, abs=3)
