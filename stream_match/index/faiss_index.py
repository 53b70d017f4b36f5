"""Nearest neighbours by FAISS; the only file in which faiss stands."""

import mmap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError
from stream_match.index.neighbours import Codes
from stream_match.index.shingle_search import StoredLists

Float32 = npt.NDArray[np.float32]

FLAT_UP_TO = 40_000
"""Codes, about two hours, up to which every code is compared: a query then takes 0.1 ms at most.

Beyond, a code stands in the list of the nearest of some codes drawn by chance, and the lists nearest to a
query are searched. Lists about means of codes (k-means) keep no more, and take minutes to train."""

LISTS_PER_ROOT = 4
MOST_LISTS = 16_384
"""Lists per square root of the number of codes, and at most: to find the list of each code takes as many
comparisons as there are lists."""

PROBED = 256
"""Lists that are searched for a code: as many of its neighbours are found in any catalogue of up to thousands
of hours. See `docs/recordings.md` for what is lost against comparing everything."""

_PROBED_NEAR = 4
"""And for codes that differ little, as those of copies do."""

_SEED = 20_261_126

_ADDED_AT_ONCE = 1 << 18

_SEARCHED_AT_ONCE = 256
"""To count distances takes `n_bits + 1` times the memory of the rows that are returned: 26 MB for so many
codes of 256 bits and 50 neighbours."""

_SHINGLES_AT_ONCE = 1 << 14

_ROUNDS = 6
"""Of k-means; further ones change little."""


class FaissIndex:
    """A FAISS binary index: exhaustive (flat) or inverted lists.

    Parameters
    ----------
    index : faiss.IndexBinary
        Searched by one thread: a query is small, and a daemon shares its machine.
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        # To count distances is faster than a heap. Of codes that are equally far, it may return others.
        index.use_heap = False
        if not self.exhaustive:
            self._centres().use_heap = False

    def _centres(self) -> Any:
        """Return the index of what inverted lists lie about."""
        import faiss

        return faiss.downcast_IndexBinary(self._index.quantizer)

    def search(
        self, codes: Codes, k: int, *, near: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the nearest codes; see `NeighbourIndex.search`."""
        distances = np.empty((len(codes), k), np.int32)
        rows = np.empty((len(codes), k), np.int64)
        probed = self._probed(near=near)
        with _one_thread():
            for first in range(0, len(codes), _SEARCHED_AT_ONCE):
                at = slice(first, first + _SEARCHED_AT_ONCE)
                distances[at], rows[at] = self._index.search(
                    np.ascontiguousarray(codes[at]), k, params=probed
                )
        return distances, rows

    def _probed(self, *, near: bool) -> Any:
        """Return how many lists are searched, as a parameter of one search: the index is shared."""
        import faiss

        if self.exhaustive:
            return None
        wanted = _PROBED_NEAR if near else PROBED
        probed = faiss.SearchParametersIVF()
        probed.nprobe = min(wanted, int(self._index.nlist))
        probed.max_codes = len(self)  # or FAISS 1.15 stops before the first where it counts distances
        return probed

    def __len__(self) -> int:
        """Return the number of codes."""
        return int(self._index.ntotal)

    @property
    def n_bits(self) -> int:
        """Bits of a code; FAISS reads past the end of shorter ones."""
        return int(self._index.d)

    @property
    def exhaustive(self) -> bool:
        """True if every code is compared, False if only some inverted lists are."""
        return not hasattr(self._index, "nprobe")

    def save(self, path: str) -> None:
        """Write the index to a file, from which `load_lists` maps it.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        import faiss

        _write(path, faiss.write_index_binary, self._index)


def build_faiss(codes: Codes, *, flat_up_to: int = FLAT_UP_TO) -> FaissIndex:
    """Build an index over codes: flat for a small segment, inverted lists for a large one.

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

    n_lists = min(int(LISTS_PER_ROOT * np.sqrt(len(codes))), MOST_LISTS)
    chosen = np.random.default_rng(_SEED).choice(len(codes), n_lists, replace=False)
    centres = _flat(codes[np.sort(chosen)])
    index = faiss.IndexBinaryIVF(centres, codes.shape[1] * 8, n_lists)
    centres.this.disown()  # the index owns them
    index.own_fields = True
    index.is_trained = True
    for first in range(0, len(codes), _ADDED_AT_ONCE):  # codes may be mapped, and more than fit into memory
        index.add(np.ascontiguousarray(codes[first : first + _ADDED_AT_ONCE]))
    return index


def load_lists(path: str, *, n_codes: int, n_bits: int) -> FaissIndex:
    """Map inverted lists from their file; what is not searched is not read.

    Parameters
    ----------
    path : str
    n_codes, n_bits : int
        That they must have.

    Raises
    ------
    CatalogError
        If FAISS cannot read it, or it holds something else.
    OSError
        If the system does not let us map it.
    """
    import faiss

    mapped = _mapped(path, faiss.read_index_binary)
    index = FaissIndex(mapped)
    if index.exhaustive or len(index) != n_codes or index.n_bits != n_bits or not _is_whole(mapped, path):
        raise CatalogError(f"{path} holds other lists than its segment: build it again")
    return index


