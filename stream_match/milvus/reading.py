"""A catalogue whose codes are on a server: what is read of it is fetched first, in few requests."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA
from stream_match.index.catalogue import Catalogue, Searched
from stream_match.index.harmony import Harmony
from stream_match.index.lines import LineReader, Lines
from stream_match.index.neighbours import Codes
from stream_match.index.port import Bools, Bytes, Float32, Int64, Words
from stream_match.index.tracks import Tracks
from stream_match.match import tuning
from stream_match.milvus.blocks import Holdings, Stretch
from stream_match.milvus.layout import BLOCK, BlockShape
from stream_match.milvus.sparse import SparseRows

_BESIDE_S = 0.75
"""How far about a line more is fetched with it: it is compared with lines moved and turned a little."""


@dataclass(frozen=True)
class CodeShape:
    """Codes and what sounds, from a block.

    Parameters
    ----------
    block : BlockShape
    """

    block: BlockShape

    def arrays(self, n_rows: int) -> tuple[SparseRows, ...]:
        """Return the array of codes as words, and that of what sounds."""
        return (
            SparseRows(n_rows, self.block.code_bytes // 8, np.uint64),
            SparseRows(n_rows, 1, np.uint8),
        )

    def columns(self, blocks: Bytes) -> tuple[Bytes, ...]:
        """Return the codes of each block as bytes, and what sounds."""
        codes = blocks[:, : self.block.audible_at].reshape(len(blocks), BLOCK, -1)
        audible = np.unpackbits(blocks[:, self.block.audible_at : self.block.chroma_at], axis=1)
        return codes, audible[:, :, np.newaxis]


@dataclass(frozen=True)
class StepShape:
    """Steps of coarse chroma, from a block."""

    def arrays(self, n_rows: int) -> tuple[SparseRows, ...]:
        """Return the array of steps."""
        return (SparseRows(n_rows, N_CHROMA, np.uint8),)

    def columns(self, blocks: Bytes) -> tuple[Bytes, ...]:
        """Return the steps of each block."""
        return (blocks.reshape(len(blocks), BLOCK, N_CHROMA),)


class FetchingReader(LineReader):
    """Reads lines in codes that are fetched first, once a decision for nearly all of them.

    Parameters
    ----------
    segments : sequence of np.ndarray [shape=(n_rows, n_words), dtype=uint64]
    tracks : Tracks
    settings : FeatureSettings
    holdings : Holdings
        Of the codes.
    """

    def __init__(
        self, segments: "Iterable[Words]", tracks: Tracks, settings: FeatureSettings, holdings: Holdings
    ) -> None:
        super().__init__([*segments], tracks, settings)
        self._holdings = holdings
        self._longest = self.spans.positions(tuning.LONGEST_WINDOW_S)
        self._beside = self.spans.positions(_BESIDE_S)

    def prefetch(self, lines: Lines) -> None:
        """Fetch what lines of the longest window need, and lines about them."""
        self._have(lines, self._longest, beside=self._beside)

    def hold(self, tracks: Iterable[int]) -> None:
        """Fetch the codes of tracks."""
        self._holdings.whole(tracks)

    def similarity(self, query: Words, audible: Bools, lines: Lines) -> Float32:
        """Return how well query and reference agree; see `LineReader.similarity`."""
        self._have(lines, query.shape[1] // self._stride)
        return super().similarity(query, audible, lines)

    def means(self, query: Words, audible: Bools, lines: Lines, windows: Int64) -> Float32:
        """Return the means of `similarity`; see `LineReader.means`."""
        self._have(lines, query.shape[1] // self._stride)
        return super().means(query, audible, lines, windows)

    def stretch(self, lines: Lines, n_frames: int) -> tuple[Words, Bools]:
        """Return the reference codes along lines; see `LineReader.stretch`."""
        self._have(lines, -(-n_frames // self._stride))
        return super().stretch(lines, n_frames)

    def _have(self, lines: Lines, n_positions: int, *, beside: int = 1) -> None:
        back = n_positions * np.maximum(np.abs(lines.speed), 1) * np.sign(lines.speed)
        ends = np.stack([lines.head, lines.head - back])
        lowest = np.floor(ends.min(axis=0)).astype(np.int64) - beside
        highest = np.ceil(ends.max(axis=0)).astype(np.int64) + beside
        self._holdings.have(Stretch(lines.track, lowest, highest))


class FetchingHarmony(Harmony):
    """Reads coarse chroma that is fetched first, and asks the server for shingles.

    Attributes
    ----------
    holdings : Holdings
        Of the steps; set once, before anything is asked.
    """

    holdings: Holdings

    def hold(self, tracks: Iterable[int]) -> None:
        """Fetch the steps of tracks."""
        self.holdings.whole(tracks)

    def steps(self, track: Int64, steps: Int64) -> Bytes:
        """Return steps of tracks; see `Harmony.steps`."""
        if steps.size:
            self.holdings.have(Stretch(track, steps.min(axis=1), steps.max(axis=1)))
        return super().steps(track, steps)

    def track_chroma(self, track: int) -> Bytes:
        """Return all steps of a track; see `Harmony.track_chroma`."""
        self.hold([track])
        return super().track_chroma(track)
