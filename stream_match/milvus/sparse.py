"""Arrays of rows that are mostly not there: address space for all, memory for those that were written.

So code that reads a mapped file reads these as it stands.
"""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

_UNRESERVED = getattr(mmap, "MAP_NORESERVE", 0x4000)  # named in Python from 3.13 on


class SparseRows:
    """Rows, all zero until they are written, that can be given back to the system.

    Parameters
    ----------
    n_rows, width : int
    dtype : dtype
        Of the numbers in a row.

    Attributes
    ----------
    array : np.ndarray [shape=(n_rows, width)]
        May be written, and read from several threads.
    """

    def __init__(self, n_rows: int, width: int, dtype: Any) -> None:
        self._row_bytes = width * np.dtype(dtype).itemsize
        self._memory = mmap.mmap(-1, max(1, n_rows * self._row_bytes), **_flags())
        count = n_rows * width
        self.array: npt.NDArray[Any] = np.frombuffer(self._memory, dtype, count).reshape(n_rows, width)

    def pages_of(self, first: Int64, beyond: Int64) -> Int64:
        """Return the pages of memory that stretches of rows lie in, ascending, each once.

        Parameters
        ----------
        first, beyond : np.ndarray [shape=(n,), dtype=int64]
            Of each stretch.
        """
        lowest = first * self._row_bytes // mmap.PAGESIZE
        highest = (beyond * self._row_bytes - 1) // mmap.PAGESIZE
        each = np.arange(int((highest - lowest).max(initial=-1)) + 1)
        pages = lowest[:, np.newaxis] + each
        return np.unique(pages[pages <= highest[:, np.newaxis]])

    def rows_in(self, pages: Int64) -> tuple[Int64, Int64]:
        """Return the first and the last row that each page has a part of [shape=(n,), dtype=int64]."""
        first = pages * mmap.PAGESIZE // self._row_bytes
        last = ((pages + 1) * mmap.PAGESIZE - 1) // self._row_bytes
        return first, np.minimum(last, len(self.array) - 1)

    def forget(self, pages: Int64) -> None:
        """Give pages back; what stood there is lost.

        Parameters
        ----------
        pages : np.ndarray [shape=(n,), dtype=int64]
            Ascending.
        """
        if not len(pages) or not hasattr(mmap, "MADV_DONTNEED"):
            return
        breaks = np.flatnonzero(np.diff(pages) > 1) + 1
        for run in np.split(pages, breaks):
            start = int(run[0]) * mmap.PAGESIZE
            length = min(len(run) * mmap.PAGESIZE, len(self._memory) - start)
            self._memory.madvise(mmap.MADV_DONTNEED, start, length)


def _flags() -> dict[str, int]:
    """Return how memory is asked for: nothing is set aside for it, whatever the system allows in all."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return {}
    return {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _UNRESERVED}