class ShingleLists:
    """Inverted lists of shingles, by FAISS: each stands in the list whose centre it is most alike to.

    Shingles and centres are whole numbers of -127 to 127.

    Parameters
    ----------
    index : faiss.IndexIVFScalarQuantizer
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    def __len__(self) -> int:
        """Return the number of shingles."""
        return int(self._index.ntotal)

    @cached_property
    def stored(self) -> StoredLists:
        """The lists as they lie in memory, or in the file that is mapped."""
        import faiss

        centres = faiss.downcast_index(self._index.quantizer).reconstruct_n(0, self._index.nlist)
        return _stored(centres.astype(np.float16), self._index)

    def save(self, path: str) -> None:
        """Write the lists to a file, from which `load_shingles` maps them.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        import faiss

        _write(path, faiss.write_index, self._index)


def shingle_centres(sample: Float32, n_lists: int) -> Float32:
    """Return what lists of shingles lie about: means of the sample by k-means, of full length.

    Equal samples give equal centres.

    Parameters
    ----------
    sample : np.ndarray [shape=(n, n_coefficients), dtype=float32]
        Whole numbers, -127 to 127; at least as many as lists.
    n_lists : int

    Returns
    -------
    np.ndarray [shape=(n_lists, n_coefficients), dtype=float32]
        Whole numbers, -127 to 127.
    """
    import faiss

    means = faiss.Kmeans(
        sample.shape[1],
        n_lists,
        niter=_ROUNDS,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    with _one_thread():
        means.train(np.ascontiguousarray(sample))
    found: Any = means.centroids
    centres: Float32 = np.rint(found * np.float32(127))
    return centres


def build_shingle_lists(centres: Float32, shingles: Iterable[Float32]) -> ShingleLists:
    """Put shingles into lists.

    Parameters
    ----------
    centres : np.ndarray [shape=(n_lists, n_coefficients), dtype=float32]
    shingles : iterable of np.ndarray [shape=(n, n_coefficients), dtype=float32]
        In the order of their rows. These and the centres are whole numbers, -127 to 127.
    """
    import faiss

    n_lists, width = centres.shape
    quantizer: Any = faiss.IndexFlatIP(width)
    quantizer.add(np.ascontiguousarray(centres))
    index = faiss.IndexIVFScalarQuantizer(
        quantizer,
        width,
        n_lists,
        faiss.ScalarQuantizer.QT_8bit_direct_signed,
        faiss.METRIC_INNER_PRODUCT,
        False,  # the shingles themselves are stored, not what they differ by from a centre
    )
    quantizer.this.disown()  # the index owns it
    index.own_fields = True
    index.is_trained = True
    with _one_thread():
        for portion in shingles:
            for first in range(0, len(portion), _SHINGLES_AT_ONCE):
                index.add(np.ascontiguousarray(portion[first : first + _SHINGLES_AT_ONCE]))
    return ShingleLists(index)


def load_shingles(path: str, *, n_shingles: int) -> ShingleLists:
    """Map lists of shingles from their file; what is not searched is not read.

    Raises
    ------
    CatalogError
        If FAISS cannot read it, or it holds something else.
    OSError
        If the system does not let us map it.
    """
    import faiss

    index = _mapped(path, faiss.read_index)
    fits = isinstance(index, faiss.IndexIVFScalarQuantizer) and index.ntotal == n_shingles
    if (
        not fits
        or index.sq.qtype != faiss.ScalarQuantizer.QT_8bit_direct_signed
        or not _is_whole(index, path)
    ):
        raise CatalogError(f"{path} holds other lists than its segment: build it again")
    return ShingleLists(index)


def nearest_vectors(queries: Float32, vectors: Float32, k: int) -> tuple[Float32, npt.NDArray[np.int64]]:
    """Find the nearest vectors by Euclidean distance; all are compared, by as many threads as OpenMP has.

    Parameters
    ----------
    queries : np.ndarray [shape=(n, d), dtype=float32]
    vectors : np.ndarray [shape=(n_vectors, d), dtype=float32]
    k : int, 1 <= k <= n_vectors

    Returns
    -------
    squared : np.ndarray [shape=(n, k), dtype=float32]
        Squared distances, ascending: by products, with their rounding.
    rows : np.ndarray [shape=(n, k), dtype=int64]
        Of `vectors`.
    """
    import faiss

    squared, rows = faiss.knn(np.ascontiguousarray(queries), np.ascontiguousarray(vectors), k)
    return squared, rows


def squared_distances(queries: Float32, vectors: Float32) -> Float32:
    """Return the squared Euclidean distances of all pairs, as `nearest_vectors` computes them.

    Parameters
    ----------
    queries : np.ndarray [shape=(n, d), dtype=float32]
    vectors : np.ndarray [shape=(n_vectors, d), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n, n_vectors), dtype=float32]
    """
    import faiss

    squared: Float32 = faiss.pairwise_distances(np.ascontiguousarray(queries), np.ascontiguousarray(vectors))
    return squared


def _is_whole(index: Any, path: str) -> bool:
    """Return whether lists that are mapped from a file hold as many codes as they say, and lie within it.

    FAISS does not look: a list beyond the end of the file would end the process when it is searched. There
    are files too whose lists lie in another one that they name ("ilod"); with our flags it is not mapped.
    Ours name none.
    """
    import faiss

    lists: Any = faiss.downcast_InvertedLists(index.invlists)
    centres = index.quantizer
    if not isinstance(lists, faiss.OnDiskInvertedLists) or lists.nlist < 1:
        return False
    if lists.filename or lists.ptr is None or lists.totsize != Path(path).stat().st_size:
        return False
    sizes = [int(lists.list_size(number)) for number in range(lists.nlist)]
    return bool(
        max(sizes) <= index.ntotal
        and sum(sizes) == index.ntotal
        and lists.nlist == index.nlist == centres.ntotal
        and lists.code_size == index.code_size
        and centres.d == index.d
        and _lie_within(lists, sizes)
    )


def _lie_within(lists: Any, sizes: list[int]) -> bool:
    """Return whether lists lie one after the other in what is mapped."""
    located: Any = lists.lists
    width = lists.code_size + np.dtype(np.int64).itemsize
    free = 0
    for number, size in enumerate(sizes):
        place = located.at(number)
        if place.offset < free or place.capacity < size:
            return False
        free = place.offset + place.capacity * width
    return bool(free <= lists.totsize)


class _Mapped:
    """Bytes that belong to an index, as what an array is made of: while there is one, the file is mapped."""

    def __init__(self, view: Codes, owner: Any) -> None:
        place, _ = view.__array_interface__["data"]
        self.__array_interface__ = {**view.__array_interface__, "data": (place, True)}  # only to be read
        self._owner = owner


def _stored(centres: npt.NDArray[np.float16], owner: Any) -> StoredLists:
    """Return lists as bytes: those of the file that is mapped, or a copy of those in memory."""
    import faiss

    lists: Any = faiss.downcast_InvertedLists(owner.invlists)
    sizes = np.array([lists.list_size(number) for number in range(lists.nlist)], np.int64)
    if isinstance(lists, faiss.OnDiskInvertedLists):
        located: Any = lists.lists
        places = [located.at(number) for number in range(lists.nlist)]
        codes_at = np.array([place.offset for place in places], np.int64)
        held = np.array([place.capacity for place in places], np.int64)
        data = np.asarray(_Mapped(faiss.rev_swig_ptr(lists.ptr, lists.totsize), owner))
        return StoredLists(centres, data, codes_at, codes_at + held * lists.code_size, sizes)
    parts = [np.empty(0, np.uint8)]
    for number, size in enumerate(sizes.tolist()):
        if size:
            codes, rows = lists.get_codes(number), lists.get_ids(number)
            parts.append(faiss.rev_swig_ptr(codes, size * lists.code_size))
            parts.append(faiss.rev_swig_ptr(rows, size).astype("<i8").view(np.uint8))
    width = lists.code_size + np.dtype(np.int64).itemsize
    codes_at = np.cumsum(sizes * width) - sizes * width
    return StoredLists(centres, np.concatenate(parts), codes_at, codes_at + sizes * lists.code_size, sizes)


def _write(path: str, write: Callable[[Any, str], None], index: Any) -> None:
    """Write an index to a file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    try:
        write(index, path)
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written: is the disk full?") from error


def _require_mappable(path: str) -> None:
    """Map a file as FAISS does, which does not tell what the system says.

    Raises
    ------
    OSError
        With its path, if that cannot be done.
    """
    with Path(path).open("rb") as handle:
        try:
            mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ).close()
        except ValueError:  # it is empty
            return
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error


def _mapped(path: str, read: Callable[[str, int], Any]) -> Any:
    """Return an index that is mapped from a file.

    Raises
    ------
    CatalogError
        If FAISS cannot read it.
    OSError
        If the system does not let us map it.
    """
    import faiss

    try:
        if hasattr(faiss, "set_deserialization_vector_byte_limit"):  # newer versions
            # No file holds more than its length; a damaged header may claim any amount.
            faiss.set_deserialization_vector_byte_limit(Path(path).stat().st_size)
        index = read(path, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        _require_mappable(path)
        raise CatalogError(f"{path} is not an index that FAISS can read: build it again") from error
    lists = faiss.downcast_InvertedLists(index.invlists) if hasattr(index, "invlists") else None
    if isinstance(lists, faiss.OnDiskInvertedLists):
        # By default each search starts 32 threads that read ahead: twice as much CPU as the search itself.
        lists.prefetch_nthread = 0
    return index
