"""The catalogue as the matcher sees it: codes of all tracks on one line of positions, and their indexes.

A position is the number of a reference code, counted through all tracks; track ``i`` has the positions
``starts[i]`` to ``starts[i + 1] - 1``, one every ``settings.code_s`` seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.features.embedding import embed
from stream_match.match.lsh import LshTables, build_lsh
from stream_match.match.neighbours import Codes, NeighbourIndex
from stream_match.match.projection import Projection, fit_projection

Float32 = npt.NDArray[np.float32]

LSH_TABLES = 8

LSH_KEY_BITS = (8, 16)
"""Fewest and most bits of a bucket's number; between them there are about as many buckets as codes."""

SEARCHED_STRIDE = 2
"""One reference code in this many is searched for by FAISS and LSH; queries are denser than references."""

_FIT_ROWS = 200_000
"""Embeddings that the hyperplanes are fitted to at most; more change nothing and cost memory."""

_FIT_SEED = 20_261_120


@dataclass(frozen=True)
class Reference:
    """A catalogue, ready to be searched.

    Parameters
    ----------
    settings : FeatureSettings
    tracks : tuple of Track
        In the order of their positions.
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First position of each track, and the number of positions.
    codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
        All codes, by position.
    searched : np.ndarray [shape=(m,), dtype=uint32]
        Positions of the codes that are searched for, ascending: row ``i`` of `neighbours` is position
        ``searched[i]``. Silence is not among them.
    neighbours : NeighbourIndex
    lsh : LshTables
        Its entries are positions.
    projection : Projection
    """

    settings: FeatureSettings
    tracks: tuple[Track, ...]
    starts: npt.NDArray[np.int64]
    codes: Codes
    searched: npt.NDArray[np.uint32]
    neighbours: NeighbourIndex
    lsh: LshTables
    projection: Projection

    def track_of(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the number of the track at each position (-1 before the first, n_tracks past the last)."""
        return np.searchsorted(self.starts, positions, side="right") - 1

    @property
    def seconds(self) -> float:
        """Seconds of audio in the catalogue."""
        return len(self.codes) * self.settings.code_s


@dataclass(frozen=True)
class TrackCodes:
    """A track's codes.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
    audible : np.ndarray [shape=(n,), dtype=bool]
        False where most of what the code has heard is silence.
    """

    codes: Codes
    audible: npt.NDArray[np.bool_]


def embeddings_of(chroma: Float32, settings: FeatureSettings) -> Float32:
    """Return the embeddings of a whole track, one per hop.

    Parameters
    ----------
    chroma : np.ndarray [shape=(n_frames, 12), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n, 12 * n_steps), dtype=float32]
        Empty for a track shorter than ``settings.span_s``.
    """
    return embed(chroma, n_steps=settings.n_steps, delay=settings.delay_frames)


def audible_rows(embeddings: Float32) -> npt.NDArray[np.bool_]:
    """Return which embeddings have heard more sound than silence.

    Chroma frames have unit norm or are all zero, so the squared norm counts the audible ones.
    """
    heard = np.einsum("ij,ij->i", embeddings, embeddings)
    n_steps = embeddings.shape[1] // 12
    audible: npt.NDArray[np.bool_] = heard > n_steps / 2
    return audible


def fit_to_tracks(tracks_chroma: Sequence[Float32], settings: FeatureSettings) -> Projection:
    """Fit the hyperplanes to a sample of the audible embeddings of all tracks.

    Parameters
    ----------
    tracks_chroma : sequence of np.ndarray [shape=(n_frames, 12), dtype=float32]
        May be memory-mapped; each is read once.
    """
    total = sum(len(chroma) for chroma in tracks_chroma)
    stride = max(settings.code_stride_frames, -(-total // _FIT_ROWS))
    sample = []
    for chroma in tracks_chroma:
        rows = embeddings_of(chroma, settings)[::stride]
        sample.append(rows[audible_rows(rows)])
    rows = np.concatenate(sample)
    if len(rows) == 0:  # a catalogue of silence is legal, and matches nothing
        rows = np.zeros((1, 12 * settings.n_steps), np.float32)
    return fit_projection(rows, n_bits=settings.n_bits, seed=_FIT_SEED)


def code_track(chroma: Float32, projection: Projection, settings: FeatureSettings) -> TrackCodes:
    """Return the reference codes of a track.

    Parameters
    ----------
    chroma : np.ndarray [shape=(n_frames, 12), dtype=float32]
    projection : Projection
    """
    rows = embeddings_of(chroma, settings)[:: settings.code_stride_frames]
    return TrackCodes(projection.codes(rows), audible_rows(rows))


def lsh_key_bits(n_searched: int) -> int:
    """Return how many bits number the buckets of a catalogue with `n_searched` codes to be searched for."""
    fewest, most = LSH_KEY_BITS
    return min(most, max(fewest, round(math.log2(max(1, n_searched)))))


def assemble(
    tracks: Sequence[Track],
    tracks_codes: Sequence[TrackCodes],
    projection: Projection,
    settings: FeatureSettings,
) -> Reference:
    """Put tracks together into a searchable catalogue.

    Parameters
    ----------
    tracks : sequence of Track
    tracks_codes : sequence of TrackCodes
        In the same order. Whatever order and portions the tracks came in, equal input gives equal bytes.
    """
    from stream_match.match.faiss_index import build_faiss

    starts = np.cumsum([0, *(len(track.codes) for track in tracks_codes)], dtype=np.int64)
    codes = np.concatenate([np.empty((0, settings.n_bits // 8), np.uint8), *(t.codes for t in tracks_codes)])
    wanted = [t.audible & (np.arange(len(t.audible)) % SEARCHED_STRIDE == 0) for t in tracks_codes]
    searched = np.flatnonzero(np.concatenate([np.empty(0, bool), *wanted])).astype(np.uint32)
    key_bits = min(lsh_key_bits(len(searched)), settings.n_bits)
    return Reference(
        settings=settings,
        tracks=tuple(tracks),
        starts=starts,
        codes=codes,
        searched=searched,
        neighbours=build_faiss(codes[searched]),
        lsh=build_lsh(codes[searched], searched, n_tables=LSH_TABLES, key_bits=key_bits),
        projection=projection,
    )
