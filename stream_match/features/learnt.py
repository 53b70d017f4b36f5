"""What was learnt of music, rooms, loudspeakers, noise and talkers: the arrays of ``models/shapes``.

`scripts/learn_shapes.py` makes them, of other music than anybody's catalogue. They are constants of the
program like any other, too many to stand in its text.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError
from stream_match.shipped import shipped

Float32 = npt.NDArray[np.float32]

BASIS_FILE = "basis.npy"
NOISE_FILE = "noise.npy"
MUSIC_FILE = "music.npy"

FOLDER = "shapes"

LAG_S = 4096 / 22_050
"""Seconds from one lag of noise and music to the next."""


@cache
def shape_directions() -> Float32:
    """Return the directions along the bands that rooms and noise change least, those best kept first.

    Returns
    -------
    np.ndarray [shape=(202, 96), dtype=float32]
        Coefficients of music, as it is and as rooms leave it, have a mean variance of 1 and no covariance.

    Raises
    ------
    CatalogError
        If it did not come with the program.
    """
    return _constant(BASIS_FILE)


@cache
def noise_covariances() -> Float32:
    """Return how each kind of damage changes the coefficients of means of frames that lie some time apart.

    Returns
    -------
    np.ndarray [shape=(n_kinds, n_lags, 96, 96), dtype=float32]
        Noise, rooms, talkers, and all of them: covariance of the difference between what is heard and what
        is played at one moment, in rows, with the same `LAG_S` later, twice `LAG_S` later, and so on, in
        columns; first at the same moment.

    Raises
    ------
    CatalogError
        If it did not come with the program.
    """
    return _constant(NOISE_FILE)


@cache
def music_moments() -> Float32:
    """Return how the coefficients of means of frames of music go together with those some time later.

    Returns
    -------
    np.ndarray [shape=(n_lags, 97, 97), dtype=float32]
        Means of the products of 1 and the coefficients at one moment, in rows, with 1 and those at the same
        moment, `LAG_S` later, twice `LAG_S` later, and so on, in columns.

    Raises
    ------
    CatalogError
        If it did not come with the program.
    """
    return _constant(MUSIC_FILE)


def _constant(name: str) -> Float32:
    path = shipped(FOLDER) / name
    try:
        values: Float32 = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        message = f"models/{FOLDER}/{name}, which comes with stream-match, cannot be read: install it again"
        raise CatalogError(message) from error
    values.flags.writeable = False
    return values
