"""Which sounds begin in a file, and which of them are of one kind."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.config import OnsetSettings
from stream_match.errors import ParameterError
from stream_match.events import OnsetClusterFacts
from stream_match.onsets import offline
from stream_match.onsets.description import BEFORE_SAMPLES, Description, sound_samples
from stream_match.onsets.detector import OnsetDetector
from stream_match.onsets.lane import DESCRIBERS, OnsetLane
from stream_match.onsets.tape import Tape
from stream_match.sounds.groups import GROUPINGS, check_number, check_size, grouped
from stream_match.sounds.recording import Recording

Float32 = npt.NDArray[np.float32]
Blocks = Iterable[Float32]
Float64 = npt.NDArray[np.float64]

METHODS = ("online", *GROUPINGS)
DETECTORS = ("streaming", "librosa")

ALL_PER_SECOND = 25.0
"""Who asks about a file wants all of it."""

SEED_DELTA, SEED_WAIT_FRAMES = 0.04, 4
"""What the worked example that this follows takes for librosa's peak picker."""


@dataclass(frozen=True, slots=True)
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
    recording : Recording
        The file, which has been read.
    sounds : tuple of Sound
        In order.
    """

    recording: Recording
    sounds: tuple[Sound, ...]


def analyse_file(
    path: str | Path,
    *,
    method: str = "online",
    features: Literal["timbre", "seed"] = "timbre",
    clusters: int | None = None,
    detector: Literal["streaming", "librosa"] | None = None,
) -> Analysis:
    """Find the sounds of a file and group them; of the file, some ten seconds are held at once.

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
    recording = Recording(path)
    if method == "online":
        return Analysis(recording, tuple(_heard(recording.blocks(), features)))
    samples = _onset_samples(recording.blocks, detector)
    check_size(method, len(samples))
    return Analysis(recording, tuple(_compared(recording.blocks, samples, method, features, clusters)))


def _check_name(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ParameterError(f"the {what} is {name!r}, expected one of {', '.join(known)}")


def _heard(blocks: Blocks, features: Literal["timbre", "seed"]) -> Iterator[Sound]:
    settings = OnsetSettings(features=features, max_onsets_per_second=ALL_PER_SECOND)
    lane = OnsetLane(settings, SAMPLE_RATE_HZ, from_silence=True)
    for block in blocks:
        yield from _sounds(lane.feed(block))
    yield from _sounds(lane.finish(0.0))


def _sounds(facts: Iterable[object]) -> Iterator[Sound]:
    for fact in facts:
        if isinstance(fact, OnsetClusterFacts):
            yield Sound(fact.onset_s, int(fact.cluster_id), fact.features)


def _onset_samples(read: Callable[[], Blocks], detector: str) -> list[int]:
    if detector == "librosa":
        frames = offline.detect(read, SAMPLE_RATE_HZ, delta=SEED_DELTA, wait=SEED_WAIT_FRAMES)
        return [int(frame) * offline.HOP_SAMPLES for frame in frames]
    streaming = OnsetDetector(SAMPLE_RATE_HZ, from_silence=True)
    found = [onset.sample for block in read() for onset in streaming.feed(block)]
    return [*found, *(onset.sample for onset in streaming.finish())]


def _compared(
    read: Callable[[], Blocks], samples: Sequence[int], method: str, features: str, clusters: int | None
) -> list[Sound]:
    """Group sounds that are all known."""
    if not samples:
        return []
    found = list(described(read(), samples, features))
    names = list(found[0].features)
    scaled = _from_least_to_greatest(np.array([list(one.features.values()) for one in found]))
    points = scaled if features == "seed" else np.array([one.point for one in found])
    labels = grouped(points, method, clusters)
    return [
        Sound(sample / SAMPLE_RATE_HZ, label, dict(zip(names, row, strict=True)))
        for sample, label, row in zip(samples, labels, np.round(scaled, 6).tolist(), strict=True)
    ]


def described(blocks: Blocks, samples: Sequence[int], features: str) -> Iterator[Description]:
    """Describe the sounds that begin at given samples of a recording.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        The recording; behind its end there is silence.
    samples : sequence of int
        Ascending.
    features : str
        A key of `DESCRIBERS`.

    Yields
    ------
    Description
        One for each sample.
    """
    describer = DESCRIBERS[features](SAMPLE_RATE_HZ)
    length = sound_samples(SAMPLE_RATE_HZ)
    starts = [sample - describer.early_samples for sample in samples]
    tape = Tape()
    done = 0
    for y in itertools.chain(blocks, _silence(tape, starts, length)):
        tape.record(y)
        while done < len(starts) and starts[done] + length <= tape.end:
            start, end = starts[done], starts[done] + length
            yield describer.describe(tape.stretch(start - BEFORE_SAMPLES, start), tape.stretch(start, end))
            done += 1
        needed = starts[done] if done < len(starts) else tape.end
        tape.forget(min(needed, tape.end) - BEFORE_SAMPLES)


def _silence(tape: Tape, starts: Sequence[int], length: int) -> Iterator[Float32]:
    """Yield what the last sounds lack at the end of a recording."""
    if starts and starts[-1] + length > tape.end:
        yield np.zeros(starts[-1] + length - tape.end, np.float32)


def _from_least_to_greatest(values: Float64) -> Float64:
    """Return columns on a scale from -1 to 1, as scikit-learn's MinMaxScaler."""
    least, greatest = values.min(axis=0), values.max(axis=0)
    width = np.where(greatest > least, greatest - least, 1.0)
    scaled: Float64 = 2 * (values - least) / width - 1
    return scaled
