"""From embeddings to sign codes: centred, whitened, rotated hyperplanes fitted on the catalogue.

Chroma is non-negative: random hyperplanes through the origin see one small cone of it, and nearly
everything falls into a few buckets. Centring and whitening first (PCA) makes the signs balanced and
independent, so that each carries its bit; weak components, which hold noise, are left out; the rotation
spreads what the strong components know over all bits (as in iterative quantisation, Gong & Lazebnik
2011, without the iterations).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
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
        """Return the signed distances from the hyperplanes, in standard deviations of the catalogue.

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
    embeddings: Float32, *, n_bits: int, seed: int, n_components: int | None = None
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
        Strongest principal components that are kept; all by default.

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
    variances, components = np.linalg.eigh(rows.T @ rows / n)  # weakest first
    # Shrunk towards their mean, the more the fewer rows there are for a dimension: what a small sample
    # says of its weak components is noise, and whitening must not raise it.
    known = n / (n + d)
    shrunk = known * np.maximum(variances, 0) + (1 - known) * variances.mean()
    scaled = components / np.sqrt(np.maximum(shrunk, float(np.finfo(np.float32).tiny)))
    scaled[:, : d - min(n_components or d, d)] = 0
    # Turned back after scaling: else the signs of eigenvectors, which are any library's choice, would count.
    planes = scaled @ components.T @ _rotations(d, n_bits, seed)
    return Projection(centre.astype(np.float32), planes.astype(np.float32))


def _rotations(d: int, n_bits: int, seed: int) -> npt.NDArray[np.float64]:
    """Return `n_bits` directions in `d` dimensions, orthogonal within each group of `d`."""
    rng = np.random.default_rng(seed)
    groups = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(-(-n_bits // d))]
    return np.concatenate(groups, axis=1)[:, :n_bits]
