"""Files: whatever FFmpeg or libsndfile reads, whole, damaged or none at all."""

import logging
import os
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
from capture_samples import encoded, frequency_hz, joined, read_all, sweep, write_aac

from stream_match.capture import sndfile
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import FileSource, duration_s, read_blocks
from stream_match.capture.tags import tags
from stream_match.errors import SourceError


def read(path):
    return np.concatenate(list(read_blocks(path)))


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_formats_of_libsndfile(tmp_path, container):
    path = tmp_path / "song"  # what it is shows inside, not in the name
    path.write_bytes(encoded(sweep(3.0, 44_100, 2), 44_100, container))
    got = read(path)
    assert got.dtype == np.float32
    assert got.size / SAMPLE_RATE_HZ == pytest.approx(3.0, abs=0.06)
    assert duration_s(path) == pytest.approx(3.0, abs=0.06)


@pytest.fixture(params=["FFmpeg", "libsndfile"])
def either(request, monkeypatch):
    """The two decoders in turn."""
    if request.param == "FFmpeg":
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(sndfile, "CHUNK_VALUES", 10_000)
        monkeypatch.setitem(sys.modules, "av", None)
    return request.param


def test_equals_the_whole_resampled_at_once(tmp_path, either):
    y = sweep(2.0, 48_000, 2)
    path = tmp_path / "song.wav"
    path.write_bytes(encoded(y, 48_000, "WAV", "FLOAT"))
    np.testing.assert_array_equal(read(path), soxr.resample(y[:, 0], 48_000, SAMPLE_RATE_HZ))


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8"),
    ],
)  # fmt: skip
def test_without_loss_both_decoders_give_the_same_to_the_bit(tmp_path, monkeypatch, container, subtype):
    """An index that was built with the one is as good with the other."""
    pytest.importorskip("av")
    path = tmp_path / "song"
    path.write_bytes(encoded(sweep(2.0, 44_100, 2), 44_100, container, subtype))
    by_ffmpeg = read(path)
    monkeypatch.setitem(sys.modules, "av", None)
    np.testing.assert_array_equal(read(path), by_ffmpeg)


@pytest.mark.parametrize("container", ["MP3", "OGG", "ipod"])
@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_sounds_keep_their_time_through_the_delay_of_encoders(tmp_path, container, rate_hz):
    pytest.importorskip("av")
    path = tmp_path / "song"
    y = sweep(3.0, rate_hz)
    if container == "ipod":
        write_aac(path, y, rate_hz, container)
    else:
        path.write_bytes(encoded(y, rate_hz, container))
    middle = sweep(3.0)[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ, 0]
    correlation = scipy.signal.correlate(read(path), middle, mode="valid")
    assert abs(int(correlation.argmax()) - SAMPLE_RATE_HZ) <= 0.002 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_the_channel_that_is_asked_for_is_heard(tmp_path, either, container):
    path = tmp_path / "song"
    y = sweep(2.0, 44_100, 2)
    y[:, 1] = 0.2 * np.sin(2 * np.pi * 4_000 * np.arange(len(y)) / 44_100)
    path.write_bytes(encoded(y, 44_100, container))
    second = np.concatenate(list(read_blocks(path, channel=2)))
    assert frequency_hz(second[:SAMPLE_RATE_HZ]) == pytest.approx(4_000, abs=5)
    first = joined(read_all(FileSource(str(path), "song", channel=1)))
    assert frequency_hz(first[:SAMPLE_RATE_HZ]) < 500
    with pytest.raises(SourceError, match="has 2 channels, of which channel 3 was asked for"):
        list(read_blocks(path, channel=3))


@pytest.mark.parametrize("container", ["WAV", "MP3"])
def test_inverted_channels_are_heard_and_told(tmp_path, caplog, either, container):
    path = tmp_path / "song"
    path.write_bytes(encoded(sweep(4.0, 44_100, 2) * np.float32([1, -1]), 44_100, container))
    with caplog.at_level(logging.WARNING):
        got = read(path)
    assert np.sqrt(np.mean(np.square(got))) == pytest.approx(0.3 / np.sqrt(2), abs=0.02)
    assert caplog.text.count("channels cancel each other in the mix; channel") == 1


