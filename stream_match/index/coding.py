"""From feature frames to sign codes, and the hyperplanes that make them.

There are two codes. The one of the spectral shape tells recordings apart: FAISS searches it, and
verification compares it. The one of the chroma, which knows the harmony only, is searched by the LSH tables.

A position is the number of a code of a track, counted from the start of the track, one every
``settings.code_s`` seconds.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA, unit_rows
from stream_match.features.embedding import embed
from stream_match.features.rolling import CHROMA, SHAPE
from stream_match.features.shape import stacked_noise
from stream_match.features.smoothing import smooth
from stream_match.index.neighbours import Codes
from stream_match.index.projection import Projection, fit_projection

Float32 = npt.NDArray[np.float32]

HASHED_STRIDE = 2
"""One position in this many is in the LSH tables; queries are denser than references."""

_FIT_ROWS = 24_000
"""Embeddings that the hyperplanes are fitted to at most; more change nothing and cost memory."""

_HALF_AUDIBLE = 0.5

_FIT_SEED = 20_261_120
_SILENCE_SEED = 20_261_121


@dataclass(frozen=True)
class Hyperplanes:
    """The projections of both embeddings, fitted on the catalogue."""

    shape: Projection
    chroma: Projection

    def equal(self, others: "Hyperplanes") -> bool:
        """Return whether others make the same codes."""
        pairs = ((self.shape, others.shape), (self.chroma, others.chroma))
        return self is others or all(
            np.array_equal(one.centre, other.centre) and np.array_equal(one.planes, other.planes)
            for one, other in pairs
        )


@dataclass(frozen=True)
class Embeddings:
    """Both embeddings of a stretch of frames, one row per complete history.

    Parameters
    ----------
    shape : np.ndarray [shape=(n, ..., shape_coefficients * n_steps), dtype=float32]
        What was heard has one for each shift that it is looked for at: ``(n, n_shifts, d)``.
    chroma : np.ndarray [shape=(n, 12 * n_steps), dtype=float32]
    """

    shape: Float32
    chroma: Float32

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.chroma)

    def __getitem__(self, rows: slice) -> "Embeddings":
        """Return some of the rows."""
        return Embeddings(self.shape[rows], self.chroma[rows])

    def followed_by(self, others: "Embeddings") -> "Embeddings":
        """Return these rows and then others."""
        return Embeddings(
            np.concatenate([self.shape, others.shape]), np.concatenate([self.chroma, others.chroma])
        )

    def audible(self) -> npt.NDArray[np.bool_]:
        """Return which rows have heard more sound than silence.

        Stacked chroma frames have unit norm or are all zero, so the squared norm counts the audible ones.
        """
        heard = np.einsum("ij,ij->i", self.chroma, self.chroma)
        audible: npt.NDArray[np.bool_] = heard > self.chroma.shape[1] / N_CHROMA / 2
        return audible


@dataclass(frozen=True)
class TrackCodes:
    """A track's codes.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
    chroma_codes : np.ndarray [shape=(ceil(n / HASHED_STRIDE), chroma_bits // 8), dtype=uint8]
        Of every position that could be in the LSH tables.
    audible : np.ndarray [shape=(n,), dtype=bool]
        False where most of what the code has heard is silence.
    """

    codes: Codes
    chroma_codes: Codes
    audible: npt.NDArray[np.bool_]


def embeddings_of(frames: Float32, settings: FeatureSettings) -> Embeddings:
    """Return both embeddings of a whole track, one per hop.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
        From `RollingFeatures`.

    Returns
    -------
    Embeddings
        Empty for a track shorter than ``settings.span_s``.
    """
    return embedded(smooth(frames, settings.smooth_frames), settings)


def embedded(means: Float32, settings: FeatureSettings) -> Embeddings:
    """Return both embeddings of means of frames.

    Parameters
    ----------
    means : np.ndarray [shape=(n, 12 + shape_coefficients), dtype=float32]
        One per hop.
    """
    return Embeddings(
        embed(means[:, SHAPE], n_steps=settings.n_steps, delay=settings.delay_frames),
        embed(stacked_chroma(means), n_steps=settings.n_steps, delay=settings.delay_frames),
    )


def stacked_chroma(means: Float32) -> Float32:
    """Return the chroma of means as it is stacked: each of unit norm again, or all zero if mostly silent.

    Chroma is not negative, and its frames have unit norm or are all zero: where less than half of them are
    audible, their mean is shorter than a half.

    Parameters
    ----------
    means : np.ndarray [shape=(n, >= 12), dtype=float32]
        Of feature frames.

    Returns
    -------
    np.ndarray [shape=(n, 12), dtype=float32]
    """
    chroma = means[:, CHROMA]
    mostly_silent = np.einsum("ij,ij->i", chroma, chroma) <= _HALF_AUDIBLE**2
    chroma = unit_rows(chroma)
    chroma[mostly_silent] = 0
    return chroma


def sample_stride(n_frames: int, settings: FeatureSettings) -> int:
    """Return the hops between two embeddings of the sample that hyperplanes are fitted to.

    Parameters
    ----------
    n_frames : int
        Of all stretches of tracks together.
    settings : FeatureSettings
    """
    return max(settings.code_stride_frames, -(-n_frames // _FIT_ROWS))


def sampled(frames: Float32, stride: int, settings: FeatureSettings) -> Embeddings:
    """Return what a stretch of a track gives to the sample.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
    stride : int, >= 1
        From `sample_stride`.
    settings : FeatureSettings
    """
    return _audible(embeddings_of(frames, settings)[::stride])


def fit_to_samples(
    samples: Iterable[Embeddings], stride: int, settings: FeatureSettings, further: Iterable[Float32] = ()
) -> Hyperplanes:
    """Fit the hyperplanes to samples of tracks; their order is that of the tracks, for sums depend on it.

    Parameters
    ----------
    samples : iterable of Embeddings
        From `sampled`.
    stride, settings
        As for `sampled`.
    further : iterable of np.ndarray [shape=(n, 12 + shape_coefficients), dtype=float32]
        Means of a background, to which they are fitted too.
    """
    shapes, chromas = [], []
    background = (_audible(embedded(means, settings)[::stride]) for means in further)
    for rows in chain(samples, background):
        shapes.append(rows.shape)
        chromas.append(rows.chroma)
    return Hyperplanes(
        shape=_fitted(
            shapes,
            settings.shape_coefficients * settings.n_steps,
            settings.n_bits,
            settings.shape_components,
            stacked_noise(
                settings.shape_coefficients, settings.n_steps, settings.delay_frames * settings.frame_s
            ),
        ),
        chroma=_fitted(chromas, N_CHROMA * settings.n_steps, settings.chroma_bits),
    )


def _audible(rows: Embeddings) -> Embeddings:
    audible = rows.audible()
    return Embeddings(rows.shape[audible], rows.chroma[audible])


def _fitted(
    samples: list[Float32],
    d: int,
    n_bits: int,
    n_components: int | None = None,
    noise: npt.NDArray[np.float64] | None = None,
) -> Projection:
    """Fit hyperplanes to samples; a catalogue of silence is legal, and matches nothing."""
    rows = np.concatenate([np.empty((0, d), np.float32), *samples])
    rows = rows if len(rows) else np.zeros((1, d), np.float32)
    return fit_projection(rows, n_bits=n_bits, seed=_FIT_SEED, n_components=n_components, noise=noise)


def code_track(frames: Float32, planes: Hyperplanes, settings: FeatureSettings) -> TrackCodes:
    """Return the reference codes of a track.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
    planes : Hyperplanes
    """
    return code_means(smooth(frames, settings.smooth_frames), planes, settings)


def code_means(means: Float32, planes: Hyperplanes, settings: FeatureSettings) -> TrackCodes:
    """Return the reference codes of a track of which the means of frames are known.

    Parameters
    ----------
    means : np.ndarray [shape=(n, 12 + shape_coefficients), dtype=float32]
        One per hop.
    planes : Hyperplanes
    """
    rows = embedded(means, settings)[:: settings.code_stride_frames]
    codes, audible = planes.shape.codes(rows.shape), rows.audible()
    # Silence would be near to silence, and to all that is nearly silent: chance is near to nothing.
    seed = [_SILENCE_SEED, zlib.crc32(codes.tobytes())]
    chance = np.random.default_rng(seed).integers(0, 256, codes.shape, np.uint8)
    codes[~audible] = chance[~audible]
    return TrackCodes(codes, planes.chroma.codes(rows.chroma[::HASHED_STRIDE]), audible)
