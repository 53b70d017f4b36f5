"""Whether the features computed on this machine are those of the field: librosa is the yardstick.

An index is worth something only as long as listening computes the very features that it was built from.
Another processor, or another build of numpy or scipy, could spoil that without a word.
"""

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.features.embedding import embed
from stream_match.features.rolling import RollingChroma

TOLERANCE = 1e-5
_SECONDS = 5
_SEED = 7


def disagreements_with_librosa(settings: FeatureSettings) -> list[str]:
    """Compare rolling chroma and embedding with librosa's on a made-up signal.

    Parameters
    ----------
    settings : FeatureSettings
        Their framing and embedding; the chroma is librosa's own, from the power spectrum.

    Returns
    -------
    list of str
        A sentence for each disagreement larger than `TOLERANCE`; empty if all is well.
    """
    import librosa

    y = _chords(settings.sample_rate_hz)
    powers = settings.model_copy(update={"chroma": "power"})
    chroma = RollingChroma(powers).feed(y)
    spectrum = librosa.stft(y, n_fft=settings.n_fft_samples, hop_length=settings.hop_samples, center=False)
    expected = librosa.feature.chroma_stft(
        S=np.abs(spectrum) ** 2, sr=settings.sample_rate_hz, norm=2, tuning=0
    )
    stacked = embed(chroma, n_steps=settings.n_steps, delay=settings.delay_frames)
    past = (settings.n_steps - 1) * settings.delay_frames
    memory = librosa.feature.stack_memory(expected, n_steps=settings.n_steps, delay=settings.delay_frames)
    pairs = {"chroma": (chroma, expected.T), "embedding": (stacked, memory.T[past:])}
    return [
        f"the {name} computed on this machine differs from librosa's by {difference:.2g}: "
        "the index may not match here; try other versions of numpy and scipy"
        for name, (ours, theirs) in pairs.items()
        if (difference := float(np.abs(ours - theirs).max())) > TOLERANCE
    ]


def _chords(sample_rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a few seconds of harmonic tones over noise."""
    rng = np.random.default_rng(_SEED)
    t = np.arange(_SECONDS * sample_rate_hz) / sample_rate_hz
    y = 0.01 * rng.standard_normal(len(t))
    for pitch_hz in rng.uniform(110, 880, 6):
        for harmonic in (1, 2, 3, 4):
            y += 0.1 / harmonic * np.sin(2 * np.pi * harmonic * pitch_hz * t)
    return y.astype(np.float32)
