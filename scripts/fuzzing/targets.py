"""What is fuzzed: how an input is made, what reads it, and what must hold."""

import asyncio
import io
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from fuzzing import memory, page, seeds, settings
from fuzzing.inputs import mutated
from stream_match.capture import icy, opening, playlist, web
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.connections import Connections
from stream_match.capture.file import read_blocks
from stream_match.capture.hls import Decryption
from stream_match.capture.media import open_bytes
from stream_match.capture.tags import tags, tags_of
from stream_match.capture.url import UrlSource
from stream_match.errors import SourceError, StoreError, UsageError
from stream_match.events import to_json
from stream_match.publish.reader import Reader
from stream_match.service import orphans
from stream_match.service.control import Control
from stream_match.service.name_book import NameBook
from stream_match.service.requests import REQUESTS, answer
from stream_match.store.event_store import Store, is_damage
from stream_match.store.history import History
from stream_match.store.left_open import heard_until, open_matches, open_sources
from stream_match.store.names import NameShelf
from stream_match.store.opening import FILE
from stream_match.store.pauses import PauseShelf
from stream_match.store.rows import Batch, Row
from stream_match.store.sounds import SoundShelf

TOPIC = "base/attic/kitchen/match"
LONGEST_S = 3600.0
"""More audio than this does not come out of a clip of a few seconds."""

ENOUGH_S = 10.0  # of what is heard of an address
MOST_REQUESTS = 20


Read = Callable[[bytes, Path, int], None]


@dataclass(frozen=True)
class Target:
    """Something that reads inputs.

    Parameters
    ----------
    seeds : tuple of bytes
        What inputs are made of.
    prepare : callable () -> (callable (bytes, Path, int) -> None)
        Returns what reads an input. It may write into the folder, under the number of the input. What it
        raises is a fault.
    native : bool
        Whether libraries read it that Python cannot watch.
    share : float
        How many inputs, as a share of what is asked for.
    """

    seeds: tuple[bytes, ...]
    prepare: Callable[[], Read]
    native: bool = False
    share: float = 1.0

    def make(self, seed: int, name: str, number: int) -> bytes:
        """Return the input of a number."""
        return mutated(Random(f"{seed}/{name}/{number}"), self.seeds)  # noqa: S311 - the same each time is meant


