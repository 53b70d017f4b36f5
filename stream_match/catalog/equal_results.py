"""Whether two computers make the same index of the same files, to the byte.

They do if they run the same release on the same decoders, and if their numpy and BLAS compute the same last
digits. Kernels differ between processors: so what is computed is compared, not what is installed.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from stream_match.capture.resample import Resampler
from stream_match.config import FeatureSettings
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.features.rolling import CHROMA, RollingFeatures
from stream_match.index.coding import embeddings_of
from stream_match.index.projection import Projection
from stream_match.threads import one_thread

_RATE_HZ = 44_100
_SECONDS = 5
_SEED = 20_261_128
_DECODERS = ("av", "soundfile", "soxr")


@dataclass(frozen=True)
class Software:
    """What decides over the bytes of an index.

    Parameters
    ----------
    release : str
        Of stream_match: its version, and a hash of its source.
    decoders : tuple of str
        Packages that decode and resample, with their versions.
    numbers : str
        Version of numpy.
    results : str
        Hash of what is computed of a known sound.
    """

    release: str
    decoders: tuple[str, ...]
    numbers: str
    results: str

    def difference(self, other: "Software") -> str | None:
        """Say how another computer differs and what to do; None if it makes the same bytes.

        Parameters
        ----------
        other : Software
        """
        if other.release != self.release:
            return (
                f"has stream_match {other.release}, and this computer has {self.release}: install the same "
                "release"
            )
        if other.decoders != self.decoders:
            return (
                f"has {', '.join(other.decoders)}, and this computer {', '.join(self.decoders)}: "
                "install the same versions"
            )
        if other.results != self.results:
            return (
                f"computes other results (numpy {other.numbers} there, {self.numbers} here): give both the "
                "same numpy and scipy, and the same OPENBLAS_CORETYPE if their processors differ"
            )
        return None


@cache
def software() -> Software:
    """Return what decides over the bytes of an index on this computer."""
    return Software(
        release=f"{_version('stream-match')} ({_source()[:12]})",
        decoders=tuple(f"{name} {_version(name)}" for name in _DECODERS),
        numbers=np.__version__,
        results=_results(),
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _source() -> str:
    """Return a hash of the source of this package."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _results() -> str:
    """Return a hash of features, distances from hyperplanes and coarse chroma of a sound."""
    settings = FeatureSettings()
    rng = np.random.default_rng(_SEED)
    with one_thread():
        y = Resampler(_RATE_HZ, 2, "a known sound").feed(_sound(rng))
        frames = RollingFeatures(settings).feed(y)
        rows = embeddings_of(frames, settings).shape
        planes = rng.integers(-99, 100, (rows.shape[1], settings.n_bits)).astype(np.float32)
        distances = Projection(rows[0], planes).distances(rows)
        coarse = coarse_chroma([frames[:, CHROMA]], settings)
    digest = hashlib.sha256()
    for part in (y, frames, distances, coarse):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _sound(rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return saw teeth and noise in stereo, of whole numbers: the same on every computer."""
    n = _SECONDS * _RATE_HZ
    periods = np.repeat(rng.integers(60, 400, (4, 20)), n // 20, axis=1)
    teeth = (np.arange(n) * 997 // periods % 1000).sum(axis=0) - 2000
    noise = rng.integers(-99, 100, (n, 2))
    sound: np.ndarray[tuple[int, int], np.dtype[np.float32]] = (teeth[:, np.newaxis] + noise).astype(
        np.float32
    ) / np.float32(4096)
    return sound
