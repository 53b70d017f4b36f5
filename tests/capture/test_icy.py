"""Icecast's metadata, right and wrong: titles are whole, and nothing a server sends is an accident."""

import numpy as np
import pytest
from capture_samples import encoded, read_until_error, seconds, sweep, until_the_end
from capture_servers import Server, icecast, metadata_block, saying, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.icy import MAX_LETTERS, IcyStream, about_station, interval_of, parse_metadata
from stream_match.capture.url import UrlSource
from stream_match.errors import SourceError

av = pytest.importorskip("av")

SECONDS = 2.0


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture(scope="module")
def mp3():
    return encoded(sweep(SECONDS), SAMPLE_RATE_HZ, "MP3")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"StreamTitle='The 'A'; B - Don't';", {"StreamTitle": "The 'A'; B - Don't"}),
        (
            b"StreamTitle='It's'; 'x'';StreamUrl='http://h/';",
            {"StreamTitle": "It's'; 'x'", "StreamUrl": "http://h/"},
        ),
        (b"StreamTitle='';StreamUrl='';", {"StreamTitle": ""}),
        (b"StreamTitle='no end", {"StreamTitle": "no end"}),
        (b"StreamTitle='a' ; \0\0\0StreamTitle='b';", {"StreamTitle": "a' ;"}),
        (b"\xff\x00nonsense", {}),
        (b"", {}),
        ("StreamTitle='Café';".encode("latin-1") + b"\0\0", {"StreamTitle": "Café"}),
        ("StreamTitle='Кино - Группа крови';".encode("cp1251"), {"StreamTitle": "Кино - Группа крови"}),
        ("StreamTitle='曲名';".encode("shift_jis"), {"StreamTitle": "曲名"}),
        ("StreamTitle='Don’t – “x”';".encode("cp1252"), {"StreamTitle": "Don’t – “x”"}),
        ("StreamTitle='Ärzte – Ü".encode()[:-1] + b"';", {"StreamTitle": "Ärzte –"}),  # cut in a letter
    ],
)
def test_metadata(data, told):
    assert parse_metadata(data) == told


def test_the_stated_charset_comes_before_a_guess_and_after_utf_8():
    greek = "Μέλος"
    assert parse_metadata(f"StreamTitle='{greek}';".encode("cp1253"), "cp1253") == {"StreamTitle": greek}
    assert parse_metadata(f"StreamTitle='{greek}';".encode(), "cp1251") == {"StreamTitle": greek}
    assert about_station({"icy-name": greek.encode("cp1253").decode("latin-1")}.get, "cp1253") == {
        "icy-name": greek
    }


def test_the_name_of_a_station_is_decoded_as_titles_are(server, mp3):
    def page(handler):
        handler.begin(Content_Type="audio/mpeg", icy_name="Радио Кино".encode().decode("latin-1"))
        handler.wfile.write(mp3)

    server.pages["/a"] = page
    blocks, _ = read_until_error(UrlSource(server.url("/a"), "a"), SourceError)
    assert blocks[0].metadata["icy-name"] == "Радио Кино"


@pytest.mark.parametrize("name", ["cp1251", "koi8_r", "Shift_JIS"])
def test_titles_of_a_stream_in_the_charset_of_its_settings(server, mp3, name):
    title = "東京 - 夜" if name == "Shift_JIS" else "Юг - Я"
    server.pages["/a"] = icecast(mp3, {0: title.encode(name)})
    blocks, _ = read_until_error(UrlSource(server.url("/a"), "a", charset=name), SourceError)
    assert title in [block.metadata.get("StreamTitle") for block in blocks]


@pytest.mark.parametrize("text", ["²", "８", "-1", "0", "1e3", "8192, 8192", "", "x", "9" * 30, "99999999"])
def test_an_interval_that_is_none_means_audio_without_metadata(server, mp3, text):
    assert interval_of(text) is None
    sent = text.encode("utf-8").decode("latin-1")
    server.pages["/a"] = saying(mp3, icy_metaint=sent, Content_Type="audio/mpeg")
    blocks, error = read_until_error(UrlSource(server.url("/a"), "a"), SourceError)
    assert seconds(blocks) == pytest.approx(SECONDS, abs=0.1)
    assert error.retry


def test_an_interval_with_spaces_is_one():
    assert interval_of(" 8192\t") == 8192
    assert interval_of(None) is None


class Pieces:
    """A response that comes in pieces of given lengths."""

    def __init__(self, data, lengths):
        self._data = data
        self._lengths = iter(lengths)

    def read(self, n):
        n = min(n, next(self._lengths, n))
        piece, self._data = self._data[:n], self._data[n:]
        return piece


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=3_000),
    interval=st.integers(1, 600),
    lengths=st.lists(st.integers(1, 50), max_size=60),
)
def test_any_bytes_are_read_to_their_end_and_titles_are_bounded(data, interval, lengths):
    stream = IcyStream(Pieces(data, lengths), interval)
    heard = 0
    while piece := stream.read(100):
        heard += len(piece)
    assert heard <= len(data)
    assert all(len(text) <= MAX_LETTERS for text in stream.news(None).values())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=4_080), st.sampled_from([None, "cp1251", "shift_jis", "nonsense"]))
def test_any_metadata_is_understood_or_left(data, charset):
    told = parse_metadata(b"StreamTitle='" + data, charset)
    assert all(len(text) <= MAX_LETTERS for text in told.values())


def test_metadata_that_lies_about_its_length_ends_in_words(server, mp3):
    rng = np.random.default_rng(1)
    for number, block in enumerate(
        (b"\xff" + bytes(10), metadata_block(b"x" * 4_080), rng.bytes(5_000), b"\x05")
    ):
        server.pages[f"/{number}"] = saying(mp3[:1000] + block + mp3[1000:], icy_metaint=1000)
        _, error = until_the_end(UrlSource(server.url(f"/{number}"), "a"))
        assert error.retry
