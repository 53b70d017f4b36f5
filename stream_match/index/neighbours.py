"""The port to nearest-neighbour search over sign codes. Positions are those of the reference."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]


class NeighbourIndex(Protocol):
    """Finds the reference codes that differ least from given ones."""

    def search(
        self, codes: Codes, k: int, *, near: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the nearest reference codes.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
        k : int, >= 1
        near : bool
            Whether only codes that differ little are wanted, which costs less where there are many.

        Returns
        -------
        distances : np.ndarray [shape=(n, k), dtype=int32]
            Differing bits, ascending.
        rows : np.ndarray [shape=(n, k), dtype=int64]
            Row of the code in the order in which the index was built; -1 where there are fewer than `k`.
            Which of several codes at the last distance are among them is not said.
        """

    def __len__(self) -> int:
        """Return the number of reference codes."""
