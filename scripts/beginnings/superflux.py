"""The detector that onsets are compared with: librosa's offline SuperFlux."""

from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ

HOP_SAMPLES = SAMPLE_RATE_HZ // 200


def superflux_onsets(y: npt.NDArray[np.float32], **picking: Any) -> npt.NDArray[np.float64]:
    """Return when sounds begin [seconds]: 138 mel bands, hop 5 ms, lag 2, loudest of three neighbours.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
    **picking
        For ``librosa.onset.onset_detect``.
    """
    import librosa

    mel = librosa.feature.melspectrogram(
        y=y, sr=SAMPLE_RATE_HZ, n_fft=1024, hop_length=HOP_SAMPLES, fmin=27.5, n_mels=138
    )
    # Not centred: librosa takes the frames of a given spectrum for twice as long as they are, and is late.
    strength = librosa.onset.onset_strength(
        S=librosa.power_to_db(mel, ref=np.max),
        sr=SAMPLE_RATE_HZ,
        hop_length=HOP_SAMPLES,
        lag=2,
        max_size=3,
        center=False,
    )
    times_s: npt.NDArray[np.float64] = librosa.onset.onset_detect(
        onset_envelope=strength, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES, units="time", **picking
    )
    return times_s
