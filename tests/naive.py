"""Slow, obvious twins of fast code."""

import numpy as np


def bits_of(code):
    """The bits of a packed code, first bit first."""
    return [(int(byte) >> (7 - bit)) & 1 for byte in code for bit in range(8)]


def lsh_tables(codes, positions, n_tables, key_bits):
    """A dict from sub-key to list of positions for each table, as random-hyperplane LSH is described."""
    tables = [{} for _ in range(n_tables)]
    for code, position in zip(codes, positions, strict=True):
        for table, key in zip(tables, lsh_keys(code, n_tables, key_bits), strict=True):
            table.setdefault(key, []).append(int(position))
    return tables


def lsh_keys(code, n_tables, key_bits):
    """The bits that each table takes of a code."""
    bits = bits_of(code)
    last = len(bits) - key_bits
    firsts = [t * last // max(1, n_tables - 1) for t in range(n_tables)]
    return [tuple(bits[first : first + key_bits]) for first in firsts]


def lsh_lookup(tables, codes, key_bits, largest_bucket):
    """Every (row, position) that stands in a bucket which is not too full."""
    hits = []
    for row, code in enumerate(codes):
        for table, key in zip(tables, lsh_keys(code, len(tables), key_bits), strict=True):
            bucket = table.get(key, [])
            if len(bucket) <= largest_bucket:
                hits += [(row, position) for position in bucket]
    return sorted(hits)


def hamming_neighbours(codes, queries, k):
    """The distances of the `k` nearest codes of each query, ascending."""
    bits = np.unpackbits(codes, axis=1)
    apart = [(bits != np.unpackbits(query)).sum(axis=1) for query in queries]
    return np.array([np.sort(distances)[:k] for distances in apart])


def hyperplane_sides(embedding, centre, planes):
    """On which side of each hyperplane an embedding lies, in double precision."""
    sides = []
    for column in range(planes.shape[1]):
        terms = [
            (float(x) - float(c)) * float(p)
            for x, c, p in zip(embedding, centre, planes[:, column], strict=True)
        ]
        sides.append(sum(terms))
    return sides
