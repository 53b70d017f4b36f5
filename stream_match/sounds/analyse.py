"""Which sounds begin in a file, and which of them are of one kind."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.config import OnsetSettings
from stream_match.errors import ParameterError
from stream_match.events import OnsetClusterFacts
from stream_match.onsets import offline
from stream_match.onsets.description import BEFORE_SAMPLES, Description, sound_samples
from stream_match.onsets.detector import OnsetDetector
from stream_match.onsets.lane import DESCRIBERS, OnsetLane
from stream_match.onsets.tape import Tape
from stream_match.sounds.groups import GROUPINGS, check_number, grouped

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

METHODS = ("online", *GROUPINGS)
DETECTORS = ("streaming", "librosa")

ALL_PER_SECOND = 25.0
"""Who asks about a file wants all of it."""

BLOCK_SAMPLES = 10 * SAMPLE_RATE_HZ

SEED_DELTA, SEED_WAIT_FRAMES = 0.04, 4
"""What the worked example that this follows takes for librosa's peak picker."""


@dataclass(frozen=True)
class Sound:
    """A sound that begins.

    Parameters
    ----------
    onset_s : float [seconds]
        When.
    cluster : int
        Which kind it is of.
    features : dict of str to float
        What it is like, each from -1 to 1: on a running scale with the method ``online``, else from the least
        to the greatest of the file.
    """

    onset_s: float
    cluster: int
    features: dict[str, float]


@dataclass(frozen=True)
class Analysis:
    """What was found in a file.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        The file's samples, mono at `SAMPLE_RATE_HZ`.
    sounds : tuple of Sound
        In order.
    """

    y: Float32
    sounds: tuple[Sound, ...]


def analyse_file(
    path: str | Path,
    *,
    method: str = "online",
    features: Literal["timbre", "seed"] = "timbre",
    clusters: int | None = None,
    detector: Literal["streaming", "librosa"] | None = None,
) -> Analysis:
    """Find the sounds of a file and group them.

    Parameters
    ----------
    path : str or Path
        A file in any format that can be read.
    method : str
        One of `METHODS`; ``online`` is what the listener does, sound by sound.
    features : str
        What is compared.
    clusters : int, optional
        How many there are, for the methods that have to be told.
    detector : str, optional
        How onsets are found; ``librosa`` looks ahead. By default ``streaming``, but ``librosa`` for the
        seed's features with a method that sees the whole file, as in the worked example.

    Raises
    ------
    ParameterError
        If the arguments do not go together.
    SourceError
        If the file cannot be read.
    """
    _check_name("method", method, METHODS)
    _check_name("kind of features", features, DESCRIBERS)
    if detector is not None:
        _check_name("detector", detector, DETECTORS)
    offline_seed = features == "seed" and method != "online"
    detector = detector or ("librosa" if offline_seed else "streaming")
    if method == "online" and detector == "librosa":
        raise ParameterError("the method 'online' hears sounds as they come: it needs the streaming detector")
    check_number(method, clusters)
    y = np.concatenate(list(read_blocks(path)))
    if method == "online":
        return Analysis(y, tuple(_heard(y, features)))
    samples = _onset_samples(y, detector)
    return Analysis(y, tuple(_compared(y, samples, method, features, clusters)))


def _check_name(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ParameterError(f"the {what} is {name!r}, expected one of {', '.join(known)}")


def _heard(y: Float32, features: Literal["timbre", "seed"]) -> Iterable[Sound]:
    settings = OnsetSettings(features=features, max_onsets_per_second=ALL_PER_SECOND)
    lane = OnsetLane(settings, SAMPLE_RATE_HZ, from_silence=True)
    told = [fact for block in _blocks(y) for fact in lane.feed(block)]
    for fact in [*told, *lane.finish(0.0)]:
        if isinstance(fact, OnsetClusterFacts):
            yield Sound(fact.onset_s, int(fact.cluster_id), fact.features)


def _onset_samples(y: Float32, detector: str) -> list[int]:
    if detector == "librosa":
        frames = offline.detect(y, SAMPLE_RATE_HZ, delta=SEED_DELTA, wait=SEED_WAIT_FRAMES)
        return [int(frame) * offline.HOP_SAMPLES for frame in frames]
    streaming = OnsetDetector(SAMPLE_RATE_HZ, from_silence=True)
    return [onset.sample for block in _blocks(y) for onset in streaming.feed(block)]


def _blocks(y: Float32) -> Iterator[Float32]:
    """Cut a recording up: the spectra of a whole hour at once take 5 GB."""
    return (y[start : start + BLOCK_SAMPLES] for start in range(0, len(y), BLOCK_SAMPLES))


def _compared(
    y: Float32, samples: Sequence[int], method: str, features: str, clusters: int | None
) -> list[Sound]:
    """Group sounds that are all known."""
    if not samples:
        return []
    found = described(y, samples, features)
    names = list(found[0].features)
    scaled = _from_least_to_greatest(np.array([list(one.features.values()) for one in found]))
    points = scaled if features == "seed" else np.array([one.point for one in found])
    labels = grouped(points, method, clusters)
    return [
        Sound(sample / SAMPLE_RATE_HZ, label, dict(zip(names, row, strict=True)))
        for sample, label, row in zip(samples, labels, np.round(scaled, 6).tolist(), strict=True)
    ]


def described(y: Float32, samples: Sequence[int], features: str) -> list[Description]:
    """Describe the sounds that begin at given samples of a recording.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
    samples : sequence of int
        Ascending.
    features : str
        A key of `DESCRIBERS`.
    """
    describer = DESCRIBERS[features](SAMPLE_RATE_HZ)
    tape = Tape()
    tape.record(np.concatenate([y, np.zeros(sound_samples(SAMPLE_RATE_HZ), np.float32)]))
    found = []
    for sample in samples:
        start = sample - describer.early_samples
        end = start + sound_samples(SAMPLE_RATE_HZ)
        found.append(
            describer.describe(tape.stretch(start - BEFORE_SAMPLES, start), tape.stretch(start, end))
        )
    return found


def _from_least_to_greatest(values: Float64) -> Float64:
    """Return columns on a scale from -1 to 1, as scikit-learn's MinMaxScaler."""
    least, greatest = values.min(axis=0), values.max(axis=0)
    width = np.where(greatest > least, greatest - least, 1.0)
    scaled: Float64 = 2 * (values - least) / width - 1
    return scaled