def test_the_track_that_is_marked_as_default_is_heard(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "song.mka"
    with av.open(str(path), "w", format="matroska") as output:
        tracks = [output.add_stream("pcm_s16le", rate=8_000, layout="mono") for _ in range(3)]
        for track, default in zip(tracks, (False, True, False), strict=True):
            track.disposition = av.stream.Disposition.default if default else 0
        for n, track in enumerate(tracks):
            y = np.full((1, 4_000), 4_000 * (n + 1), np.int16)
            frame = av.AudioFrame.from_ndarray(y, format="s16", layout="mono")
            frame.sample_rate = 8_000
            output.mux(track.encode(frame))
            output.mux(track.encode(None))
    assert np.median(read(path)) == pytest.approx(8_000 / 2**15, abs=0.01)


def test_the_picture_on_the_cover_is_not_looked_at(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w", format="matroska") as output:
        picture = output.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 16
        picture.pix_fmt = "yuvj420p"
        audio = output.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        output.mux(picture.encode(av.VideoFrame(16, 16, "yuvj420p")))
        output.mux(picture.encode(None))
        y = sweep(1.0)
        for start in range(0, len(y), 1024):
            frame = av.AudioFrame.from_ndarray(y[start : start + 1024].T.copy(), format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    assert read(path).size / SAMPLE_RATE_HZ == pytest.approx(1.0, abs=0.1)


def test_what_libsndfile_cannot_do_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "av", None)
    sndfile.warn_once.cache_clear()
    path = tmp_path / "song.wav"
    path.write_bytes(encoded(sweep(1.0), SAMPLE_RATE_HZ, "WAV"))
    for _ in range(3):
        read(path)
    assert caplog.text.count("FFmpeg's decoders are not installed") == 1


def test_a_format_that_ffmpeg_does_not_know_is_left_to_libsndfile(tmp_path):
    path = tmp_path / "song.mat"
    path.write_bytes(encoded(sweep(1.0), SAMPLE_RATE_HZ, "MAT5"))
    assert read(path).size == SAMPLE_RATE_HZ
    assert duration_s(path) == pytest.approx(1.0)


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mkv", "aac"])
def test_formats_of_ffmpeg(tmp_path, suffix):
    pytest.importorskip("av")
    path = tmp_path / f"a:b {suffix}.{suffix}"
    write_aac(path, sweep(3.0, 44_100), 44_100, {"aac": "adts", "mkv": "matroska", "m4a": "ipod"}.get(suffix))
    got = read(path)
    assert got.size / SAMPLE_RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert np.sqrt(np.mean(np.square(got))) == pytest.approx(0.3 / np.sqrt(2), abs=0.02)
    assert duration_s(path) == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_is_read_alike_with_and_without_ffmpeg(tmp_path, monkeypatch, subtype):
    pytest.importorskip("av")
    path = tmp_path / "song.ogg"
    path.write_bytes(encoded(sweep(5.0, 48_000, 2), 48_000, "OGG", subtype))
    faster = read(path)
    monkeypatch.setitem(sys.modules, "av", None)
    slower = read(path)
    assert abs(faster.size - slower.size) < 0.02 * SAMPLE_RATE_HZ
    shared = min(faster.size, slower.size) - 500
    np.testing.assert_allclose(faster[500:shared], slower[500:shared], atol=0.02)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_damage_in_ogg_loses_what_is_near_it_only(tmp_path, subtype):
    path = tmp_path / "song.ogg"
    whole = bytearray(encoded(sweep(20.0, 48_000), 48_000, "OGG", subtype))
    middle = len(whole) // 2
    whole[middle : middle + 100] = bytes(100)
    path.write_bytes(whole)
    assert 15 < read(path).size / SAMPLE_RATE_HZ < 20.1


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_what_is_missing_in_ogg_is_silence_and_a_warning(tmp_path, caplog, subtype):
    pytest.importorskip("av")
    path = tmp_path / "song.ogg"
    whole = encoded(sweep(20.0, 48_000), 48_000, "OGG", subtype)
    third = len(whole) // 3
    path.write_bytes(whole[:third] + whole[2 * third :])
    with caplog.at_level(logging.WARNING):
        got = read(path)
    assert got.size / SAMPLE_RATE_HZ == pytest.approx(20, abs=0.3)
    assert "missing and became silence" in caplog.text
    end = sweep(20.0)[-4 * SAMPLE_RATE_HZ : -2 * SAMPLE_RATE_HZ, 0]
    correlation = scipy.signal.correlate(got[-5 * SAMPLE_RATE_HZ :], end, mode="valid")
    assert abs(int(correlation.argmax()) - SAMPLE_RATE_HZ) < 0.3 * SAMPLE_RATE_HZ  # where it was


def test_time_stamps_that_jump_on_and_on_make_no_endless_silence(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "jumps.m4a"
    y = sweep(4.0, 44_100)
    write_aac(path, y, 44_100, "ipod", jump_s=50.0)
    seconds = read(path).size / SAMPLE_RATE_HZ
    assert 50 < seconds < 66  # there are 4 s, and 3 jumps of 50 s


@pytest.mark.parametrize("channels", [1, 2, 6, 7, 8])
def test_channels_are_averaged_however_many(tmp_path, channels):
    """FFmpeg's planes are eight at the most, of which PyAV counts nine. The sixth channel is for basses."""
    path = tmp_path / "song.ogg"
    path.write_bytes(encoded(sweep(2.0, 48_000, channels), 48_000, "OGG", "VORBIS"))
    got = read(path)
    assert got.size / SAMPLE_RATE_HZ == pytest.approx(2.0, abs=0.1)
    assert np.sqrt(np.mean(np.square(got))) == pytest.approx(0.3 / np.sqrt(2), abs=0.05)


@pytest.mark.parametrize("container", ["WAV", "OGG"])
def test_a_rate_out_of_range_is_refused_with_the_name_of_the_file(tmp_path, container):
    path = tmp_path / "slow"
    path.write_bytes(encoded(sweep(20.0, 900), 900, container))
    with pytest.raises(SourceError, match=r"slow' has a sample rate of 900 Hz"):
        read(path)


def test_a_jump_of_more_than_a_minute_is_told(tmp_path, caplog):
    pytest.importorskip("av")
    path = tmp_path / "jumps.m4a"
    write_aac(path, sweep(2.0, 44_100), 44_100, "ipod", jump_s=100.0)
    with caplog.at_level(logging.WARNING):
        assert read(path).size / SAMPLE_RATE_HZ == pytest.approx(2.0, abs=0.2)
    assert "time stamps jump" in caplog.text


def test_without_ffmpeg_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SourceError, match=r"pip install .*\[stream\]'") as caught:
        read(path)
    assert not caught.value.retry
    assert duration_s(path) is None
    assert tags(path) == {}


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_U8") as out:
        for _ in range(60):
            out.write(np.zeros(8_000 * 60, np.float32))  # an hour
    tracemalloc.start()
    size = sum(y.size for y in read_blocks(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 3600 * SAMPLE_RATE_HZ
    assert peak < 40e6  # whole, it would be 318 MB


def test_a_source_reads_the_same(tmp_path):
    path = tmp_path / "song.ogg"
    path.write_bytes(encoded(sweep(2.0), SAMPLE_RATE_HZ, "OGG"))
    source = FileSource(str(path), "song")
    assert not source.live
    got = np.concatenate([block.y for block in read_all(source)])
    np.testing.assert_array_equal(got, read(path))


@pytest.mark.parametrize("container", ["FLAC", "MP3"])
def test_one_that_breaks_off_gives_what_there_is_and_a_warning(tmp_path, caplog, container):
    whole = encoded(sweep(20.0), SAMPLE_RATE_HZ, container)
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        got = read(path)
    assert 8 < got.size / SAMPLE_RATE_HZ < 15
    assert "broken off" in caplog.text


@pytest.mark.parametrize(("samples", "told"), [(0, False), (300, False), (11_025, True)])
def test_a_promise_of_a_little_more_is_no_break(tmp_path, caplog, monkeypatch, samples, told):
    """What libsndfile says of some Ogg files, before it decodes them, where there is no FFmpeg to do it."""
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "promised.ogg"
    path.write_bytes(encoded(sweep(2.0), SAMPLE_RATE_HZ, "OGG"))
    promised = 2 * SAMPLE_RATE_HZ + samples
    monkeypatch.setattr(soundfile.SoundFile, "frames", promised)
    with caplog.at_level(logging.WARNING):
        assert read(path).size == 2 * SAMPLE_RATE_HZ
    assert ("broken off" in caplog.text) == told


def test_nan_in_a_file_becomes_silence(tmp_path, caplog):
    y = sweep(1.0)
    y[100:200] = np.nan
    path = tmp_path / "nan.wav"
    path.write_bytes(encoded(y, SAMPLE_RATE_HZ, "WAV", "FLOAT"))
    with caplog.at_level(logging.WARNING):
        got = read(path)
    assert np.isfinite(got).all()
    assert "100 samples" in caplog.text


def bad_files(folder):
    wav = encoded(sweep(1.0), SAMPLE_RATE_HZ, "WAV")
    (folder / "empty.wav").touch()
    (folder / "header.wav").write_bytes(wav[:44])
    (folder / "text.mp3").write_text("this is not audio\n" * 100)
    (folder / "noise.flac").write_bytes(np.random.default_rng(0).bytes(20_000))
    (folder / "stub.flac").write_bytes(encoded(sweep(1.0), SAMPLE_RATE_HZ, "FLAC")[:60])
    (folder / "samples.raw").write_bytes(bytes(1000))
    os.mkfifo(folder / "pipe")
    return [
        "empty.wav",
        "header.wav",
        "text.mp3",
        "noise.flac",
        "stub.flac",
        "samples.raw",
        "pipe",
        ".",
        "none.ogg",
    ]


def test_what_is_no_audio_is_refused_with_a_sentence(tmp_path):
    for name in bad_files(tmp_path):
        with pytest.raises(SourceError) as caught:
            read(tmp_path / name)
        assert not caught.value.retry, name
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert tags(tmp_path / name) == {}
    assert duration_s(tmp_path / "none.ogg") is None


def test_a_zero_byte_in_a_path_is_no_crash():
    with pytest.raises(SourceError):
        next(read_blocks("a\0b"))


def test_tags(tmp_path):
    path = tmp_path / "song.flac"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as out:
        out.title, out.artist = "A Title", "Ann"
        out.write(sweep(0.5))
    assert tags(path) == {"title": "A Title", "artist": "Ann"}
    assert tags(tmp_path / "none.flac") == {}


def test_tags_that_only_ffmpeg_reads(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="ipod") as output:
        output.metadata["title"] = "B Title"
        stream = output.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert tags(path) == {"title": "B Title"}


def test_a_name_that_is_not_utf_8_is_refused_in_a_sentence(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfe.wav")
    soundfile.write(os.fsencode(path), np.zeros(100, np.int16), 8000, format="WAV")
    with pytest.raises(SourceError, match="is not UTF-8"):
        list(read_blocks(path))
