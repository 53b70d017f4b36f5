"""Nearest neighbours by FAISS; the only file in which faiss stands."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError
from stream_match.match.neighbours import Codes

FLAT_UP_TO = 2_000_000
"""Codes, about 100 hours, up to which every code is compared.

Measured with 256 bits: exhaustive search took 0.74 ms a query per million codes, inverted lists 0.16 ms, but
these kept the nearest neighbour of a code with 15 % of its bits wrong in 84 % of the cases only, and took
14 s to train. So: exact for as long as one can afford it."""

_LISTS_PER_ROOT = 1
"""Lists of the inverted index per square root of the number of codes; more take longer to train than they
save."""

_PROBED_SHARE = 16
"""One list in this many is searched."""


class FaissIndex:
    """A FAISS binary index: exhaustive (flat) or inverted lists.

    Parameters
    ----------
    index : faiss.IndexBinary
        Searched by one thread: a query is small, and a daemon shares its machine.
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    def search(self, codes: Codes, k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the nearest reference codes; see `NeighbourIndex.search`."""
        distances, rows = self._index.search(np.ascontiguousarray(codes), k)
        return distances, rows

    def __len__(self) -> int:
        """Return the number of reference codes."""
        return int(self._index.ntotal)

    def codes(self) -> Codes:
        """Return all codes in the order in which they were added; see `NeighbourIndex.codes`."""
        import faiss

        count, n_bytes = len(self), self.n_bits // 8
        if self.exhaustive:
            stored = faiss.vector_to_array(self._index.xb)
            return np.asarray(stored, np.uint8).reshape(count, n_bytes)
        codes = np.empty((count, n_bytes), np.uint8)
        lists = self._index.invlists
        for number in range(lists.nlist):
            size = lists.list_size(number)
            rows = faiss.rev_swig_ptr(lists.get_ids(number), size)
            codes[rows] = faiss.rev_swig_ptr(lists.get_codes(number), size * n_bytes).reshape(size, n_bytes)
        return codes

    @property
    def n_bits(self) -> int:
        """Bits of a code; FAISS reads past the end of shorter ones."""
        return int(self._index.d)

    @property
    def exhaustive(self) -> bool:
        """True if every code is compared, False if only some inverted lists are."""
        return not hasattr(self._index, "nprobe")

    def to_bytes(self) -> bytes:
        """Return the index in FAISS's own format."""
        import faiss

        data: bytes = faiss.serialize_index_binary(self._index).tobytes()
        return data


def build_faiss(codes: Codes, *, flat_up_to: int = FLAT_UP_TO) -> FaissIndex:
    """Build an index over codes: flat for a small catalogue, inverted lists for a large one.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
    flat_up_to : int
        The size at which one gives way to the other.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    n_bits = codes.shape[1] * 8
    if len(codes) <= flat_up_to:
        index: Any = faiss.IndexBinaryFlat(n_bits)
    else:
        n_lists = int(_LISTS_PER_ROOT * np.sqrt(len(codes)))
        index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(n_bits), n_bits, n_lists)
        index.train(np.ascontiguousarray(codes))
        index.nprobe = max(1, n_lists // _PROBED_SHARE)
    index.add(np.ascontiguousarray(codes))
    return FaissIndex(index)


def load_faiss(path: str) -> FaissIndex:
    """Read an index from its file.

    Raises
    ------
    CatalogError
        If FAISS cannot read it.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    try:
        if hasattr(faiss, "set_deserialization_vector_byte_limit"):  # newer versions
            # No file holds more than its length; a damaged header may claim any amount.
            faiss.set_deserialization_vector_byte_limit(Path(path).stat().st_size)
        return FaissIndex(faiss.read_index_binary(path))
    except (RuntimeError, OSError, MemoryError) as error:
        raise CatalogError(f"{path} is not an index that FAISS can read: build it again") from error
