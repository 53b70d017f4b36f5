"""URLs, against real servers on loopback."""

import asyncio
import logging
import socket
import threading
from contextlib import aclosing, contextmanager, suppress

import numpy as np
import pytest
from capture_samples import (
    encoded,
    frequency_hz,
    joined,
    read_all,
    read_until_error,
    seconds,
    sweep,
    write_aac,
)
from capture_servers import (
    METAINT,
    RtspServer,
    Server,
    cut_off,
    divisible,
    dripping,
    icecast,
    serving,
    shoutcast,
    stalling,
    whole,
)

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.connections import Connections
from stream_match.capture.url import UrlSource
from stream_match.capture.web import Access, Web
from stream_match.errors import SourceError, UsageError

pytest.importorskip("av")

SECONDS = 4.0
TIMEOUTS = {"open_timeout_s": 0.5, "read_timeout_s": 0.5}


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture(scope="module")
def mp3():
    return encoded(sweep(SECONDS), SAMPLE_RATE_HZ, "MP3")


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3", "WAV", "OPUS"])
def test_progressive_file_ends_once_and_is_not_live(server, container):
    opus = container == "OPUS"  # of which FFmpeg tells no duration, if it cannot look at its end
    data = encoded(sweep(SECONDS, 48_000, 2), 48_000, *(("OGG", "OPUS") if opus else (container,)))
    server.pages["/a"] = whole(data)
    source = UrlSource(server.url("/a"), "a")
    assert source.live
    blocks = read_all(source)
    assert seconds(blocks) == pytest.approx(SECONDS, abs=0.1)
    assert not source.live
    assert not any(block.gap_s or block.discontinuity for block in blocks)


def test_lossless_audio_arrives_unchanged(server):
    y = sweep(SECONDS)
    server.pages["/a.flac"] = whole(encoded(y, SAMPLE_RATE_HZ, "FLAC"))
    got = joined(read_all(UrlSource(server.url("/a.flac"), "a")))
    np.testing.assert_allclose(got, y[:, 0], atol=2e-5)  # 16 bits


def test_icecast_titles_arrive_where_they_begin(server):
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, round(SECONDS * SAMPLE_RATE_HZ))
    mp3 = encoded(noise, SAMPLE_RATE_HZ, "MP3")  # of noise every second takes as many bytes
    titles = {0: "Ann – One", 9: "Don't; stop", 10: None}
    server.pages["/radio"] = icecast(mp3, titles)
    source = UrlSource(server.url("/radio"), "radio")
    blocks, error = read_until_error(source, SourceError)
    assert source.live
    assert error.retry
    assert "ended" in str(error)
    assert not any(block.discontinuity for block in blocks)
    assert blocks[0].metadata["icy-name"] == "Test Radio"
    told = [
        (n, block.metadata["StreamTitle"])
        for n, block in enumerate(blocks)
        if "StreamTitle" in block.metadata
    ]
    assert [title for _, title in told] == ["Ann – One", "Don't; stop"]
    for (number, _), place in zip(told, (1, 10), strict=True):
        at_s = seconds(blocks[:number])
        assert at_s == pytest.approx(SECONDS * place * METAINT / len(mp3), abs=0.2)
    assert seconds(blocks) == pytest.approx(SECONDS, abs=0.2)


def test_the_oldest_shoutcast_is_heard(server, mp3):
    server.pages["/old"] = shoutcast(mp3)
    blocks, error = read_until_error(UrlSource(server.url("/old"), "old"), SourceError)
    assert seconds(blocks) == pytest.approx(SECONDS, abs=0.2)
    assert blocks[0].metadata["icy-name"] == "Old Radio"
    assert "ended" in str(error)


def test_an_address_with_letters_beyond_ascii(server, mp3):
    server.pages["/M%C3%BCsik%20%231.mp3"] = whole(mp3)
    source = UrlSource(server.url("/Müsik %231.mp3?größe=ä b"), "a")
    assert seconds(read_all(source)) == pytest.approx(SECONDS, abs=0.1)
    assert server.requests_seen[0][0].endswith("?gr%C3%B6%C3%9Fe=%C3%A4%20b")


def test_a_host_with_letters_beyond_ascii_is_looked_up_as_idna(monkeypatch):
    asked = []

    def looked_up(host, *_, **__):
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    _, error = read_until_error(UrlSource("http://müsik.example/ä", "a"), SourceError)
    assert asked == ["xn--msik-0ra.example"]
    assert "host name is not known" in str(error)
    assert error.retry


