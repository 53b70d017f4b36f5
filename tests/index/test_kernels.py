"""Compiled kernels against loops, and their cache."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import best_path, differing_along, greatest_products, unit_rows_in_key

from stream_match.index import kernels

LENGTHS = np.array([30, 1, 0, 50], np.int64)


def case(seed, n_words, stride, n_frames, n_lines=12, n_shifts=3):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**64, (int(LENGTHS.sum()), n_words), np.uint64)
    query = rng.integers(0, 2**64, (n_shifts, n_frames, n_words), np.uint64)
    heard = rng.random((n_shifts, n_frames)) < 0.8
    track = rng.integers(0, len(LENGTHS), n_lines)
    first = (np.cumsum(LENGTHS) - LENGTHS)[track]
    head = rng.choice([1.0, 0.5, 0.25, 0.3371], n_lines) * rng.integers(-40, 120, n_lines)
    speed = rng.choice([1.0, 0.96, 1.0267, 0.5, 1.5], n_lines) * rng.choice([1, -1], n_lines)
    shift = rng.integers(0, n_shifts, n_lines)
    return words, first, LENGTHS[track], query, heard, head, speed.astype(np.float32), shift, stride


def twins(arguments, windows):
    words, first, length, query, heard, head, speed, shift, stride = arguments
    lines = zip(first, length, head, speed.tolist(), shift, strict=True)
    return [
        differing_along(words, int(f), int(n), query, heard, float(h), s, int(k), stride, windows)
        for f, n, h, s, k in lines
    ]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_words=st.integers(1, 16),
    stride=st.sampled_from([1, 2, 3, 4, 8]),
    n_frames=st.integers(0, 80),
    data=st.data(),
)
def test_lines_are_read_as_by_a_loop(seed, n_words, stride, n_frames, data):
    arguments = case(seed, n_words, stride, n_frames)
    n_positions = n_frames // stride
    lengths = st.lists(st.integers(1, max(1, n_positions)), max_size=5)
    windows = np.array(sorted(data.draw(lengths)) if n_positions else [], np.int64)
    counts = kernels.line_counts(*arguments, windows)
    agreement = kernels.line_agreement(*arguments)
    assert (counts.shape, counts.dtype) == ((12, len(windows)), np.int64)
    assert (agreement.shape, agreement.dtype) == ((12, n_positions), np.float32)
    for row, line, (sums, steps) in zip(counts, agreement, twins(arguments, windows), strict=True):
        assert row.tolist() == sums
        per_bit = np.float32(2 / (64 * n_words))
        assert line.tolist() == [
            0 if bits is None else np.float32(1) - np.float32(bits) * per_bit for bits in steps
        ]


def test_codes_may_be_a_file_that_is_only_read(tmp_path):
    arguments = case(1, 4, 8, 80)
    np.save(tmp_path / "codes.npy", arguments[0])
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    there = kernels.line_agreement(mapped, *arguments[1:])
    np.testing.assert_array_equal(there, kernels.line_agreement(*arguments))


def test_a_query_may_be_a_part_and_heard_alike_at_all_shifts():
    words, first, length, query, heard, *rest = case(2, 4, 4, 80)
    windows = np.array([3, 10])
    part = kernels.line_counts(words, first, length, query[:, :40], heard[0, :40], *rest, windows)
    each = np.repeat(heard[:1, :40], 3, axis=0)
    whole = kernels.line_counts(words, first, length, query[:, :40].copy(), each, *rest, windows)
    np.testing.assert_array_equal(part, whole)


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


@pytest.mark.parametrize("cache", ["kept", "unwritable", "broken"])
def test_kernels_work_whatever_becomes_of_their_cache(tmp_path, cache):
    """Numba's own folder is used, so that nothing beside the sources changes."""
    folder = tmp_path / "cache"
    folder.mkdir()
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    if cache == "unwritable":
        # A file where the folder should be: nobody can write there, the superuser neither.
        (tmp_path / "file").touch()
        code = _BLOCKED + _READ
    else:
        code = _READ
    runs = 1 if cache == "unwritable" else 2
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[[1.0]]"
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert bool(files) == (cache != "unwritable")
        for path in files if cache == "broken" else []:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
            path.write_bytes(path.read_bytes()[:10])


_BLOCKED = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
"""

_READ = """
import numpy as np
from stream_match.index import kernels
codes = np.ones((1, 4), np.uint64)
zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
heard = np.ones((1, 1), bool)
print(kernels.line_agreement(
    codes, zero, one, codes[np.newaxis], heard, np.zeros(1), np.ones(1, np.float32), zero, 1
).tolist())
"""
