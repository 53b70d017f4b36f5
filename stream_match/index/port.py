"""The port of a catalogue: what the lanes ask of it, whatever searches it and wherever it is.

`stream_match.index.catalogue.Catalogue` is the one that listens: its codes are mapped from files, and FAISS
searches them. Tracks have numbers, dense in each snapshot; over snapshots, their ids tell them apart.
Positions are counted from the start of a track.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.descriptors.similar_tracks import SimilarTracks
from stream_match.errors import StreamMatchError
from stream_match.index.coding import Hyperplanes
from stream_match.index.harmony import Harmony
from stream_match.index.lines import Lines
from stream_match.index.neighbours import Codes
from stream_match.index.spans import Spans
from stream_match.index.tracks import Tracks

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


class NotAtHandError(StreamMatchError):
    """What a decision needs of a catalogue cannot be had now: it is elsewhere, and that is away.

    A lane that is told so decides nothing: it claims nothing new, and ends nothing that sounds.
    """


@dataclass(frozen=True)
class Hits:
    """Places that a voter proposes; the arrays have one entry per hit.

    Parameters
    ----------
    row : np.ndarray [shape=(n,), dtype=int64]
        Which of the codes asked about it answers.
    track, position : np.ndarray [shape=(n,), dtype=int64]
    agreement : np.ndarray [shape=(n,), dtype=float32]
        In [0, 1]: 1 where all bits agree, 0 where chance decides.
    """

    row: Int64
    track: Int64
    position: Int64
    agreement: Float32

    def __len__(self) -> int:
        """Return the number of hits."""
        return len(self.row)

    @classmethod
    def joined(cls, several: Sequence["Hits"]) -> "Hits":
        """Return several voters' hits, one after the other."""
        whole = np.empty(0, np.int64)
        return cls(
            np.concatenate([whole, *(hits.row for hits in several)]),
            np.concatenate([whole, *(hits.track for hits in several)]),
            np.concatenate([whole, *(hits.position for hits in several)]),
            np.concatenate([np.empty(0, np.float32), *(hits.agreement for hits in several)]),
        )


class ReaderPort(Protocol):
    """Reads codes along lines; see `stream_match.index.lines.LineReader` for each."""

    spans: Spans
    likeness_positions: int

    def prefetch(self, lines: Lines) -> None:
        """Be told of the lines that are read next, so as to fetch what they need at once.

        Raises
        ------
        NotAtHandError
            If that cannot be had now. So may all that reads, for other lines.
        """

    def hold(self, tracks: Iterable[int]) -> None:
        """Be told of tracks that may be read anywhere from now on, so as to have them whole.

        Raises
        ------
        NotAtHandError
            If they cannot be had now.
        """

    def similarity(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return how well query and reference agree at each position back along each line."""

    def means(self, query: Words, audible: Bools, lines: Lines, windows: Int64) -> Float32:
        """Return the means of `similarity` over the newest positions, for several lengths."""

    def mean(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return the means of `similarity` over all positions."""

    def peak(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return how well query and reference would agree if no frame lay between theirs."""

    def place_in_track(self, query: Words, audible: Bools, line: Lines) -> tuple[float, float]:
        """Look for what was heard in the whole track of a line."""

    def ridges(self, query: Words, audible: Bools, line: Lines) -> Float64:
        """Return the best places in the track of a line."""

    def likeness(self, line: Lines, others: Lines, *, least: int | None = None) -> Float32:
        """Return how well the reference agrees with itself, about the heads of two lines."""

    def stretch(self, lines: Lines, n_frames: int) -> tuple[Words, Bools]:
        """Return the reference codes along lines."""


class CataloguePort(Protocol):
    """A snapshot of a catalogue."""

    @property
    def settings(self) -> FeatureSettings:
        """Of the features that it was made of."""

    @property
    def planes(self) -> Hyperplanes:
        """That its codes were made with."""

    @property
    def tracks(self) -> Tracks:
        """Its tracks, by number and by id."""

    @property
    def score_bias(self) -> float:
        """By how much scores are too high because its tracks resemble each other."""

    @property
    def lines(self) -> ReaderPort:
        """What reads its codes along lines."""

    @property
    def harmony(self) -> Harmony | None:
        """Its tracks for the version lane; None if that lane is off."""

    @property
    def similar(self) -> SimilarTracks | None:
        """Its tracks by what they sound like; None if it was not described."""

    def propose(self, codes: Codes, chroma_codes: Codes) -> tuple[Hits, Hits]:
        """Ask both voters, the one of the spectral shape and that of the chroma.

        Raises
        ------
        NotAtHandError
            If they do not answer now.
        """

    def codes(self, track: int) -> Codes:
        """Return the codes of a track [shape=(n, n_bits // 8), dtype=uint8]."""

    def audible(self, track: int) -> Bools:
        """Return which positions of a track are of sound and not of silence."""
