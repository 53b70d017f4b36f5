"""The LSH tables against a dict of lists."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import lsh_lookup, lsh_tables

from stream_match.index.lsh import LshTables, build_lsh


def some_codes(n, n_bytes, seed, n_values=256):
    return np.random.default_rng(seed).integers(0, n_values, (n, n_bytes), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 60),
    n_bytes=st.integers(2, 8),
    n_tables=st.integers(1, 6),
    key_bits=st.integers(1, 9),
    largest_bucket=st.integers(1, 70),
    seed=st.integers(0, 99),
)
def test_equals_a_dict_of_lists(n, n_bytes, n_tables, key_bits, largest_bucket, seed):
    codes = some_codes(n, n_bytes, seed)
    positions = np.cumsum(np.random.default_rng(seed).integers(1, 5, n)).astype(np.uint32)
    tables = build_lsh(codes, positions, n_tables=n_tables, key_bits=key_bits)
    queries = np.concatenate([codes[::3], some_codes(5, n_bytes, seed + 1)])
    rows, found = tables.lookup(queries, largest_bucket=largest_bucket)
    twin = lsh_tables(codes, positions, n_tables, key_bits)
    assert sorted(zip(rows.tolist(), found.tolist(), strict=True)) == lsh_lookup(
        twin, queries, key_bits, largest_bucket
    )


def test_buckets_are_ascending_and_hold_everything_once_per_table():
    codes, positions = some_codes(500, 4, 1, n_values=3), np.arange(0, 1000, 2, dtype=np.uint32)
    tables = build_lsh(codes, positions, n_tables=3, key_bits=5)
    assert (tables.n_tables, tables.key_bits) == (3, 5)
    assert tables.starts.shape == (3, 33)
    assert tables.starts.dtype == tables.entries.dtype == np.uint32
    for starts, entries in zip(tables.starts, tables.entries, strict=True):
        np.testing.assert_array_equal(np.sort(entries), positions)
        for first, last in pairwise(starts):
            assert (np.diff(entries[first:last].astype(np.int64)) > 0).all()


def test_tables_of_a_long_code_share_no_bits():
    codes = np.zeros((1, 16), np.uint8)
    hits = []
    for bit in range(128):
        query = np.packbits(np.arange(128) == bit)[np.newaxis]
        tables = build_lsh(codes, np.zeros(1, np.uint32), n_tables=8, key_bits=16)
        hits.append(len(tables.lookup(query, largest_bucket=1)[0]))
    assert hits == [7] * 128


@pytest.mark.parametrize(
    ("codes", "expected"), [(some_codes(20_000, 8, 2), 1.0), (np.zeros((500, 8), np.uint8), 0.0)]
)
def test_occupancy_is_entropy(codes, expected):
    tables = build_lsh(codes, np.arange(len(codes), dtype=np.uint32), n_tables=4, key_bits=8)
    assert tables.occupancy() == pytest.approx(expected, abs=0.01)


def test_occupancy_of_nothing_is_a_number():
    tables = build_lsh(np.empty((0, 8), np.uint8), np.empty(0, np.uint32), n_tables=4, key_bits=8)
    assert tables.occupancy() == 0.0


def test_tables_that_were_left_out_have_nothing_in_any_bucket():
    tables = LshTables(np.zeros((1, 2), np.uint32), np.zeros((1, 0), np.uint32))
    row, position = tables.lookup(np.zeros((3, 8), np.uint8), largest_bucket=32)
    assert (row.tolist(), position.tolist(), tables.key_bits) == ([], [], 0)
