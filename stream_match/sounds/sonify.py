"""Clusters for the ear: the recording, and a beep of its own for each of them."""

from bisect import bisect_left
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
BEEP_SAMPLES = round(BEEP_S * SAMPLE_RATE_HZ)
DECAY_S = 0.02
BEEP_PEAK = 0.3
LOWEST_HZ = 440.0

STEPS = (0, 2, 4, 7, 9)
"""Semitones of the pentatonic scale: no two beeps clash."""

LONGEST_S = 12 * 3600.0
"""What fits into the 4 GB that most formats can count: two channels of 16 bits."""

ENDLESS = (".flac", ".rf64", ".w64", ".caf", ".ogg", ".mp3")
"""Suffixes of formats that have no such end."""

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

    The recording is read once more, and written block by block.

    Parameters
    ----------
    analysis : Analysis
    path : str or Path
        A file of sound, in the format that its suffix names.

    Raises
    ------
    UsageError
        If so much does not fit into a file of that format.
    SinkError
        If it cannot be written.
    """
    import soundfile

    _check_length(analysis.recording.seconds, Path(path))
    right = Beeps(analysis.sounds)
    with (
        written_whole(path) as beside,
        soundfile.SoundFile(beside, "w", SAMPLE_RATE_HZ, 2) as out,
    ):
        for left in analysis.recording.blocks():
            out.write(np.clip(np.stack([left, right.next(len(left))], axis=1), -1, 1))


def _check_length(seconds: float, path: Path) -> None:
    if path.suffix.lower() not in ENDLESS and seconds > LONGEST_S:
        raise UsageError(
            f"{seconds / 3600:.1f} hours do not fit into {str(path)!r}; name one that ends in .flac or .rf64."
        )


class Beeps:
    """A beep at every onset, its pitch and its strokes those of the cluster.

    Parameters
    ----------
    sounds : sequence of Sound
        In order.
    """

    def __init__(self, sounds: Sequence[Sound]) -> None:
        clusters = dict.fromkeys(one.cluster for one in sounds)
        self._order = {cluster: place for place, cluster in enumerate(clusters)}
        self._sounds = sounds
        self._starts = [round(one.onset_s * SAMPLE_RATE_HZ) for one in sounds]
        self._at = 0

    def next(self, n: int) -> Float32:
        """Return the next samples.

        Parameters
        ----------
        n : int, >= 0
            How many.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32]
        """
        y = np.zeros(n, np.float32)
        first = bisect_left(self._starts, self._at - BEEP_SAMPLES)
        for place in range(first, bisect_left(self._starts, self._at + n)):
            beep = _beep(self._order[self._sounds[place].cluster])
            into = self._starts[place] - self._at
            room = y[max(0, into) : into + len(beep)] if into + len(beep) > 0 else y[:0]
            room += beep[max(0, -into) :][: len(room)]
        self._at += n
        return y


def _beep(place: int) -> Float32:
    strokes, pitch = 1 + place // PITCHES, place % PITCHES
    octave, step = divmod(pitch, len(STEPS))
    t = np.arange(BEEP_SAMPLES) / SAMPLE_RATE_HZ
    frequency_hz = LOWEST_HZ * 2 ** (octave + STEPS[step] / 12)
    tone = BEEP_PEAK * np.sin(2 * np.pi * frequency_hz * t) * np.exp(-(t % (BEEP_S / strokes)) / DECAY_S)
    return tone.astype(np.float32)
