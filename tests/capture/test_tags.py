"""Tags of files in any charset, with FFmpeg and without."""

import io
import struct
import sys

import numpy as np
import pytest
import soundfile
from capture_samples import encoded, read_all, sweep
from capture_servers import Server, serving, whole

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.tags import tags
from stream_match.capture.url import UrlSource

TITLES = [
    ("latin-1", "Überjam", "Motörhead"),
    ("cp1252", "Don’t – Ü", "Hüsker Dü"),
    ("cp1251", "Группа крови", "Кино"),
    ("cp932", "人生の川", "久石譲"),
    ("utf-8", "Überjam", "久石譲"),
]


@pytest.fixture(params=["FFmpeg", "libsndfile"])
def decoder(request, monkeypatch):
    """Once with FFmpeg, once as if it was not installed."""
    if request.param == "FFmpeg":
        pytest.importorskip("av")
    else:
        monkeypatch.setitem(sys.modules, "av", None)
    return request.param


@pytest.fixture(scope="module")
def mp3():
    return encoded(sweep(2.0), SAMPLE_RATE_HZ, "MP3")


def id3v1(audio, title, artist, charset):
    fields = title.encode(charset).ljust(30, b"\0"), artist.encode(charset).ljust(30, b"\0")
    return audio + b"TAG" + b"".join(fields) + bytes(30) + b"2020" + bytes(30) + b"\xff"


def id3v2(audio, title, artist, charset):
    """Frames that say that they are Latin-1, whatever they are."""

    def frame(name, text):
        data = b"\0" + text.encode(charset)
        return name + struct.pack(">IH", len(data), 0) + data

    frames = frame(b"TIT2", title) + frame(b"TPE1", artist)
    size = bytes(len(frames) >> 7 * place & 0x7F for place in (3, 2, 1, 0))
    return b"ID3\x03\0\0" + size + frames + audio


def riff(title, artist, charset):
    def chunk(name, data):
        return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    wave = encoded(sweep(1.0), SAMPLE_RATE_HZ, "WAV")
    info = (
        b"INFO"
        + chunk(b"INAM", title.encode(charset) + b"\0")
        + chunk(b"IART", artist.encode(charset) + b"\0")
    )
    place = wave.index(b"data")
    body = wave[8:place] + chunk(b"LIST", info) + wave[place:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(("charset", "title", "artist"), TITLES)
def test_id3v1(tmp_path, decoder, mp3, charset, title, artist):
    path = tmp_path / "a.mp3"
    path.write_bytes(id3v1(mp3, title, artist, charset))
    assert tags(path) == {"title": title, "artist": artist}


@pytest.mark.parametrize(("charset", "title", "artist"), TITLES)
def test_riff_info(tmp_path, decoder, charset, title, artist):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(title, artist, charset))
    assert tags(path) == {"title": title, "artist": artist}


@pytest.mark.parametrize(("charset", "title", "artist"), TITLES)
def test_id3v2_that_says_latin_1(tmp_path, mp3, charset, title, artist):
    pytest.importorskip("av")
    path = tmp_path / "a.mp3"
    path.write_bytes(id3v2(mp3, title, artist, charset))
    assert tags(path) == {"title": title, "artist": artist}


def test_tags_that_are_unicode_stay_as_they_are(tmp_path, decoder):
    for container in ("FLAC", "OGG"):
        path = tmp_path / f"a.{container.lower()}"
        with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, format=container) as file:
            file.title, file.artist, file.album = "Ágætis byrjun", "Сигур", "ÀÉÈ"
            file.write(np.zeros(SAMPLE_RATE_HZ))
        assert tags(path) == {"title": "Ágætis byrjun", "artist": "Сигур", "album": "ÀÉÈ"}


def test_a_file_that_cannot_be_read_has_none(tmp_path, decoder):
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 10)
    for path in (tmp_path, tmp_path / "none", "a\0b", *tmp_path.iterdir()):
        assert tags(path) == {}


def test_tags_of_a_file_on_the_web_are_decoded_alike(mp3):
    pytest.importorskip("av")
    with serving(Server()) as server:
        server.pages["/a.mp3"] = whole(id3v2(mp3, "Группа крови", "Кино", "cp1251"))
        blocks = read_all(UrlSource(server.url("/a.mp3"), "a"))
    assert blocks[0].metadata == {"title": "Группа крови", "artist": "Кино"}


def test_a_damaged_tag_is_no_accident(tmp_path, decoder, mp3):
    rng = np.random.default_rng(1)
    whole_tag = id3v2(id3v1(mp3, "Über", "Jam", "latin-1"), "Über", "Jam", "latin-1")
    for number in range(40):
        data = bytearray(whole_tag)
        for place in rng.integers(0, 60, 5):
            data[place] = rng.integers(0, 256)
        path = tmp_path / f"{number}.mp3"
        path.write_bytes(io.BytesIO(data).getvalue())
        assert set(tags(path)) <= {"title", "artist", "album"}