def targets(audio: list[Path]) -> dict[str, Target]:
    """Return all targets by name; `audio` are recordings to take clips from."""
    clips = seeds.music(audio)
    mp3, flac, ogg = (
        tuple(seeds.encoded(y, form, subtype) for y in clips for subtype in subtypes)
        for form, subtypes in (
            ("MP3", ("MPEG_LAYER_III",)),
            ("FLAC", ("PCM_16", "PCM_24")),
            ("OGG", ("VORBIS", "OPUS")),
        )
    )
    wav = tuple(seeds.encoded(y, "WAV", subtype, 2) for y in clips for subtype in ("PCM_16", "FLOAT"))
    heads = tuple(file[0][:6_000] for file in (wav, flac, mp3, ogg))
    icy_stream = b"".join(
        mp3[0][at : at + 16] + seeds.TITLES[at // 16 % len(seeds.TITLES)] for at in range(0, 320, 16)
    )
    segment = seeds.transport_stream(clips[0])
    bodies = (icy_stream, mp3[0][:3000], *seeds.PLAYLISTS, *seeds.HLS)
    answers = tuple(head + body for head in seeds.HEADERS for body in bodies)
    return {
        "mqtt": Target(seeds.PAYLOADS, _mqtt),
        "requests": Target(seeds.REQUESTS, _requests, share=0.3),
        "page": Target(page.SEEDS, _page, native=True),
        "icy-headers": Target(seeds.HEADERS, lambda: _headers),
        "icy-metadata": Target((icy_stream, *seeds.TITLES), lambda: _metadata),
        "playlists": Target((*seeds.PLAYLISTS, *seeds.HLS), lambda: _playlist),
        "tags": Target(heads, lambda: _tags, native=True),
        "hls": Target(seeds.HLS, lambda: _Answers(segment, hls=True), native=True, share=0.05),
        "answers": Target(answers, lambda: _Answers(segment, hls=False), native=True, share=0.1),
        "wav": Target(wav, lambda: _file(".wav"), native=True, share=0.1),
        "flac": Target(flac, lambda: _file(".flac"), native=True, share=0.1),
        "mp3": Target(mp3, lambda: _file(".mp3"), native=True, share=0.1),
        "ogg": Target(ogg, lambda: _file(".ogg"), native=True, share=0.1),
        "config": Target(settings.SEEDS, settings.prepare),
        "store": Target(seeds.stores(), lambda: _store, native=True, share=0.05),
    }


class _Room:
    """A source that does all that it is asked for."""

    name, state, paused, max_false_alarms_per_hour = "kitchen", "running", False, 0.1

    async def pause(self, *, paused: bool) -> None:
        self.paused = paused

    async def near_misses(self) -> list[dict[str, Any]]:
        return []

    async def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        self.max_false_alarms_per_hour = max_false_alarms_per_hour


def _requests() -> Read:
    rooms = [_Room()]
    control = Control(lambda: rooms, NameBook(has_track=lambda _: True))
    names = [*REQUESTS, "nonsense"]

    def read(data: bytes, _folder: Path, number: int) -> None:
        said = json.loads(asyncio.run(answer(control, names[number % len(names)], data)))
        assert said["status"] in ("ok", "error")
        assert ("data" in said) is (said["status"] == "ok")
        assert "Error" not in said.get("error", ""), said["error"]  # a fault of ours has the name of its type

    return read


def _page() -> Read:
    opened: list[page.Page] = []

    def read(data: bytes, folder: Path, number: int) -> None:
        if not opened:
            opened.append(page.Page(folder, Control(lambda: [_Room()], NameBook(has_track=lambda _: True))))
        opened[0].visit(data, number)

    return read


def _mqtt() -> Read:
    reader = Reader(("base/+/+/+",))

    def read(data: bytes, _folder: Path, _number: int) -> None:
        event = reader.read(TOPIC, data)
        if event is not None:
            json.loads(to_json(event))

    return read


def _store(data: bytes, folder: Path, number: int) -> None:
    place = folder / f"{number}-state"
    place.mkdir()
    (place / FILE).write_bytes(data)
    with suppress(StoreError, UsageError), History(place) as history:
        history.airings()
        history.moments()
        history.first_plays()
    store = Store(place / FILE)
    try:
        _use(store)
    except StoreError as error:
        one_line(error)
        if is_damage(error):  # what can be read of it is carried over
            store.begin_anew()
            _use(store)
    finally:
        store.close()
        for part in place.iterdir():
            part.unlink()
        place.rmdir()


def _use(store: Store) -> None:
    """Do with a store what a listener does when it starts, and then deliver."""
    store.open()
    seq = store.last_seq()
    store.last_event_id()
    store.positions()
    ends = orphans.ends(open_matches(store), open_sources(store), heard_until(store), lambda: "0" * 26)
    store.write(Batch([Row(seq + 1, event, to_json(event)) for event in ends[:1]], {"far": seq}))
    assert all(json.loads(to_json(row.event)) for row in store.after(0, 1000))
    SoundShelf(store, "kitchen").read()
    PauseShelf(store).holds("kitchen")
    NameShelf(store).read()
    store.prune(store.newest_time() or 0.0, None)
    store.forgotten_before()


def _headers(data: bytes, _folder: Path, _number: int) -> None:
    try:
        response = memory.response(data)
    except web.FAULTS:
        return
    interval = icy.interval_of(response.headers.get("icy-metaint"))
    assert interval is None or 0 < interval <= icy.LONGEST_INTERVAL
    about = icy.about_station(response.headers.get)
    assert all(len(text) <= icy.MAX_LETTERS for text in about.values())
    playlist.kind_of(data[:512], response.headers.get("Content-Type", ""), "http://x/")


def _metadata(data: bytes, _folder: Path, _number: int) -> None:
    stream = icy.IcyStream(io.BytesIO(data), 16)
    while stream.read(4096):
        pass
    told = [icy.parse_metadata(data[1:]), stream.news(None)]
    assert all(len(text) <= icy.MAX_LETTERS for fields in told for text in fields.values())
    json.dumps(told).encode()


def _playlist(data: bytes, _folder: Path, number: int) -> None:
    found = playlist.kind_of(data[: playlist.HEAD_BYTES], "", "http://127.0.0.1:9/x.m3u")
    playlist.is_hls(data)
    assert playlist.plain_hls(data).isascii()
    kinds: list[Any] = ["pls", "m3u", "xspf", "asx"]
    kind: Any = found if found in kinds else kinds[number % len(kinds)]
    try:
        addresses = playlist.entries(data, kind, "http://127.0.0.1:9/x/y.m3u")
    except playlist.PlaylistError:
        return
    assert len(addresses) <= playlist.MAX_ENTRIES
    for address in addresses:
        assert urlsplit(address).scheme in ("http", "https", "rtsp", "rtsps"), address


def _tags(data: bytes, _folder: Path, _number: int) -> None:
    import av

    try:
        with open_bytes(io.BytesIO(data), shown="x") as container:
            found = tags_of(container)
    except (av.error.FFmpegError, OSError):
        return
    json.dumps(found).encode()


def one_line(error: SourceError | StoreError) -> None:
    """Hold a message to what is promised of it."""
    if "\n" in str(error):
        raise AssertionError(str(error))


class _Answers:
    """Reads an address whose server answers with the input, and with good audio when it is asked again."""

    def __init__(self, audio: bytes, *, hls: bool) -> None:
        self._audio, self._hls = audio, hls
        # Instead of the network, whatever the addresses are.
        setattr(web, "Connecting", lambda _: memory.Connecting(self._answer))  # noqa: B010
        setattr(opening, "open_rtsp", _no_rtsp)  # noqa: B010
        Decryption(bytes(16), bytes(16))  # loads its library before what is opened counts

    def __call__(self, data: bytes, _folder: Path, _number: int) -> None:
        self._data, self._asked = data, 0
        address = "http://127.0.0.1:9/x.m3u8"
        source = UrlSource(address, "x", open_timeout_s=1.0, read_timeout_s=1.0)
        connections = Connections(LONGEST_S)
        try:
            heard = 0
            for block in source._read(threading.Event(), connections):
                assert np.isfinite(block.y).all()
                heard += block.y.size
                if heard > ENOUGH_S * SAMPLE_RATE_HZ:
                    return
        except SourceError as error:
            one_line(error)
        finally:
            connections.end()

    def _answer(self, address: str) -> bytes:
        self._asked += 1
        if self._asked > MOST_REQUESTS:
            return b"HTTP/1.1 404 No\r\n\r\n"
        plain = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        again = self._asked == 1 or address.endswith(".m3u8")
        return (plain if self._hls or not again else b"") + (self._data if again else self._audio)


def _no_rtsp(*_: Any, **__: Any) -> Any:
    raise OSError


def _file(suffix: str) -> Read:
    def read(data: bytes, folder: Path, number: int) -> None:
        path = folder / f"{number}{suffix}"
        path.write_bytes(data)
        try:
            heard = 0
            for y in read_blocks(path):
                assert np.isfinite(y).all()
                heard += y.size
                assert heard <= LONGEST_S * SAMPLE_RATE_HZ, "more audio than there can be"
        except SourceError as error:
            one_line(error)
        finally:
            json.dumps(tags(path)).encode()
            path.unlink()

    return read
