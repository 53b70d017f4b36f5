"""The contract of NeighbourIndex, for every implementation."""

import faiss
import numpy as np
import pytest
from naive import hamming_neighbours

from stream_match.errors import CatalogError
from stream_match.match import faiss_index
from stream_match.index.faiss_index import build_faiss, load_faiss

# Makers of an index, and whether it finds the nearest code for certain.
INDEXES = {
    "flat": (build_faiss, True),
    "ivf": (lambda codes: build_faiss(codes, flat_up_to=1000), False),
}


def clustered(n, n_bytes, seed):
    """Codes as a catalogue has them: neighbours in time differ by a few bits."""
    rng = np.random.default_rng(seed)
    bits = np.repeat(rng.integers(0, 2, (-(-n // 8), 8 * n_bytes)), 8, axis=0)[:n]
    return np.packbits(bits ^ (rng.random(bits.shape) < 0.03), axis=1)


def flipped(codes, n_flips, seed):
    bits = np.unpackbits(codes, axis=1)
    rng = np.random.default_rng(seed)
    for row in bits:
        row[rng.choice(len(row), n_flips, replace=False)] ^= 1
    return np.packbits(bits, axis=1)


@pytest.fixture(params=INDEXES)
def kind(request):
    return INDEXES[request.param]


def test_distances_are_those_of_brute_force(kind):
    build, exact = kind
    codes = clustered(4000, 16, 1)
    queries = flipped(codes[::400], 5, 2)
    distances, rows = build(codes).search(queries, 4)
    assert distances.shape == rows.shape == (len(queries), 4)
    assert (distances.dtype, rows.dtype) == (np.int32, np.int64)
    bits = np.unpackbits(codes[rows], axis=2) ^ np.unpackbits(queries, axis=1)[:, np.newaxis]
    np.testing.assert_array_equal(bits.sum(axis=2), distances)
    assert (np.diff(distances, axis=1) >= 0).all()
    expected = hamming_neighbours(codes, queries, 4)
    if exact:
        np.testing.assert_array_equal(distances, expected)
    else:
        assert (distances[:, 0] == expected[:, 0]).mean() >= 0.8


def test_a_code_finds_itself(kind):
    codes = clustered(2000, 8, 3)
    distances, _ = kind[0](codes).search(codes[::50], 1)
    assert not distances.any()


def test_fewer_than_asked_for_are_marked(kind):
    distances, rows = build_faiss(clustered(3, 8, 4)).search(clustered(2, 8, 5), 5)
    assert (rows[:, 3:] == -1).all()
    assert (rows[:, :3] >= 0).all()
    assert distances.shape == (2, 5)


@pytest.mark.parametrize("n_queries", [0, 1, 7])
def test_any_number_of_queries(kind, n_queries):
    distances, _ = kind[0](clustered(1500, 8, 6)).search(clustered(n_queries, 8, 7), 2)
    assert distances.shape == (n_queries, 2)


def test_round_trip_through_a_file(kind, tmp_path, monkeypatch):
    index = kind[0](clustered(1500, 16, 8))
    path = tmp_path / "neighbours.faiss"
    path.write_bytes(index.to_bytes())
    monkeypatch.setattr(faiss_index, "build_faiss", kind[0])
    loaded = load_faiss(str(path))
    assert len(loaded) == len(index) == 1500
    assert loaded.exhaustive == index.exhaustive == kind[1]
    queries = clustered(20, 16, 9)
    for one, other in zip(loaded.search(queries, 3), index.search(queries, 3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.to_bytes() == index.to_bytes()


@pytest.mark.parametrize("n_bytes", [8, 16])
def test_codes_come_back_in_the_order_in_which_they_were_given(kind, tmp_path, n_bytes):
    codes = clustered(1501, n_bytes, 12)
    index = kind[0](codes)
    path = tmp_path / "neighbours.faiss"
    path.write_bytes(index.to_bytes())
    for one in (index, load_faiss(str(path))):
        back = one.codes()
        assert (back.shape, back.dtype) == (codes.shape, np.uint8)
        np.testing.assert_array_equal(back, codes)
        back[:] = 0  # a copy
        np.testing.assert_array_equal(one.codes(), codes)


def test_equal_codes_give_equal_bytes(kind):
    codes = clustered(1500, 16, 10)
    assert kind[0](codes).to_bytes() == kind[0](codes.copy()).to_bytes()


INVERTED_LISTS = faiss.serialize_index_binary(
    faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(64), 64, 4)
).tobytes()


@pytest.mark.parametrize("content", [b"", b"IBxF", b"not an index" * 100, INVERTED_LISTS])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "neighbours.faiss"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="build it again"):
        load_faiss(str(path))


def test_an_empty_index_finds_nothing():
    index = build_faiss(np.empty((0, 8), np.uint8))
    _, rows = index.search(clustered(2, 8, 11), 3)
    assert (rows == -1).all()
    assert index.codes().shape == (0, 8)
