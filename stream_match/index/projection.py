"""From embeddings to sign codes: centred, whitened, rotated hyperplanes fitted on the catalogue.

Chroma is non-negative: random hyperplanes through the origin see one small cone of it, and nearly
everything falls into a few buckets. Centring and whitening first makes the signs balanced and
independent, so that each carries its bit; weak components, which hold noise, are left out; the rotation
spreads what the strong components know over all bits (as in iterative quantisation, Gong & Lazebnik
2011, without the iterations). Where it is known what noise does, components are strong in which the
catalogue varies much against it (linear discriminants; Fisher 1936), and whitened with it; else those in
which it varies much (principal components).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]


_ROWS_AT_ONCE = 16
"""Rows are always multiplied in blocks of this many: BLAS may add in another order for another number, or at
another place in a block. With 16, behind the planes, no place of a block differs with OpenBLAS's kernels for
Nehalem, Sandybridge, Haswell and SkylakeX; with 40 before them, 22 of 40 do with the one for Haswell."""


@dataclass(frozen=True)
class Projection:
    """Hyperplanes through the centre of the catalogue.

    Parameters
    ----------
    centre : np.ndarray [shape=(d,), dtype=float32]
        Mean embedding of the catalogue.
    planes : np.ndarray [shape=(d, n_bits), dtype=float32]
        A column per hyperplane; ``n_bits`` is a multiple of 8.
    """

    centre: Float32
    planes: Float32

    @property
    def n_bits(self) -> int:
        """Number of hyperplanes, and of bits in a code."""
        return int(self.planes.shape[1])

    def distances(self, embeddings: Float32) -> Float32:
        """Return the signed distances from the hyperplanes.

        In standard deviations of the catalogue, or of it with half of the noise that it was fitted against.

        Parameters
        ----------
        embeddings : np.ndarray [shape=(n, d), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(n, n_bits), dtype=float32]
            A row does not depend on those beside it.
        """
        n, d = embeddings.shape
        blocks = np.zeros((-(-n // _ROWS_AT_ONCE), _ROWS_AT_ONCE, d), np.float32)
        np.subtract(embeddings, self.centre, out=blocks.reshape(-1, d)[:n])
        signed = np.matmul(self._planes_by_row, blocks.transpose(0, 2, 1)).transpose(0, 2, 1)
        return np.ascontiguousarray(signed).reshape(-1, self.n_bits)[:n]

    @cached_property
    def _planes_by_row(self) -> Float32:
        return np.ascontiguousarray(self.planes.T)

    def codes(self, embeddings: Float32) -> Codes:
        """Return the sides of the hyperplanes as packed bits.

        Returns
        -------
        np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
            Bit order of ``numpy.packbits``.
        """
        return np.packbits(self.distances(embeddings) > 0, axis=1)


def fit_projection(
    embeddings: Float32,
    *,
    n_bits: int,
    seed: int,
    n_components: int | None = None,
    noise: Float64 | None = None,
) -> Projection:
    """Fit a projection to a sample of a catalogue's embeddings.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), dtype=float32]
        A sample, the larger the better; degenerate ones (a single row, all equal) are allowed and
        give a usable, if poor, projection.
    n_bits : int
        A multiple of 8. Beyond `d` bits the further hyperplanes are rotations of the same components.
    seed : int
        Of the rotations.
    n_components : int, optional
        Strongest components that are kept; all by default.
    noise : np.ndarray [shape=(n_kinds, d, d), dtype=float64], optional
        Covariances of what changes an embedding between playing and hearing it. Each kind gets an equal share
        of the bits: those fitted against one noise go on telling where another drowns the rest.

    Raises
    ------
    ParameterError
        If `n_bits` is not a positive multiple of 8, or `embeddings` is empty or not finite.
    """
    if n_bits < 8 or n_bits % 8:
        raise ParameterError(f"n_bits is {n_bits}, expected a positive multiple of 8")
    if embeddings.ndim != 2 or len(embeddings) == 0 or not np.isfinite(embeddings).all():
        raise ParameterError("embeddings must be a non-empty, finite array of shape (n, d)")
    rows = embeddings.astype(np.float64)
    centre = rows.mean(axis=0)
    rows -= centre
    n, d = rows.shape
    covariance = _shrunk(rows.T @ rows / n, n)
    kinds = [_principal(covariance)] if noise is None else [_discriminant(covariance, kind) for kind in noise]
    rotations = np.array_split(_rotations(d, n_bits, seed), len(kinds), axis=1)
    weak = d - min(n_components or d, d)
    # Turned back after scaling: else the signs of eigenvectors, which are any library's choice, would count.
    planes = [
        scaled[:, weak:] @ components[:, weak:].T @ rotation
        for (scaled, components), rotation in zip(kinds, rotations, strict=True)
    ]
    return Projection(centre.astype(np.float32), np.concatenate(planes, axis=1).astype(np.float32))


def _shrunk(covariance: Float64, n: int) -> Float64:
    """Return a covariance shrunk towards its mean variance, the more the fewer rows a dimension has.

    What a small sample says of its weak components is noise, and whitening must not raise it.
    """
    d = len(covariance)
    known = n / (n + d)
    mean = max(float(np.trace(covariance)) / d, float(np.finfo(np.float32).tiny))
    shrunk: Float64 = known * covariance + (1 - known) * mean * np.eye(d)
    return shrunk


def _principal(covariance: Float64) -> tuple[Float64, Float64]:
    """Return the principal components, weakest first: scaled to unit variance, and orthonormal."""
    variances, components = np.linalg.eigh(covariance)
    return components / np.sqrt(np.maximum(variances, float(np.finfo(np.float32).tiny))), components


def _discriminant(covariance: Float64, noise: Float64) -> tuple[Float64, Float64]:
    """Return the directions of most variance against noise, the least first.

    Half of the noise is in each of two things heard. They are scaled to unit variance together with it, and
    given once more as orthonormal directions where all is white.
    """
    whiten = np.linalg.inv(np.linalg.cholesky(covariance + noise / 2))
    _, directions = np.linalg.eigh(whiten @ covariance @ whiten.T)
    return whiten.T @ directions, directions


@lru_cache(maxsize=4)
def _rotations(d: int, n_bits: int, seed: int) -> Float64:
    """Return `n_bits` directions in `d` dimensions, orthogonal within each group of `d`; read-only."""
    rng = np.random.default_rng(seed)
    groups = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(-(-n_bits // d))]
    rotations = np.concatenate(groups, axis=1)[:, :n_bits]
    rotations.flags.writeable = False
    return rotations
