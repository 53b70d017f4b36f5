"""A catalogue whose codes are on a server: what is read of it is fetched first, in few requests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA
from stream_match.index.catalogue import Catalogue, Searched
from stream_match.index.harmony import Harmony, HarmonyLines, HarmonySegment
from stream_match.index.lines import LineReader, Lines
from stream_match.index.neighbours import Codes
from stream_match.index.port import Bools, Float32, Int64, Words
from stream_match.index.tracks import GONE, Tracks
from stream_match.match import tuning
from stream_match.match.version.dtw import STEP_S
from stream_match.milvus.blocks import Fetch, Holdings, Stretch, TrackBlocks
from stream_match.milvus.layout import BLOCK, BlockShape, Bytes
from stream_match.milvus.neighbours import MilvusNeighbours, Positions
from stream_match.milvus.sparse import SparseRows

_BESIDE_S = 0.75
"""How far about a line more is fetched with it: it is compared with lines moved and turned a little."""

_NEARLY_ALL = 1 - 1e-9
"""Share of the codes on the server that are of known tracks: not all for certain."""


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
    """Reads coarse chroma that is fetched first, once a decision for all proposed lines.

    Parameters
    ----------
    settings, segments, numbers, n_named, groups
        As in `Harmony`.
    steps : sequence of TrackBlocks or None
        Of each segment; None for one that is here.
    fetch : Fetch
        Of steps.
    """

    def __init__(
        self,
        settings: FeatureSettings,
        segments: Sequence[HarmonySegment],
        numbers: Sequence[Int64],
        n_named: int,
        groups: Int64 | None,
        *,
        steps: Sequence[TrackBlocks | None],
        fetch: Fetch,
    ) -> None:
        super().__init__(settings, segments, numbers, n_named, groups)
        self._holdings = Holdings(steps, self._segment, self._first, self._length, fetch)

    def hold(self, tracks: Iterable[int]) -> None:
        """Fetch the steps of tracks."""
        self._holdings.whole(tracks)

    def propose(self, query: Float32) -> HarmonyLines:
        """Return the best lines, and fetch what they run through; see `Harmony.propose`."""
        lines = super().propose(query)
        ends = np.stack([lines.head, lines.head - lines.tempo * len(query)])
        beside = np.ceil(tuning.BAND_S / STEP_S)
        lowest, highest = ends.min(axis=0) - beside, ends.max(axis=0) + beside
        self._holdings.have(Stretch(lines.track, lowest.astype(np.int64), highest.astype(np.int64)))
        return lines

    def steps(self, track: Int64, steps: Int64) -> Bytes:
        """Return steps of tracks; see `Harmony.steps`."""
        if steps.size:
            self._holdings.have(Stretch(track, steps.min(axis=1), steps.max(axis=1)))
        return super().steps(track, steps)

    def track_chroma(self, track: int) -> Bytes:
        """Return all steps of a track; see `Harmony.track_chroma`."""
        self.hold([track])
        return super().track_chroma(track)


@dataclass(frozen=True)
class Elsewhere:
    """What of a catalogue is on the server.

    Parameters
    ----------
    neighbours : MilvusNeighbours
        Of the codes of all segments.
    positions : Positions
        Of the codes.
    codes : tuple of TrackBlocks
        Of each segment; those that are here follow in the catalogue.
    fetch_codes, fetch_steps : Fetch
    harmony : HarmonySegment, optional
        All segments in one, for the version lane.
    steps : TrackBlocks, optional
        Of that segment.
    """

    neighbours: MilvusNeighbours
    positions: Positions
    codes: tuple[TrackBlocks, ...]
    fetch_codes: Fetch
    fetch_steps: Fetch
    harmony: HarmonySegment | None = None
    steps: TrackBlocks | None = None


@dataclass(frozen=True)
class RemoteCatalogue(Catalogue):
    """A catalogue whose first segments are on a server; answers as if they were here.

    What is asked of it raises a NotAtHandError, or a CatalogError, if the server does not answer.

    Parameters
    ----------
    elsewhere : Elsewhere
    """

    elsewhere: Elsewhere = field(kw_only=True)

    @cached_property
    def lines(self) -> FetchingReader:
        """What reads codes along lines."""
        tracks = self.tracks
        holdings = Holdings(
            self._in_all(self.elsewhere.codes),
            tracks.segment,
            tracks.first,
            tracks.length,
            self.elsewhere.fetch_codes,
        )
        return FetchingReader([one.words for one in self.segments], tracks, self.settings, holdings)

    @cached_property
    def harmony(self) -> Harmony | None:
        """The same tracks for the version lane; None if that lane is off."""
        n = len(self.elsewhere.codes)
        here = [segment.harmony for segment in self.segments[n:]]
        known = [part for part in (self.elsewhere.harmony, *here) if part is not None]
        if len(known) <= len(here):
            return None
        numbers = (np.concatenate(self.numbers[:n]), *self.numbers[n:])
        steps = (self.elsewhere.steps, *(None for _ in here))
        named, groups = len(self.tracks.named), self.tracks.groups
        return FetchingHarmony(
            self.settings, known, numbers, named, groups, steps=steps, fetch=self.elsewhere.fetch_steps
        )

    @cached_property
    def searched(self) -> tuple[Searched, ...]:
        """The indexes of neighbours: one for all on the server, and those of segments that are here."""
        n, there = len(self.elsewhere.codes), self.elsewhere
        numbers = np.concatenate([*self.numbers[:n], [GONE]])
        # It may have codes of other tracks, which another generation knows.
        left = _NEARLY_ALL if there.positions.elsewhere else 0.0
        remote = Searched(there.neighbours, there.positions.starts, numbers, left)
        return (remote, *super().searched[n:])

    def codes(self, track: int) -> Codes:
        """Return the codes of a track; see `Catalogue.codes`."""
        self.lines.hold([track])
        return super().codes(track)

    def audible(self, track: int) -> Bools:
        """Return which positions of a track are of sound; see `Catalogue.audible`."""
        self.lines.hold([track])
        return super().audible(track)

    def _in_all(self, there: "tuple[TrackBlocks, ...]") -> list[TrackBlocks | None]:
        return [*there, *(None for _ in self.segments[len(there) :])]
