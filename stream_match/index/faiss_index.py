"""Nearest neighbours by FAISS; the only file in which faiss stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError
from stream_match.index.neighbours import Codes

FLAT_UP_TO = 40_000
"""Codes, about two hours, up to which every code is compared: a query then takes 0.1 ms at most.

Beyond, a code stands in the list of the nearest of some codes drawn by chance, and the lists nearest to a
query are searched. At 13 hours that takes a fifth of the time. Of the true neighbours of single frames it
keeps 0.98 where clean, 0.92 in a room, 0.8 in deep noise; but frames are many, and true places are proposed
as often as by comparing everything (`docs/recordings.md`). Lists about means of codes (k-means) keep no more,
and take seconds to train."""

_LISTS_PER_ROOT = 2
_MOST_LISTS = 1024
"""Lists per square root of the number of codes, and at most, so that the time to make them grows with the
codes only."""

_PROBED_SHARE = 8
"""One list in this many is searched."""

_NEAR_SHARE = 8
"""And one in eight of these where only codes that differ little are wanted."""

_SEED = 20_261_126


class FaissIndex:
    """A FAISS binary index: exhaustive (flat) or inverted lists.

    Its file holds the codes alone, flat, in the order in which they were added.

    Parameters
    ----------
    index : faiss.IndexBinary
        Searched by one thread: a query is small, and a daemon shares its machine.
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    def search(
        self, codes: Codes, k: int, *, near: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the nearest reference codes; see `NeighbourIndex.search`."""
        if not self.exhaustive:
            share = _PROBED_SHARE * (_NEAR_SHARE if near else 1)
            self._index.nprobe = max(1, self._index.nlist // share)
        with _one_thread():
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
            if size:
                rows = faiss.rev_swig_ptr(lists.get_ids(number), size)
                stored = faiss.rev_swig_ptr(lists.get_codes(number), size * n_bytes)
                codes[rows] = stored.reshape(size, n_bytes)
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
        """Return the codes as a flat index in FAISS's own format."""
        import faiss

        data: bytes = faiss.serialize_index_binary(_flat(self.codes())).tobytes()
        return data


def build_faiss(codes: Codes, *, flat_up_to: int = FLAT_UP_TO) -> FaissIndex:
    """Build an index over codes: flat for a small catalogue, inverted lists for a large one.

    Equal codes give equal indexes.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
    flat_up_to : int
        The size at which one gives way to the other.
    """
    with _one_thread():
        return FaissIndex(_flat(codes) if len(codes) <= flat_up_to else _lists(codes))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let FAISS use one thread, and give the calling thread back what it had: OpenMP counts for each."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _flat(codes: Codes) -> Any:
    import faiss

    index = faiss.IndexBinaryFlat(codes.shape[1] * 8)
    index.add(np.ascontiguousarray(codes))
    return index


def _lists(codes: Codes) -> Any:
    """Return inverted lists about some of the codes."""
    import faiss

    n_lists = min(int(_LISTS_PER_ROOT * np.sqrt(len(codes))), _MOST_LISTS)
    chosen = np.random.default_rng(_SEED).choice(len(codes), n_lists, replace=False)
    centres = _flat(codes[np.sort(chosen)])
    index = faiss.IndexBinaryIVF(centres, codes.shape[1] * 8, n_lists)
    centres.this.disown()  # the index owns them
    index.own_fields = True
    index.is_trained = True
    index.add(np.ascontiguousarray(codes))
    return index


def load_faiss(path: str) -> FaissIndex:
    """Read an index from its file.

    Raises
    ------
    CatalogError
        If FAISS cannot read it.
    """
    import faiss

    try:
        if hasattr(faiss, "set_deserialization_vector_byte_limit"):  # newer versions
            # No file holds more than its length; a damaged header may claim any amount.
            faiss.set_deserialization_vector_byte_limit(Path(path).stat().st_size)
        stored = FaissIndex(faiss.read_index_binary(path))
    except (RuntimeError, OSError, MemoryError) as error:
        raise CatalogError(f"{path} is not an index that FAISS can read: build it again") from error
    if not stored.exhaustive:
        raise CatalogError(f"{path} is no flat index: build it again")
    return build_faiss(stored.codes())
