"""A catalogue on a real Milvus server answers as one in memory, and listening outlives an outage."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from codes import flipped, random_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from music import PIECES, SETTINGS, catalogue, cut, frames_of, hear, noise, piece, reads, silence
from pushed import SEARCHED, here, index_folder

from stream_match.config import FeatureSettings
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.index.coding import HASHED_STRIDE, TrackCodes, code_track
from stream_match.index.lines import Lines, as_words
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.edit import remove_remote
from stream_match.milvus.opening import Opened
from stream_match.milvus.origin import load_remote
from stream_match.milvus.outage import Patient
from stream_match.milvus.push import push_index
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


def test_tracks_that_were_removed_before_or_since_are_as_if_they_had_never_been_there(
    milvus_server, tmp_path
):
    at, gone = address(milvus_server, "removed"), {2, 5}
    index_folder(tmp_path / "all", TRACKS, CODES, cuts=CUTS, removed=(2,))
    left = {name: one for number, (name, one) in enumerate(TRACKS.items()) if number not in gone}
    index_folder(tmp_path / "left", left, CODES)
    push_index(tmp_path / "all", at)
    before = opened(at, tmp_path / "cache")
    remove_remote(at, ["track5"])
    there, known = opened(at, tmp_path / "cache"), here(tmp_path / "left")
    assert [one.id for one in there.tracks.named] == [one.id for one in known.tracks.named]
    asked = np.concatenate([known.codes(number)[:5] for number in range(len(known.tracks))])
    assert hits(there, asked)[0] == hits(known, asked)[0]
    # Who still listens with the generation before has lost that track, and is told of no other in its place.
    near = before.propose(asked, asked)[0]
    assert "track5" not in {before.tracks[number].id for number in set(near.track.tolist())}


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
