"""The LSH voter: hash tables over sub-keys of the sign codes, as flat arrays.

Each table takes its own bits of the code (each bit the side of a random hyperplane through the
catalogue's centre) as the number of a bucket; a bucket lists the reference positions, that is the
(track, time) pairs, whose code has those bits. All arrays can be memory-mapped.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.int64]

_CODES_AT_ONCE = 1 << 16
"""Unpacked, a code takes 8 bytes per bit: a catalogue of 1,000 hours would take 20 GB at once."""


@dataclass(frozen=True)
class LshTables:
    """Buckets of reference positions, in compressed rows.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tables, 2**key_bits + 1), dtype=uint32]
        Bucket ``b`` of table ``t`` is ``entries[t, starts[t, b]:starts[t, b + 1]]``.
    entries : np.ndarray [shape=(n_tables, n), dtype=uint32]
        Reference positions, ascending within a bucket.
    """

    starts: npt.NDArray[np.uint32]
    entries: npt.NDArray[np.uint32]

    @property
    def n_tables(self) -> int:
        """Number of tables."""
        return len(self.starts)

    @property
    def key_bits(self) -> int:
        """Bits in a table's key."""
        return int(self.starts.shape[1] - 1).bit_length() - 1

    def lookup(
        self, codes: Codes, *, largest_bucket: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return what stands in the buckets of the given codes.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
        largest_bucket : int, >= 1
            Fuller buckets are passed over, like stop words: they say little and cost much.

        Returns
        -------
        rows, positions : np.ndarray [shape=(n_hits,), dtype=int64]
            Which code hit, and the reference position hit; one entry per table and position.
        """
        from stream_match.index.search_kernels import in_buckets  # when matching begins, not when loaded

        firsts = np.array(_first_bits(codes, self.n_tables, self.key_bits), np.int64)
        codes = np.ascontiguousarray(codes)
        return in_buckets(self.starts, self.entries, codes, firsts, self.key_bits, largest_bucket)

    def occupancy(self) -> float:
        """Return how evenly the buckets are filled: entropy of the fill over its maximum, in [0, 1]."""
        sizes = np.diff(self.starts.astype(np.int64), axis=1)
        share = sizes / max(1, self.entries.shape[1])
        entropy = -np.sum(share * np.log2(np.maximum(share, 1e-300)), axis=1)
        most = min(self.key_bits, np.log2(max(2, self.entries.shape[1])))
        return float(entropy.mean() / most)


def subkeys(codes: Codes, n_tables: int, key_bits: int) -> list[Keys]:
    """Return every table's bucket number of each code.

    Table ``t`` takes the `key_bits` bits from ``t * (n_bits - key_bits) // (n_tables - 1)`` on: disjoint
    where the code is long enough, overlapping where it is not.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
    n_tables, key_bits : int

    Returns
    -------
    list of np.ndarray [shape=(n,), dtype=int64]
        Values in [0, 2**key_bits).
    """
    powers = 1 << np.arange(key_bits, dtype=np.int64)
    firsts = _first_bits(codes, n_tables, key_bits)
    keys = np.empty((n_tables, len(codes)), np.int64)
    for row in range(0, len(codes), _CODES_AT_ONCE):
        bits = np.unpackbits(codes[row : row + _CODES_AT_ONCE], axis=1).astype(np.int64)
        for table, first in enumerate(firsts):
            keys[table, row : row + len(bits)] = bits[:, first : first + key_bits] @ powers
    return list(keys)


def _first_bits(codes: Codes, n_tables: int, key_bits: int) -> list[int]:
    """Return the first bit of each table's key."""
    last = 8 * codes.shape[1] - key_bits
    return [table * last // max(1, n_tables - 1) for table in range(n_tables)]


def build_lsh(codes: Codes, positions: npt.NDArray[np.uint32], *, n_tables: int, key_bits: int) -> LshTables:
    """Sort reference positions into buckets.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
    positions : np.ndarray [shape=(n,), dtype=uint32]
        The reference position of each code, ascending.
    n_tables, key_bits : int
    """
    starts = np.zeros((n_tables, 2**key_bits + 1), np.uint32)
    entries = np.empty((n_tables, len(codes)), np.uint32)
    for table, keys in enumerate(subkeys(codes, n_tables, key_bits)):
        starts[table, 1:] = np.cumsum(np.bincount(keys, minlength=2**key_bits))
        entries[table] = positions[np.argsort(keys, kind="stable")]
    return LshTables(starts, entries)