def test_a_file_whose_index_is_at_its_end_is_heard_from_a_server_that_sends_parts(server, tmp_path):
    write_aac(tmp_path / "a.mp4", sweep(SECONDS), SAMPLE_RATE_HZ)
    data = (tmp_path / "a.mp4").read_bytes()
    index = data.index(b"moov") - 4
    assert index > data.index(b"mdat")
    # More between audio and index than is read at once.
    size = 1 << 20
    data = data[:index] + size.to_bytes(4, "big") + b"free" + bytes(size - 8) + data[index:]
    server.pages["/a.mp4"] = divisible(data)
    source = UrlSource(server.url("/a.mp4"), "a")
    assert seconds(read_all(source)) == pytest.approx(SECONDS, abs=0.1)
    assert not source.live
    assert any("Range" in headers for _, headers in server.requests_seen)


def test_one_channel_of_a_stream(server):
    y = np.stack([sweep(1.0)[:, 0], -0.5 * sweep(1.0)[:, 0]], axis=1)
    server.pages["/a.flac"] = whole(encoded(y, SAMPLE_RATE_HZ, "FLAC"))
    got = joined(read_all(UrlSource(server.url("/a.flac"), "a", channel=2)))
    np.testing.assert_allclose(got, y[:, 1], atol=5e-5)


@pytest.fixture(scope="module")
def telephone():
    """Two seconds of a tone of 440 Hz in µ-law at 8 kHz."""
    y = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * 8_000) / 8_000)
    code = (127 - np.round(127 * np.log1p(255 * np.abs(y)) / np.log(256))).astype(np.uint8)
    return (code | np.where(y >= 0, 0x80, 0).astype(np.uint8)).tobytes()


def test_rtsp_asks_for_audio_only_over_tcp(telephone):
    with serving(RtspServer(telephone)) as camera:
        source = UrlSource(camera.url("ann:hunter2@"), "camera")
        blocks, error = read_until_error(source, SourceError)
    assert [address.rpartition("/")[2] for method, address in camera.asked if method == "SETUP"] == ["audio"]
    assert seconds(blocks) == pytest.approx(2.0, abs=0.1)
    assert frequency_hz(joined(blocks)) == pytest.approx(440, abs=2)
    assert not any(block.gap_s or block.discontinuity for block in blocks)
    assert source.live
    assert error.retry
    assert "hunter2" not in str(error)


def test_audio_that_is_missing_by_the_time_stamps_is_a_gap(telephone):
    camera = RtspServer(telephone)
    camera.lost = range(30, 80)  # a second of packets
    with serving(camera):
        blocks, _ = read_until_error(UrlSource(camera.url(), "camera"), SourceError)
    gaps = [(number, block.gap_s) for number, block in enumerate(blocks) if block.discontinuity]
    assert gaps == [(gaps[0][0], pytest.approx(1.0, abs=0.03))]
    assert not any(block.overrun_s for block in blocks)  # nobody was late
    assert seconds(blocks[: gaps[0][0]]) == pytest.approx(0.6, abs=0.03)
    assert seconds(blocks) == pytest.approx(1.0, abs=0.1)


