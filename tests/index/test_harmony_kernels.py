"""The kernels of the version lane beside loops that are slow and plain."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import best_path, greatest_products, unit_rows_in_key

from stream_match.index import harmony_kernels as kernels


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), n_tempi=st.integers(1, 3))
def test_likeness_is_the_greatest_product_over_tempi_and_keys(seed, n_tempi):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(n_tempi, 44)).astype(np.float32)
    shingles = (rng.normal(size=(20, 44)) * rng.choice([1, 1e-3, 1e-6, 0], (20, 44))).astype(np.float16)
    alike = kernels.likeness(queries, shingles)
    expected = [greatest_products(queries.tolist(), shingle) for shingle in shingles.tolist()]
    np.testing.assert_allclose(alike.T, expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 500))
def test_likeness_does_not_depend_on_what_stands_beside(seed, n):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(7, 44)).astype(np.float32)
    shingles = rng.normal(size=(n, 44)).astype(np.float16)
    alike, chosen = kernels.likeness(queries, shingles), rng.permutation(n)[: n // 3]
    assert kernels.likeness(queries, shingles[chosen]).tobytes() == alike[:, chosen].tobytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(0, 150), max_size=9))
def test_shingles_in_lists_are_compared_as_others_are(seed, sizes):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(7, 44)).astype(np.float32)
    lists = [rng.integers(-127, 128, (size, 44)) for size in sizes]
    parts, at = [b"before"], []
    for shingles in rng.permutation(len(lists)):  # they may lie in any order
        at.append((shingles, sum(map(len, parts))))
        parts += [(lists[shingles] + 128).astype(np.uint8).tobytes(), b"between"]
    begins = np.array([place for _, place in sorted(at)], np.int64)
    data = np.frombuffer(b"".join(parts), np.uint8)
    found = kernels.likeness_in_lists(queries, data, begins, np.array(sizes, np.int64))
    joined = np.concatenate([np.empty((0, 44)), *lists]).astype(np.float16)
    assert found.tobytes() == kernels.likeness(queries, joined).tobytes()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n_query=st.integers(1, 7), n_columns=st.integers(1, 6), data=st.data())
def test_warping_finds_the_best_of_all_paths(seed, n_query, n_columns, data):
    rng = np.random.default_rng(seed)
    n, n_rows = 3, n_columns + 12
    query = rng.normal(size=(n_query, 12)).astype(np.float32)
    chroma = rng.integers(0, 256, (n, n_rows, 12)).astype(np.uint8)
    chroma[rng.random((n, n_rows)) < 0.2] = 0
    chroma[0] //= 64  # what hardly moves
    key = rng.integers(0, 12, n)
    inside = np.sort(rng.integers(0, n_rows + 1, (n, 2)), axis=1)
    counted = np.sort(rng.integers(inside[:, :1], inside[:, 1:] + 1, (n, 2)), axis=1)
    lowest = rng.integers(0, n_rows - n_columns + 1, (n, n_query))
    still = data.draw(st.sampled_from([0.15, 0.6]))
    found = kernels.best_paths(query, chroma, key, inside, counted, lowest, n_columns, 1.0, still)
    for line in range(n):
        rows = unit_rows_in_key(chroma[line], int(key[line]), inside[line], counted[line], still)
        expected = best_path(query, rows, lowest[line].tolist(), n_columns)
        # Where nothing is alike, ways are equally good.
        same = found[1][line].tolist() == expected[1]
        assert same or inside[line, 1] - inside[line, 0] < n_rows
        np.testing.assert_allclose(found[0][line], expected[0], atol=1e-5)
        for own, twin in zip(found[2:], expected[2:], strict=True):
            assert not same or np.allclose(own[line], twin, atol=1e-4)
