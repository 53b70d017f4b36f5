"""Ranks within groups of equal labels."""

import numpy as np
import numpy.typing as npt


def first_of_each(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
    """Return which entries are among the first `count` of their label.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,), dtype=int64]
    count : int, >= 0

    Returns
    -------
    np.ndarray [shape=(n,), dtype=bool]
    """
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(ordered, ordered, side="left")
    among = np.empty(len(labels), np.bool_)
    among[order] = rank < count
    return among
