"""A catalogue on a real Milvus server answers as one in memory, and listening outlives an outage."""

import functools
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from codes import flipped, random_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from milvus_server import Wire
from music import PIECES, SETTINGS, catalogue, cut, frames_of, hear, noise, piece, reads, silence
from pushed import SEARCHED, here, index_folder

from stream_match.cli import main
from stream_match.config import FeatureSettings
from stream_match.engine import Engine
from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.index.coding import HASHED_STRIDE, TrackCodes, code_track
from stream_match.index.lines import Lines, as_words
from stream_match.index.port import NotAtHandError
from stream_match.milvus import sweep
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.layout import BLOCK_KEY, BLOCKS, CODE, SHINGLE, SHINGLES
from stream_match.milvus.layout import CODES as CODES_KIND
from stream_match.milvus.opening import Opened
from stream_match.milvus.origin import MilvusOrigin, load_remote
from stream_match.milvus.outage import SLOW_IN_A_ROW, Patient
from stream_match.milvus.push import push_index
from stream_match.milvus.remove import remove_remote
from stream_match.milvus.tables import required

CODES = FeatureSettings(n_bits=128, chroma_bits=128)
LENGTHS = (0, 1, 40, 200, 90, 300, 64, 65)
CUTS = (3, 6)


def address(server, name, port=None):
    return MilvusAddress("127.0.0.1", name, port or server.port)


