"""From a URI to a source with a name."""

import re
import subprocess
import sys

import pytest

from stream_match.capture import SETTINGS, open_source
from stream_match.capture.uri import NAME_PATTERN, derive_name, redact
from stream_match.config import SourceSettings
from stream_match.errors import UsageError


@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ("song.flac", "FileSource", "song"),
        ("/music/Ärger im Büro!.mp3", "FileSource", "arger-im-buro"),
        ("./mic", "FileSource", "mic"),
        ("http", "FileSource", "http"),
        ("kitchen=song.flac", "FileSource", "kitchen"),
        ("kitchen=mic:", "MicrophoneSource", "kitchen"),
        ("mic:", "MicrophoneSource", "mic"),
        ("mic:USB Audio (hw:1)", "MicrophoneSource", "mic-usb-audio-hw-1"),
        ("pcm:-?rate=16000&channels=1", "PcmSource", "pcm"),
        ("line_in=pcm:-?rate=16000&channels=1&format=f32le", "PcmSource", "line_in"),
        ("demo:", "DemoSource", "demo"),
        ("radio=http://host/a?b=c", "UrlSource", "radio"),
        ("cam-1=rtsp://ann:pw@host:554/x", "UrlSource", "cam-1"),
        ("HTTP://Host/a", "UrlSource", None),
        (" \thttp://ann:hunter2@host/a ", "UrlSource", None),
        ("radio= http://ann:hunter2@host/a", "UrlSource", "radio"),
    ],
)
def test_each_uri_makes_its_source(spec, kind, name):
    source = open_source(spec)
    assert type(source).__name__ == kind
    assert NAME_PATTERN.fullmatch(source.name)
    assert name is None or source.name == name
    assert "hunter2" not in source.name + source.uri


def test_a_file_with_an_equals_sign_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.wav").touch()
    (tmp_path / "b.wav").touch()
    assert open_source("a=b.wav").uri == "a=b.wav"
    assert open_source("x=a=b.wav").uri == "a=b.wav"
    assert open_source(f"{tmp_path}/a=b.wav").uri == f"{tmp_path}/a=b.wav"
    assert open_source("No Name=b.flac").uri == "No Name=b.flac"


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "kitchen=",
        "Kitchen=mic:",
        "kit chen=demo:",
        "=mic:",
        f"{'n' * 65}=mic:",
        "ftp://host/a",
        "alsa:hw0",
        "x http://ann:hunter2@host/a",
        "\ufeffhttp://ann:hunter2@host/a",
        "http://ann:hunter2/x@host/a",
        "http://ann:hunter2#x@host/a",
        "http://ann:hunter2?x@host/a",
        "pcm:x",
    ],
)
def test_mistakes_are_one_sentence(spec):
    with pytest.raises(UsageError) as caught:
        open_source(spec)
    assert "expected" in str(caught.value) or "only" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_names_of_urls_are_stable_distinct_and_without_secrets():
    url = "https://ann:pw@radio.example/live/rock.mp3?station=3&token=abc"
    name = derive_name(url)
    assert re.fullmatch("radio-example-[0-9a-f]{6}", name)
    assert name == derive_name(url.replace("abc", "renewed")) == derive_name(url.replace("ann:pw@", ""))
    assert name != derive_name(url.replace("station=3", "station=4"))
    assert name != derive_name(url.replace("rock", "jazz"))
    assert derive_name("http://h:8000/a").startswith("h-8000-")
    assert derive_name("rtsp://h/a-b") != derive_name("rtsp://h/a/b")


URIS = {
    "": "song.flac",
    "http": "http://host/a",
    "https": "https://host/a",
    "rtsp": "rtsp://host/a",
    "rtsps": "rtsps://host/a",
    "mic": "mic:",
    "pcm": "pcm:-",
    "demo": "demo:",
}
VALUES = {
    "channel": 2,
    "user_agent": "Winamp/2",
    "headers": {"X-Key": "hunter2"},
    "username": "ann",
    "charset": "cp1251",
}


def taken():
    """Each kind of source with each setting, and whether it takes it."""
    return [(scheme, key, key in SETTINGS[scheme]) for scheme in SETTINGS for key in VALUES]


@pytest.mark.parametrize(("scheme", "key", "takes"), taken())
def test_a_setting_is_taken_or_refused_in_one_sentence(scheme, key, takes):
    settings = SourceSettings(uri=f"here={URIS[scheme]}", **{key: VALUES[key]})
    if takes:
        assert open_source(settings).name == "here"
        return
    with pytest.raises(UsageError, match=f"'here' is a .* does not take '{key}'") as refused:
        open_source(settings)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_name_of_the_settings_goes_before_all():
    assert open_source(SourceSettings(uri="song.flac", name="kitchen")).name == "kitchen"
    assert open_source(SourceSettings(uri="a=b.flac", name="kitchen")).uri == "a=b.flac"


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": 0},
        {"channel": "left"},
        {"charset": "klingon"},
        {"charset": "rot13"},
        {"user_agent": "a\r\nX-Evil: 1"},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"Host": "a"}},
        {"password": "hunter2"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="validation error"):
        SourceSettings(uri="http://host/", **wrong)


def test_names_are_never_too_long_nor_empty():
    long = "x" * 100
    assert len(derive_name(f"{long}.wav")) == 64
    assert derive_name(f"{long}1.wav") != derive_name(f"{long}2.wav")
    assert NAME_PATTERN.fullmatch(derive_name("日本.wav"))
    assert derive_name("日本.wav") != derive_name("中国.wav")
    assert NAME_PATTERN.fullmatch(derive_name(f"http://{long}.example/"))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://ann:pw@h:80/p?a=1&b=2#x", "http://h:80/***?***"),
        ("rtsp://a:b@c@h/p", "rtsp://h/***"),
        ("https://h/p?justatoken", "https://h/***?***"),
        ("https://H/7c9e6679f7425/live.M3U8?token=x", "https://h/***.m3u8?***"),
        ("https://h/live.7c9e6679f7425", "https://h/***"),
        ("https://h/", "https://h/"),
        ("https://h", "https://h"),
        ("http://[bad@h/?q=1", "http://***"),
        ("http://joe:pa/ss@h/", "http://***/***"),
        (" http://joe:pa@h/", "http://h/"),
        ("/a/b?c=d.wav", "/a/b?c=d.wav"),
    ],
)
def test_what_is_shown_of_a_uri(uri, shown):
    assert redact(uri) == shown


def test_importing_capture_is_light():
    heavy = "av soundfile soxr sounddevice librosa faiss"
    program = (
        "import sys, stream_match.capture\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
