"""Stations that send something else than they did: given up soon, told sparsely."""

import logging

import numpy as np
import pytest
from capture_samples import encoded, read_until_error, seconds, sweep
from capture_servers import Server, serving

from stream_match.capture import damage, decode
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.damage import DamageLog
from stream_match.capture.url import UrlSource
from stream_match.errors import SourceError

pytest.importorskip("av")

SECONDS = 4.0
PART_BYTES = 1000


@pytest.fixture(scope="module")
def mp3():
    return encoded(sweep(SECONDS), SAMPLE_RATE_HZ, "MP3")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(3).integers(0, 256, 400_000, dtype=np.uint8).tobytes()


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


def then_slowly(first, rest):
    """Sends all of a file, and then another in pieces that never end."""

    def page(handler):
        handler.begin(Content_Type="audio/mpeg")
        handler.wfile.write(first)
        place = 0
        while not handler.server.over.wait(0.01):
            handler.wfile.write(rest[place : place + PART_BYTES])
            place = (place + PART_BYTES) % len(rest)

    return page


@pytest.mark.parametrize("what", ["garbage", "another codec"])
def test_who_sends_nothing_but_damage_is_given_up_in_time(server, mp3, noise, monkeypatch, what):
    monkeypatch.setattr(decode, "MAX_DAMAGED_S", 0.2)
    monkeypatch.setattr(decode, "MAX_DAMAGED_IN_ROW", 1_000_000)
    rest = noise if what == "garbage" else encoded(sweep(10.0), SAMPLE_RATE_HZ, "OGG")
    server.pages["/radio"] = then_slowly(mp3, rest)
    blocks, error = read_until_error(UrlSource(server.url("/radio"), "radio"), SourceError)
    assert seconds(blocks) >= SECONDS - 0.3  # FFmpeg may take some of it for audio
    assert error.retry
    assert "cannot be decoded" in str(error)


def test_damage_is_told_when_it_has_doubled_and_once_a_minute_at_most(monkeypatch, caplog):
    now = 1000.0
    monkeypatch.setattr(damage.time, "monotonic", lambda: now)
    told = DamageLog("radio")
    with caplog.at_level(logging.WARNING):
        told.tell()
        assert not caplog.messages
        for second in range(600):
            now = 1000.0 + second
            told.count()
            told.tell()
    assert caplog.messages == [
        f"radio: damaged packets skipped so far: {count}" for count in (1, 61, 122, 244, 488)
    ]


def test_a_station_that_is_opened_again_and_again_tells_its_damage_once(server, mp3, noise, caplog):
    bad = bytearray(mp3)
    bad[len(mp3) // 2 : len(mp3) // 2 + 1500] = noise[:1500]
    server.pages["/bad.mp3"] = then_ended(bytes(bad))
    source = UrlSource(server.url("/bad.mp3"), "bad")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            read_until_error(source, SourceError)
    assert sum("damaged packets" in message for message in caplog.messages) == 1


def then_ended(data):
    """Sends a file as a stream without a length, and hangs up."""

    def page(handler):
        handler.begin(Content_Type="audio/mpeg", icy_name="Radio")
        handler.wfile.write(data)

    return page
