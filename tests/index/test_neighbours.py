"""The contract of NeighbourIndex, for every implementation."""

import faiss
import numpy as np
import pytest
from naive import hamming_neighbours
from numpy_index import NumpyIndex, lists_in

from stream_match.errors import CatalogError
from stream_match.index.faiss_index import PROBED, build_faiss, load_lists

# Makers of an index, and whether it finds the nearest code for certain.
INDEXES = {
    "numpy": (NumpyIndex, True),
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


def lists_of(codes):
    return build_faiss(codes, flat_up_to=1000)


def test_lists_are_mapped_from_their_file(tmp_path):
    index = lists_of(clustered(1500, 16, 8))
    path = str(tmp_path / "neighbours.faiss")
    index.save(path)
    loaded = load_lists(path, n_codes=1500, n_bits=128)
    assert len(loaded) == len(index) == 1500
    assert (loaded.exhaustive, loaded.n_bits) == (False, 128)
    queries = clustered(20, 16, 9)
    for one, other in zip(loaded.search(queries, 3), index.search(queries, 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_search_starts_threads_that_read_ahead(tmp_path, monkeypatch):
    path = str(tmp_path / "neighbours.faiss")
    lists_of(clustered(1500, 16, 8)).save(path)
    mapped = []
    read = faiss.read_index_binary
    monkeypatch.setattr(faiss, "read_index_binary", lambda *given: mapped.append(read(*given)) or mapped[0])
    load_lists(path, n_codes=1500, n_bits=128)
    assert faiss.downcast_InvertedLists(mapped[0].invlists).prefetch_nthread == 0


def test_equal_codes_give_equal_bytes(tmp_path):
    for name, codes in (("one", clustered(1500, 16, 10)), ("other", clustered(1500, 16, 10))):
        lists_of(codes).save(str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_file_that_cannot_be_written_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        lists_of(clustered(1500, 16, 10)).save(str(tmp_path / "no folder" / "neighbours.faiss"))


@pytest.mark.parametrize("near", [False, True])
def test_numpy_that_probes_the_same_lists_finds_the_same(near):
    codes = clustered(6000, 16, 13)
    index = lists_of(codes)
    centres, rows = lists_in(index)
    assert sorted(np.concatenate(rows).tolist()) == list(range(6000))
    twin = NumpyIndex(codes, (centres, rows), probed=PROBED, probed_near=4)
    queries = flipped(codes[::300], 9, 2)
    ours, theirs = index.search(queries, 40, near=near), twin.search(queries, 40, near=near)
    np.testing.assert_array_equal(ours[0], theirs[0])
    for one, other, distances in zip(ours[1], theirs[1], ours[0], strict=True):
        sure = distances < distances[-1]  # of those at the last distance, any may be returned
        assert sorted(one[sure]) == sorted(other[sure])


INVERTED_LISTS = faiss.serialize_index_binary(
    faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(64), 64, 4)
).tobytes()


@pytest.mark.parametrize("content", [b"", b"IBxF", b"not an index" * 100, INVERTED_LISTS])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "neighbours.faiss"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="build it again"):
        load_lists(str(path), n_codes=1500, n_bits=128)


def test_an_empty_index_finds_nothing():
    index = build_faiss(np.empty((0, 8), np.uint8))
    _, rows = index.search(clustered(2, 8, 11), 3)
    assert (rows == -1).all()
