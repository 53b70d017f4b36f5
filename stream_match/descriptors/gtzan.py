"""The 57 columns of the published GTZAN feature table, by librosa.

How the table was made is not published with it. Its numbers tell this much, in each of its 1,000 rows: frames
of 2,048 samples every 512, centred, over the whole clip; variances divided by the number of frames; means and
variances in float32 but for centroid, bandwidth, rolloff and zero crossings, which are in float64; tempi that
are bins of librosa's tempogram, not rounded. `harmony` and `perceptr` are the samples of the harmonic and the
percussive part. ``docs/collection.md`` has how this was found.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_FFT = 2048
N_MFCC = 20

_BEFORE = (
    "chroma_stft", "rms", "spectral_centroid", "spectral_bandwidth", "rolloff", "zero_crossing_rate",
    "harmony", "perceptr",
)  # fmt: skip
_MFCC = tuple(f"mfcc{number}" for number in range(1, N_MFCC + 1))


def _both(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}_{statistic}" for name in names for statistic in ("mean", "var"))


COLUMNS = (*_both(_BEFORE), "tempo", *_both(_MFCC))
"""Names and order of the table."""


def gtzan_features(y: Float32, sr: int = 22_050) -> Float64:
    """Return the features of a clip.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono samples in [-1, 1], n >= 2048; those of the table have 30 s. HPSS takes some 170 bytes a sample.
    sr : int [Hz]
        22,050 in the table.

    Returns
    -------
    np.ndarray [shape=(57,), dtype=float64]
        In the order of `COLUMNS`.

    Raises
    ------
    ParameterError
        If `y` has another shape, is shorter than a frame, or holds NaN or infinity.
    """
    if y.ndim != 1:
        raise ParameterError(f"y has shape {y.shape}; give mono samples, of shape (n,).")
    if len(y) < N_FFT:
        raise ParameterError(f"y has {len(y)} samples; the GTZAN features need {N_FFT} at least.")
    if not np.all(np.isfinite(y)):
        raise ParameterError("y holds NaN or infinity; give samples in [-1, 1].")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silence, which has no tuning
        return _features(y.astype(np.float32, copy=False), sr)


def _features(y: Float32, sr: int) -> Float64:
    import librosa

    feature: Any = librosa.feature
    harmony, perceptr = librosa.effects.hpss(y)
    parts = [
        feature.chroma_stft(y=y, sr=sr),
        feature.rms(y=y),
        feature.spectral_centroid(y=y, sr=sr),
        feature.spectral_bandwidth(y=y, sr=sr),
        feature.spectral_rolloff(y=y, sr=sr),
        feature.zero_crossing_rate(y),
        harmony,
        perceptr,
    ]
    # Not that of `beat_track`: the table has another tempo than that gives where both are known.
    tempo = feature.tempo(y=y, sr=sr)
    mfcc = feature.mfcc(y=y, sr=sr, n_mfcc=N_MFCC)
    numbers = [*_statistics(parts), float(tempo[0]), *_statistics(mfcc)]
    return np.array(numbers, np.float64)


def _statistics(parts: Any) -> list[float]:
    return [float(statistic(part)) for part in parts for statistic in (np.mean, np.var)]
