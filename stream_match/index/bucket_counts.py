"""Music search by counting: how often frames of a track share a bucket of an LSH table with frames heard.

Random hyperplanes through the origin hash each chroma frame into one bucket of every table (Indyk & Motwani
1998; Charikar 2002). Each pair of a frame heard and a frame of a track in one bucket is a result. The results
of a track are the inner product of two histograms: how many frames heard are in each bucket, and how many of
the track. These histograms are all that is kept of a track, 4 kB with four tables of eight bits.

Nothing is asked about time. `index.lsh` holds the tables of the voter, which keep the places.
"""

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import N_CHROMA
from stream_match.index.lsh import subkeys
from stream_match.index.projection import Projection

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint32]


def random_planes(seed: int, n_planes: int) -> Projection:
    """Return hyperplanes through the origin whose normals are drawn at random.

    Parameters
    ----------
    seed : int, >= 0
    n_planes : int
        A multiple of 8.
    """
    normals = np.random.default_rng(seed).standard_normal((N_CHROMA, n_planes)).astype(np.float32)
    return Projection(np.zeros(N_CHROMA, np.float32), normals)


def count_buckets(chroma: Float32, planes: Projection, n_tables: int) -> Int64:
    """Return how many frames are in each bucket of each table.

    Silent frames are in none. All of them would be in bucket 0, and a track with a long pause would be found
    by every pause.

    Parameters
    ----------
    chroma : np.ndarray [shape=(n, 12), dtype=float32]
        Rows that are all zero are silent.
    planes : Projection
        Table ``t`` takes the planes from ``t * n_planes // n_tables`` on, the first one as the lowest bit.
    n_tables : int, >= 1
        A divisor of the number of planes.

    Returns
    -------
    np.ndarray [shape=(n_tables, 2 ** (n_planes // n_tables)), dtype=int64]
        The sum over each table is the number of frames with sound.
    """
    key_bits = planes.n_bits // n_tables
    codes = planes.codes(chroma[chroma.any(axis=1)])
    tables = subkeys(codes, n_tables, key_bits)
    return np.stack([np.bincount(keys, minlength=2**key_bits) for keys in tables])


def results_by_track(heard: Int64, held: Counts) -> Int64:
    """Return how many pairs of a frame heard and a frame of a track share a bucket, over all tables.

    Parameters
    ----------
    heard : np.ndarray [shape=(n_tables, n_buckets), dtype=int64]
        From `count_buckets`.
    held : np.ndarray [shape=(n_tables, n_buckets, n_tracks), dtype=uint32]
        The same of each track. Only the buckets in which something was heard are read.

    Returns
    -------
    np.ndarray [shape=(n_tracks,), dtype=int64]
    """
    results = np.zeros(held.shape[2], np.int64)
    for table, bucket in np.argwhere(heard):
        results += heard[table, bucket] * held[table, bucket].astype(np.int64)
    return results
