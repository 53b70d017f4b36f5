"""Nearest neighbours by numpy: the plain second implementation, which the first one is held against."""

import faiss
import numpy as np


class NumpyIndex:
    """Compares every code, or those in the lists nearest to the query.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
        By row.
    lists : tuple of (np.ndarray, list of np.ndarray), optional
        Codes that lists lie about [shape=(n_lists, n_bytes), dtype=uint8], and the rows in each
        [dtype=int64]; without, every code is compared.
    probed, probed_near : int
        Lists that are searched, and those where only codes that differ little are wanted.
    """

    def __init__(self, codes, lists=None, *, probed=1, probed_near=1):
        self._codes = codes
        self._lists = lists
        self._probed = (probed, probed_near)

    def __len__(self):
        """Return the number of codes."""
        return len(self._codes)

    def search(self, codes, k, *, near=False):
        """Return the nearest codes; see `stream_match.index.neighbours.NeighbourIndex.search`."""
        distances = np.full((len(codes), k), np.iinfo(np.int32).max, np.int32)
        rows = np.full((len(codes), k), -1, np.int64)
        for number, code in enumerate(codes):
            among = self._among(code, near=near)
            differing = _distances(code, self._codes[among])
            nearest = np.argsort(differing, kind="stable")[:k]
            distances[number, : len(nearest)] = differing[nearest]
            rows[number, : len(nearest)] = among[nearest]
        return distances, rows

    def _among(self, code, *, near):
        """Return the rows that a code is compared with."""
        if self._lists is None:
            return np.arange(len(self._codes))
        centres, rows = self._lists
        nearest = np.argsort(_distances(code, centres), kind="stable")[: self._probed[near]]
        return np.concatenate([np.empty(0, np.int64), *(rows[number] for number in nearest)])


def _distances(code, others):
    """Return in how many bits others differ from a code [shape=(n,), dtype=int32]."""
    return np.bitwise_count(others ^ code).sum(axis=1, dtype=np.int32)


def lists_in(index):
    """The inverted lists of a `FaissIndex`: which codes they lie about, and which rows are in each."""
    lists = index._index.invlists
    sizes = [int(lists.list_size(number)) for number in range(lists.nlist)]
    rows = [
        faiss.rev_swig_ptr(lists.get_ids(number), size).copy() if size else np.empty(0, np.int64)
        for number, size in enumerate(sizes)
    ]
    centres = faiss.vector_to_array(index._centres().xb)
    return centres.reshape(lists.nlist, -1), rows