def track(number, length):
    """Codes that flow; those of every third track repeat a loop exactly, so that many are equally near."""
    codes = np.repeat(random_codes(-(-length // 4), number), 4, axis=0)[:length]
    codes = flipped(codes, 0.04, number) if length else codes
    if number % 3 == 0:
        codes = np.tile(random_codes(7, 1), (-(-length // 7), 1))[:length]
    audible = np.random.default_rng(number).random(length) < 0.9
    chroma = np.random.default_rng(number).integers(0, 256, (length // 3, 12), dtype=np.uint8)
    return TrackCodes(codes, codes[::HASHED_STRIDE], audible), chroma


TRACKS = {f"track{number}": track(number, length) for number, length in enumerate(LENGTHS)}


class Both:
    """An index as a folder, and as a catalogue on the server."""

    def __init__(self, folder, there):
        self.folder, self.there = folder, there


def opened(at, cache):
    """The catalogue of an index on a server, without a background."""
    connection = Connection.open(at)
    return without_background(
        Opened(connection, Patient(connection), required(connection, at.name), cache, {}).catalogue
    )


@pytest.fixture(scope="module")
def random_tracks(milvus_server, tmp_path_factory):
    """A folder of random codes in three segments, and the same index on the server."""
    folder, at = tmp_path_factory.mktemp("codes"), address(milvus_server, "codes")
    index_folder(folder, TRACKS, CODES, cuts=CUTS)
    push_index(folder, at)
    return Both(folder, opened(at, tmp_path_factory.mktemp("cache")))


def without_background(catalogue):
    """The segments of the server alone, as contracts compare them."""
    n = len(catalogue.elsewhere.codes)
    tracks = catalogue.tracks
    own = len(tracks.named)
    groups = None if tracks.groups is None else tracks.groups[:own]
    tracks = replace(
        tracks,
        segment=tracks.segment[:own],
        first=tracks.first[:own],
        length=tracks.length[:own],
        groups=groups,
    )
    return replace(catalogue, segments=catalogue.segments[:n], numbers=catalogue.numbers[:n], tracks=tracks)


def hits(known, codes):
    """What both voters propose, in order."""
    return [
        list(
            zip(
                *(getattr(one, name).tolist() for name in ("row", "track", "position", "agreement")),
                strict=True,
            )
        )
        for one in known.propose(codes, codes)
    ]


@pytest.mark.parametrize("searched", SEARCHED)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.1, 0.3]), n=st.integers(0, 9))
def test_it_proposes_what_any_index_does(random_tracks, searched, seed, share, n):
    folder, there = random_tracks.folder, random_tracks.there
    known = here(folder, searched)
    assert [one.id for one in there.tracks.named] == [one.id for one in known.tracks.named]
    codes = np.concatenate([known.codes(number) for number in range(len(known.tracks))])
    asked = flipped(codes[np.random.default_rng(seed).integers(0, len(codes), n)], share, seed)
    ours, theirs = hits(there, asked), hits(known, asked)
    # Lists about so few codes are searched all the same: nothing is missed.
    assert ours == theirs


def test_tracks_are_read_as_they_were_pushed(random_tracks):
    folder, there = random_tracks.folder, random_tracks.there
    known = here(folder)
    for number in range(len(known.tracks)):
        np.testing.assert_array_equal(there.codes(number), known.codes(number))
        np.testing.assert_array_equal(there.audible(number), known.audible(number))
        np.testing.assert_array_equal(there.harmony.track_chroma(number), known.harmony.track_chroma(number))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_lines_are_read_as_in_memory(random_tracks, seed):
    folder, there = random_tracks.folder, random_tracks.there
    known = here(folder)
    rng = np.random.default_rng(seed)
    stride = known.settings.listening().code_stride_frames
    n_frames = 10 * stride
    query = as_words(random_codes(n_frames, seed))[np.newaxis]
    audible = rng.random(n_frames) < 0.9
    n = 9
    lines = Lines(
        rng.integers(0, len(known.tracks), n),
        rng.uniform(-10, 310, n).round(2),
        rng.choice([1.0, 0.96, -1.0, -1.04], n).astype(np.float32),
        np.zeros(n, np.int64),
    )
    if seed % 2:
        there.lines.prefetch(lines)
    for name in ("similarity", "mean", "peak"):
        ours, theirs = (getattr(one.lines, name)(query, audible, lines) for one in (there, known))
        np.testing.assert_array_equal(ours, theirs)
    (words, inside), (others, its) = (one.lines.stretch(lines, 40) for one in (there, known))
    np.testing.assert_array_equal(inside, its)
    np.testing.assert_array_equal(words[inside], others[inside])
    single = lines[np.zeros(1, np.int64)]
    np.testing.assert_array_equal(there.lines.likeness(single, lines), known.lines.likeness(single, lines))
    assert there.lines.place_in_track(query, audible, single) == known.lines.place_in_track(
        query, audible, single
    )


BROADCAST = [
    cut(PIECES["p0"], 3, 12), silence(2), piece(131, 5), cut(PIECES["p2"], 10, 12) + noise(3, 12, 0.02),
    piece(4, 40, 2.0)[: 20 * 22050], cut(PIECES["p6"], 10, 8),
]  # fmt: skip


@functools.cache
def _coded_pieces():
    planes = catalogue(PIECES).planes
    tracks = {}
    for name, y in PIECES.items():
        frames = frames_of(y)
        chroma = coarse_chroma([frames[:, :12]], SETTINGS)
        tracks[name] = code_track(frames, planes, SETTINGS), chroma
    return planes, tracks


@pytest.fixture(scope="module")
def pieces_folder(tmp_path_factory):
    planes, tracks = _coded_pieces()
    return index_folder(tmp_path_factory.mktemp("pieces"), tracks, SETTINGS, planes=planes, cuts=(3,))


@pytest.fixture(scope="module")
def pieces(milvus_server, pieces_folder):
    """The name of an index of music on the server."""
    push_index(pieces_folder, address(milvus_server, "pieces"))
    return "pieces"


def test_an_engine_says_the_same_with_either(milvus_server, pieces, pieces_folder, tmp_path):
    from stream_match.catalog import load_index

    told = [
        reads(hear(one, *BROADCAST))
        for one in (load_index(pieces_folder), load_remote(address(milvus_server, pieces), tmp_path))
    ]
    assert told[0] == told[1]
    assert sum('"started"' in line for line in told[0]) >= 3


def test_an_engine_finds_the_same_tracks_by_lists(milvus_server, pieces_folder, tmp_path):
    at = address(milvus_server, "lists")
    push_index(pieces_folder, at, lists_from=dict.fromkeys((CODES_KIND, SHINGLES), 1))
    with Connection.open(at) as connection:
        found = required(connection, at.name).collections
        # The server makes lists of a thousand rows and more; there are fewer shingles.
        for kind, name, n_rows in ((CODES_KIND, CODE, 1024), (SHINGLES, SHINGLE, 100)):
            index = connection._client.describe_index(found.of(kind), name)
            assert "IVF" in index["index_type"]
            assert index["pending_index_rows"] == 0
            assert index["indexed_rows"] > n_rows
    told = [
        [(fact.phase, fact.track.id) for fact in hear(one, *BROADCAST) if fact.phase != "updated"]
        for one in (here(pieces_folder), load_remote(at, tmp_path))
    ]
    assert told[0] == told[1]
    assert len(told[0]) >= 6


def test_commands_take_an_address_in_place_of_a_folder(
    milvus_server, pieces, pieces_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    soundfile.write(tmp_path / "heard.wav", cut(PIECES["p2"], 10, 12), 22050)
    told = []
    for index in (str(pieces_folder), address(milvus_server, pieces).uri):
        assert main(["identify", "--index", index, "--json", str(tmp_path / "heard.wav")]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert json.loads(told[0])["matches"][0]["track"]["id"] == "p2"
    for index, status, sentence in (
        (f"{address(milvus_server, pieces).uri}x", 1, "there is no index"),
        ("milvus://127.0.0.1", 2, "expected milvus://HOST[:PORT]/NAME"),
        ("milvus://127.0.0.1:1/music", 1, "cannot be reached"),
    ):
        for command in (["identify", str(tmp_path / "heard.wav")], ["listen", "--source", "demo:"]):
            assert main([*command, "--index", index]) == status
            lines = capsys.readouterr().err.strip().splitlines()
            assert len(lines) == 1
            assert sentence in lines[0]


@pytest.fixture
def wire(milvus_server):
    """What lies between the listener and the server."""
    wire = Wire(milvus_server.port)
    yield wire
    wire.close()


@pytest.fixture
def origin(wire, pieces, tmp_path):
    """Where a listener takes the index of music from, over the wire."""
    origin = MilvusOrigin(address(wire, pieces), tmp_path)
    origin.mark()
    return origin


def until_back(origin):
    """Look as a listener does, until the server is asked again; return how long that took."""
    began = time.monotonic()
    while origin.away is not None:
        origin.mark()
        time.sleep(0.1)
        assert time.monotonic() - began < 30
    return time.monotonic() - began


def heard(engine, y):
    """What an engine says of samples, in pieces as they come live."""
    return [fact for start in range(0, len(y), 8192) for fact in engine.feed(y[start : start + 8192])]


def phases(facts):
    return [(fact.phase, fact.track.id) for fact in facts if fact.phase != "updated"]


def test_what_sounds_goes_on_while_the_server_is_away_and_nothing_new_is_claimed(origin, wire):
    engine = Engine(origin.load())
    first, second = PIECES["p0"], PIECES["p2"]
    assert phases(heard(engine, cut(first, 2, 10))) == [("started", "p0")]
    wire.cut()
    away = heard(engine, cut(first, 12, 20))
    assert origin.away is not None
    assert phases(away) == []
    assert any(fact.phase == "updated" for fact in away)  # it is followed, not just left alone
    assert phases(heard(engine, cut(second, 5, 10))) == [("ended", "p0")]  # it is over, and that is known
    wire.mend()
    assert until_back(origin) < 5
    assert phases(heard(engine, cut(second, 15, 10))) == [("started", "p2")]
    assert phases(engine.flush()) == [("ended", "p2")]


def test_at_the_end_of_a_stream_what_sounds_ends_whether_the_server_is_there_or_not(origin, wire):
    engine = Engine(origin.load())
    assert phases(heard(engine, cut(PIECES["p0"], 2, 10))) == [("started", "p0")]
    wire.cut()
    assert phases(engine.flush()) == [("ended", "p0")]
    assert phases(heard(engine, cut(PIECES["p0"], 2, 10)) + engine.flush()) == []


def test_a_server_that_takes_two_seconds_is_not_waited_for(origin, wire):
    known = origin.load()
    wire.delay_s = 2.0
    asked = np.zeros((4, SETTINGS.n_bits // 8), np.uint8)
    for _ in range(SLOW_IN_A_ROW):
        began = time.monotonic()
        with pytest.raises(NotAtHandError, match="too slow"):
            known.propose(asked, asked[:, : SETTINGS.chroma_bits // 8])
        assert time.monotonic() - began < 2
    origin.mark()
    assert "too slow" in origin.away  # it answers, but not in time
    wire.delay_s = 0.0
    assert until_back(origin) < 5


def test_an_outage_is_an_error_for_who_cannot_go_on(wire, pieces, tmp_path):
    known = load_remote(address(wire, pieces), tmp_path)
    wire.cut()
    with pytest.raises(CatalogError, match=r"cannot be reached|too slow"):
        Engine(known).feed(cut(PIECES["p0"], 2, 10))


def test_a_newer_generation_is_taken_up_and_matches_go_on(origin, milvus_server, pieces):
    engine = Engine(origin.load())
    before = origin.mark()
    assert phases(heard(engine, cut(PIECES["p0"], 2, 10))) == [("started", "p0")]
    remove_remote(address(milvus_server, pieces), ["p7"])
    assert origin.mark() != before
    newer = origin.load()
    assert "p7" not in newer.tracks.numbers
    assert phases(engine.take_up(newer)) == []
    assert phases(heard(engine, cut(PIECES["p0"], 12, 5))) == []
    remove_remote(address(milvus_server, pieces), ["p0"])
    origin.mark()
    assert phases(engine.take_up(origin.load())) == [("ended", "p0")]


def test_what_was_pushed_while_the_server_was_away_is_taken_up_though_the_push_before_is_gone(
    origin, wire, milvus_server, pieces, pieces_folder, monkeypatch
):
    monkeypatch.setattr(sweep, "RETIRED_S", 0.0)
    engine = Engine(origin.load())
    before = origin.mark()
    wire.cut()
    heard(engine, cut(PIECES["p0"], 2, 10))
    assert origin.away is not None
    push_index(pieces_folder, address(milvus_server, pieces))
    wire.mend()
    began = time.monotonic()
    while origin.mark() == before:
        assert time.monotonic() - began < 5
    newer = origin.load()
    assert until_back(origin) < 5
    assert phases(engine.take_up(newer)) == []
    assert phases(heard(engine, cut(PIECES["p0"], 12, 10))) == [("started", "p0")]


def test_tracks_that_were_removed_are_as_if_they_had_never_been_there(milvus_server, random_tracks, tmp_path):
    at = address(milvus_server, "codes")
    left = {name: one for name, one in TRACKS.items() if name not in ("track2", "track5")}
    index_folder(tmp_path / "left", left, CODES)
    remove_remote(at, ["track2", "track5"])
    there, known = opened(at, tmp_path / "cache"), here(tmp_path / "left")
    assert [one.id for one in there.tracks.named] == [one.id for one in known.tracks.named]
    asked = np.concatenate([known.codes(number)[:5] for number in range(len(known.tracks))])
    assert hits(there, asked)[0] == hits(known, asked)[0]
    lines = there.harmony.propose(np.eye(12, dtype=np.float32)[np.arange(40) % 12])
    assert {there.tracks[number].id for number in set(lines.track.tolist())} <= set(left)
    # Who still listens with the generation before has lost them, and is told of no other in their place.
    before = random_tracks.there
    near = before.propose(asked, asked)[0]
    told = {before.tracks[number].id for number in set(near.track.tolist())}
    assert told == {there.tracks[number].id for number in set(there.propose(asked, asked)[0].track.tolist())}


def test_what_is_wrong_is_told_in_one_sentence(milvus_server, random_tracks, tmp_path, monkeypatch):
    at = address(milvus_server, "codes")
    with pytest.raises(CatalogError, match=r"there is no index 'nothing' on .*index push"):
        load_remote(address(milvus_server, "nothing"), tmp_path)
    with Connection.open(at) as connection:
        found = required(connection, "codes").collections
        names = {kind: found.of(kind) for kind in (CODES_KIND, BLOCKS)}
        known = opened(at, tmp_path)
        asked = np.zeros((2, CODES.n_bits // 8), np.uint8)

        for n_kept, sentence in ((3, "answered with 3 neighbours"), (0, "answered with 0")):
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "search", fewer(Connection.search, n_kept))
                with pytest.raises(CatalogError, match=f"{sentence}.*lost, or not loaded"):
                    known.propose(asked, asked)
        connection._client.release_collection(names[BLOCKS])
        with pytest.raises(CatalogError, match="not loaded"):
            known.codes(3)
        with pytest.raises(CatalogError, match="not loaded"):
            opened(at, tmp_path)
        connection.load(names[BLOCKS])
        opened(at, tmp_path).codes(3)
        # Blocks that are gone, as those of a partition that is lost.
        connection.delete(names[BLOCKS], f"{BLOCK_KEY} >= 0")
        with pytest.raises(CatalogError, match=r"lacks \d+ of \d+ blocks"):
            opened(at, tmp_path).codes(3)


def fewer(search, n_kept):
    def answered(*args, **words):
        return [(keys[:n_kept], far[:n_kept]) for keys, far in search(*args, **words)]

    return answered


def test_a_server_of_another_version_is_refused(milvus_server, monkeypatch):
    client = pytest.importorskip("pymilvus").MilvusClient
    monkeypatch.setattr(client, "get_server_version", lambda *_, **__: "v3.1.0")
    with pytest.raises(CatalogError, match=r"has version 'v3.1.0', expected 2.3 or later, before 3"):
        load_remote(address(milvus_server, "codes"))
