"""The port to nearest-neighbour search over sign codes. Positions are those of the reference."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]

PROBED = 256
"""Inverted lists that are searched for a code: as many of its neighbours are found in any catalogue of up to
thousands of hours. See `docs/recordings.md` for what is lost against comparing everything."""


class NeighbourIndex(Protocol):
    """Finds the reference codes that differ least from given ones."""

    def search(
        self, codes: Codes, k: int, *, probed: int = PROBED
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the nearest reference codes.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_bytes), dtype=uint8]
        k : int, >= 1
        probed : int, >= 1
            Inverted lists that are searched, where there are any: with fewer, what differs much is missed.

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
