"""Clusters for the ear: the recording, and a beep of its own for each of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.errors import UsageError
from stream_match.outputs import check_place, written_whole
from stream_match.sounds.analyse import Analysis, Sound

Float32 = npt.NDArray[np.float32]

BEEP_S = 0.08
DECAY_S = 0.02
BEEP_PEAK = 0.3
LOWEST_HZ = 440.0

STEPS = (0, 2, 4, 7, 9)
"""Semitones of the pentatonic scale: no two beeps clash."""

PITCHES = 20
"""Four octaves. More clusters begin again from below, with beeps of two strokes, of three, and so on."""


def check_sound(option: str, path: Path, *, source: str | Path) -> None:
    """Refuse, before any work is done, a name that no sound can be written to.

    Parameters
    ----------
    option : str
        That named it, such as ``--sonify``.
    path : Path
    source : str or Path
        What is read: it is not to be written over.

    Raises
    ------
    UsageError
        If it is a folder, in none, the source, or its suffix is that of no sound.
    """
    import soundfile

    check_place(option, path, example="out.wav", source=source)
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise UsageError(
            f"{option} {str(path)!r} has no suffix of a sound; name a file such as out.wav or out.flac."
        )


def sonify(analysis: Analysis, path: str | Path) -> None:
    """Write the recording on the left and the beeps on the right; all of it or nothing.

    Parameters
    ----------
    analysis : Analysis
    path : str or Path
        A file of sound, in the format that its suffix names.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    import soundfile

    stereo = np.stack([analysis.y, beeps(analysis.sounds, len(analysis.y))], axis=1)
    with written_whole(path) as beside:
        soundfile.write(beside, np.clip(stereo, -1, 1), SAMPLE_RATE_HZ)


def beeps(sounds: Sequence[Sound], n: int) -> Float32:
    """Return a beep at every onset, its pitch and its strokes those of the cluster.

    Parameters
    ----------
    sounds : sequence of Sound
    n : int
        Length in samples.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
    """
    order = {cluster: place for place, cluster in enumerate(dict.fromkeys(one.cluster for one in sounds))}
    y = np.zeros(n, np.float32)
    for sound in sounds:
        room = y[round(sound.onset_s * SAMPLE_RATE_HZ) :][: round(BEEP_S * SAMPLE_RATE_HZ)]
        room += _beep(order[sound.cluster])[: len(room)]
    return y


def _beep(place: int) -> Float32:
    strokes, pitch = 1 + place // PITCHES, place % PITCHES
    octave, step = divmod(pitch, len(STEPS))
    t = np.arange(round(BEEP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    frequency_hz = LOWEST_HZ * 2 ** (octave + STEPS[step] / 12)
    tone = BEEP_PEAK * np.sin(2 * np.pi * frequency_hz * t) * np.exp(-(t % (BEEP_S / strokes)) / DECAY_S)
    return tone.astype(np.float32)
