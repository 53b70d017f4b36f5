"""Compiled loops over what a search has found."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import INT, INT64, array_of, compiled

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

_BITS_OF_A_BYTE = 8


@compiled(array_of(np.uint32, 2), array_of(np.uint32, 2), array_of(np.uint8, 2), INT64, INT, INT)
def in_buckets(
    starts: UInt32, entries: UInt32, codes: Codes, first_bits: Int64, key_bits: int, largest_bucket: int
) -> tuple[Int64, Int64]:
    """Return what stands in the buckets of codes, by table, then by code.

    Parameters
    ----------
    starts, entries : np.ndarray
        As in `LshTables`.
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
    first_bits : np.ndarray [shape=(n_tables,), dtype=int64]
        The first bit of each table's key, in the order of ``numpy.unpackbits``.
    key_bits : int
        Bits of a key; its first is the lowest.
    largest_bucket : int
        Fuller buckets are passed over, and those that no table has.

    Returns
    -------
    rows, positions : np.ndarray [shape=(n_hits,), dtype=int64]
        As in `LshTables.lookup`.
    """
    n_tables, n = len(starts), len(codes)
    # Read once: what is mapped from a file might be another number the second time.
    first, count = np.zeros((n_tables, n), np.int64), np.zeros((n_tables, n), np.int64)
    for table in range(n_tables):
        for row in range(n):
            bucket = 0
            for bit in range(key_bits):
                at = first_bits[table] + bit
                byte = np.int64(codes[row, at // _BITS_OF_A_BYTE])
                bucket |= (byte >> (_BITS_OF_A_BYTE - 1 - at % _BITS_OF_A_BYTE) & 1) << bit
            begin, end = np.int64(starts[table, bucket]), np.int64(starts[table, bucket + 1])
            # A damaged file may name what is not there.
            if begin <= end <= min(begin + largest_bucket, entries.shape[1]):
                first[table, row], count[table, row] = begin, end - begin
    total = count.sum()
    rows, positions, found = np.empty(total, np.int64), np.empty(total, np.int64), 0
    for table in range(n_tables):
        for row in range(n):
            for entry in range(first[table, row], first[table, row] + count[table, row]):
                rows[found], positions[found] = row, entries[table, entry]
                found += 1
    return rows, positions


@compiled(array_of(np.int64, 2), INT64, INT, INT, INT, INT64, INT64, array_of(np.bool_, 1), INT, INT)
def nearest(
    keys: Int64,
    limit: Int64,
    distance_shift: int,
    track_shift: int,
    track_bits: int,
    recordings: Int64,
    copies: Int64,
    crowded: Bools,
    per_recording: int,
    at_most: int,
) -> tuple[Int64, Int64, Int64]:
    """Return the neighbours of each code that count, nearest first, and the codes that may have more.

    Parameters
    ----------
    keys : np.ndarray [shape=(n, n_keys), dtype=int64]
        A key for each neighbour, ascending: its distance from bit `distance_shift` on, its track in the
        `track_bits` bits from `track_shift` on.
    limit : np.ndarray [shape=(n,), dtype=int64]
        Neighbours at this distance or farther do not count.
    recordings : np.ndarray [shape=(n_tracks,), dtype=int64]
        For each track, the first that holds the same recording.
    copies : np.ndarray [shape=(n_tracks,), dtype=int64]
        How many tracks hold each recording, by that first one.
    crowded : np.ndarray [shape=(n,), dtype=bool]
        Where removed tracks were found.
    per_recording : int
        Of a recording with copies so many count.
    at_most : int
        Of all so many.

    Returns
    -------
    rows, chosen : np.ndarray [shape=(n_neighbours,), dtype=int64]
        The code of each, ascending, and its key.
    short : np.ndarray [shape=(n_short,), dtype=int64]
        Codes without any neighbour, or with fewer than `at_most` where others were crowded out.
    """
    n, n_keys = keys.shape
    most = min(n_keys, at_most)
    rows, chosen = np.empty(n * most, np.int64), np.empty(n * most, np.int64)
    short, n_short, found = np.empty(n, np.int64), 0, 0
    recording_at, seen_at = np.empty(n_keys, np.int64), np.empty(n_keys, np.int64)
    for row in range(n):
        begin, n_recordings, more = found, 0, crowded[row]
        for column in range(n_keys):
            key = keys[row, column]
            if key >> distance_shift >= limit[row] or found - begin == at_most:
                break
            recording = recordings[(key >> track_shift) & ((1 << track_bits) - 1)]
            if copies[recording] > 1:
                place = 0
                while place < n_recordings and recording_at[place] != recording:
                    place += 1
                if place == n_recordings:
                    recording_at[place], seen_at[place] = recording, 0
                    n_recordings += 1
                seen_at[place] += 1
                if seen_at[place] > per_recording:
                    more = True
                    continue
            rows[found], chosen[found] = row, key
            found += 1
        if found == begin or (more and found - begin < at_most):
            short[n_short] = row
            n_short += 1
    return rows[:found], chosen[:found], short[:n_short]