def test_garbage_in_mid_stream_is_skipped_and_marked(server, mp3, caplog):
    bad = bytearray(mp3)
    noise = np.random.default_rng(3).integers(0, 256, 1500, dtype=np.uint8).tobytes()
    bad[len(mp3) // 2 : len(mp3) // 2 + len(noise)] = noise
    server.pages["/bad.mp3"] = whole(bytes(bad))
    with caplog.at_level(logging.WARNING):
        blocks = read_all(UrlSource(server.url("/bad.mp3"), "bad"))
    assert 0.4 * SECONDS < seconds(blocks) < SECONDS
    assert any(block.discontinuity for block in blocks)
    told = [record.message for record in caplog.records if "damaged packets" in record.message]
    assert len(told) <= 2  # one for each stretch of damage, and not for each packet of it
    assert told[0].startswith("bad: damaged packets skipped so far: ")


def test_what_breaks_off_gives_its_beginning_and_may_be_tried_again(server, mp3):
    server.pages["/cut.mp3"] = cut_off(mp3, len(mp3) // 2)
    blocks, error = read_until_error(UrlSource(server.url("/cut.mp3"), "cut"), SourceError)
    assert seconds(blocks) == pytest.approx(SECONDS / 2, abs=0.3)
    assert error.retry


def test_silence_of_the_server_is_not_waited_for_for_ever(server, mp3):
    server.pages["/stall.mp3"] = stalling(mp3, len(mp3) // 2)
    blocks, error = read_until_error(UrlSource(server.url("/stall.mp3"), "stall", **TIMEOUTS), SourceError)
    assert seconds(blocks) > 0
    assert error.retry
    assert "nothing for 0.5 s" in str(error)


def test_silence_of_an_icecast_server_too(server, mp3):
    def page(handler):
        handler.begin(icy_metaint=100_000)
        handler.wfile.write(mp3[: len(mp3) // 2])
        handler.server.over.wait(10)

    server.pages["/radio"] = page
    blocks, error = read_until_error(UrlSource(server.url("/radio"), "radio", **TIMEOUTS), SourceError)
    assert seconds(blocks) == pytest.approx(SECONDS / 2, abs=0.3)
    assert error.retry
    assert "nothing for 0.5 s" in str(error)


def test_a_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        _, error = read_until_error(UrlSource(url, "deaf", **TIMEOUTS), SourceError)
    assert error.retry
    assert "nothing for 0.5 s" in str(error)


@pytest.mark.parametrize("what", ["body", "headers", "metadata"])
def test_a_server_that_answers_drop_by_drop_is_given_up(server, mp3, what):
    head = b"HTTP/1.0 200 OK\r\nicy-metaint: 1\r\n\r\n"

    def page(handler):
        if what == "body":
            handler.begin(Content_Type="audio/mpeg")
        if what == "metadata":
            handler.wfile.write(head)
        dripping({"headers": head * 99, "metadata": b"\xff" * 999}.get(what, mp3))(handler)

    server.pages["/slow"] = page
    check_given_up(server.url("/slow"))


def test_a_handshake_drop_by_drop_is_given_up():
    with drop_by_drop() as port:
        check_given_up(f"https://127.0.0.1:{port}/slow")


def check_given_up(url):
    """Check that there is an end although the server is never silent for long, and that no thread is left."""
    _, error = read_until_error(UrlSource(url, "slow", deadline_s=0.7, read_timeout_s=5), SourceError)
    assert "no audio within 0.7 s" in str(error)
    assert error.retry
    assert "url-slow" not in [thread.name for thread in threading.enumerate()]


@contextmanager
def drop_by_drop():
    """A server that sends bytes of TLS now and then."""
    over = threading.Event()

    def drip():
        connection, _ = deaf.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not over.wait(0.05):
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield deaf.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_leaving_a_stream_cuts_its_connection(server, mp3):
    server.pages["/stall"] = stalling(mp3, len(mp3) // 2)

    async def left():
        async with aclosing(UrlSource(server.url("/stall"), "left").blocks()) as blocks:
            async for _ in blocks:
                break
        return [thread.name for thread in threading.enumerate()]

    assert "url-left" not in asyncio.run(left())


def test_what_is_closed_is_closed_for_the_server_too(server):
    closed = threading.Event()

    def page(handler):
        handler.begin(Content_Length=1 << 30)
        handler.connection.settimeout(10)
        with suppress(ConnectionError):
            closed.set() if not handler.rfile.read(1) else None

    server.pages["/a"] = page
    web = Web(server.url("/"), Access(), 5.0, Connections(60.0))
    web.open(server.url("/a")).close()
    assert closed.wait(10)


def test_nobody_is_asked_once_the_reader_has_gone(server):
    stop = threading.Event()
    server.pages["/r.m3u"] = whole(b"#EXTM3U\na\nb\nc\n")
    server.pages["/a"] = lambda _: stop.set()
    source = UrlSource(server.url("/r.m3u"), "a")
    assert list(source._read(stop, Connections(60.0))) == []
    assert [path for path, _ in server.requests_seen] == ["/r.m3u", "/a"]


def test_an_address_that_is_not_there(server):
    _, error = read_until_error(UrlSource(server.url("/none"), "none"), SourceError)
    assert error.retry
    assert "404" in str(error)


def test_a_server_that_refuses():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening
        port = unheard.getsockname()[1]
        for scheme in ("http", "rtsp"):
            url = f"{scheme}://ann:secret@127.0.0.1:{port}/x?key=hidden"
            _, error = read_until_error(UrlSource(url, "x"), SourceError)
            assert error.retry
            assert "refuses" in str(error)
            assert "secret" not in str(error)
            assert "hidden" not in str(error)


def test_a_web_page_is_not_audio(server):
    server.pages["/index.html"] = whole(b"<html><body>no radio here</body></html>" * 50)
    _, error = read_until_error(UrlSource(server.url("/index.html"), "page"), SourceError)
    assert "audio" in str(error)


@pytest.mark.parametrize("url", ["http://", "http:///path", "http://host:port/", "rtsp://[::1"])
def test_urls_without_a_host_are_the_users_mistake(url):
    with pytest.raises(UsageError):
        UrlSource(url, "x")


@pytest.mark.parametrize(("kind", "said"), [("WAV", "bytes are there"), ("FLAC", "could be decoded")])
def test_a_file_that_was_cut_before_it_came_to_the_server_is_told(server, caplog, kind, said):
    data = encoded(sweep(SECONDS), SAMPLE_RATE_HZ, kind)
    server.pages["/whole"] = whole(data)
    server.pages["/cut"] = whole(data[: len(data) // 2])
    read_all(UrlSource(server.url("/whole"), "song"))
    assert not caplog.records
    assert 0 < seconds(read_all(UrlSource(server.url("/cut"), "song"))) < SECONDS - 1
    (record,) = [record for record in caplog.records if "broken off" in record.message]
    assert record.message.startswith("song: broken off: ")
    assert said in record.message
