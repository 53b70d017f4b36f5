"""The version lane's side of a catalogue: the coarse chroma of every track, and the search of its shingles.

A step is the number of a row of coarse chroma, counted from the start of a track.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.errors import ParameterError
from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import Bytes
from stream_match.index.faiss_index import build_shingle_lists, shingle_centres
from stream_match.index.shingle_search import ListedShingles, Proposed, Shingles, ShingleSearch
from stream_match.index.shingles import LONGEST_QUERY, STEPS, TEMPI, Places, as_whole, of_query, sampled
from stream_match.index.tracks import GONE

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

AT_MOST = 24
"""Lines of each direction. The right one was among the first 20 for 99 % of human performances, 10 s heard
of them, in a catalogue of 190 tracks."""

_PER_TRACK = 2

LISTS_FROM = 50_000
"""Shingles, 20 h, from which a segment has them in inverted lists: to compare them all then takes 20 ms."""


@dataclass(frozen=True)
class HarmonyLines:
    """Straight lines through the plane of query time and reference.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
    head : np.ndarray [shape=(n,), dtype=float64]
        Step of the track that the newest query step meets.
    tempo : np.ndarray [shape=(n,), dtype=float64]
        Steps of reference per step of query; negative for decoys, which run backwards.
    key : np.ndarray [shape=(n,), dtype=int64]
        Semitones that the query is higher, 0 to 11.
    """

    track: Int64
    head: Float64
    tempo: Float64
    key: Int64

    @classmethod
    def none(cls) -> "HarmonyLines":
        """Return no lines."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64))

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.track)

    def followed_by(self, others: "HarmonyLines") -> "HarmonyLines":
        """Return these lines and then others."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in ("track", "head", "tempo", "key"))
        return HarmonyLines(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class HarmonySegment:
    """Some tracks as the version lane knows them.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First row of each track, and the number of rows.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        From `coarse_chroma`; may be mapped from a file.
    shingles : ShingleSearch
        `Shingles` of stored coefficients, or from `LISTS_FROM` on `ListedShingles` of stored lists.
    """

    starts: Int64
    chroma: Bytes
    shingles: ShingleSearch


def harmony_segment(chromas: Sequence[Bytes], *, lists_from: int = LISTS_FROM) -> HarmonySegment:
    """Put tracks together.

    Parameters
    ----------
    chromas : sequence of np.ndarray [shape=(n_steps, 12), dtype=uint8]
        From `coarse_chroma`, one for each track.
    lists_from : int
        Shingles from which they are put into lists.
    """
    starts = np.cumsum([0, *(len(chroma) for chroma in chromas)], dtype=np.int64)
    chroma = np.concatenate([np.empty((0, N_CHROMA), np.uint8), *chromas])
    if len(Places(starts)) < lists_from:
        return HarmonySegment(starts, chroma, Shingles.of(starts, chroma))
    lists = build_shingle_lists(shingle_centres(*sampled(starts, chroma)), as_whole(starts, chroma))
    return HarmonySegment(starts, chroma, ListedShingles(starts, chroma, lists))


class Harmony:
    """A catalogue for the version lane.

    Parameters
    ----------
    settings : FeatureSettings
    segments : sequence of HarmonySegment
    numbers : sequence of np.ndarray [shape=(n_tracks of the segment,), dtype=int64]
        Numbers of the segments' tracks in the catalogue, `GONE` for those that were removed.
    n_named : int
        Tracks with a name; those of a background follow.
    groups : np.ndarray [shape=(n_all,), dtype=int64], optional
        As in `stream_match.index.tracks.Tracks`.
    """

    def __init__(
        self,
        settings: FeatureSettings,
        segments: Sequence[HarmonySegment],
        numbers: Sequence[Int64],
        n_named: int,
        groups: Int64 | None = None,
    ) -> None:
        self.settings = settings
        self.n_named = n_named
        self._segments = [*zip(segments, numbers, strict=True)]
        self._groups = groups
        n_all = 1 + max((int(own.max(initial=GONE)) for own in numbers), default=GONE)
        self._segment, self._first, self._length = (np.zeros(n_all, np.int64) for _ in range(3))
        for number, (segment, own) in enumerate(self._segments):
            kept = own != GONE
            self._segment[own[kept]] = number
            self._first[own[kept]] = segment.starts[:-1][kept]
            self._length[own[kept]] = np.diff(segment.starts)[kept]
        # A catalogue of few tracks has to yield enough decoys from each of them.
        with_shingles = int(np.count_nonzero(self._length >= STEPS))
        self._per_track = max(_PER_TRACK, -(-AT_MOST // max(1, with_shingles)))

    @property
    def lengths(self) -> Int64:
        """Steps of each track [shape=(n_all,), dtype=int64]."""
        return self._length

    def hold(self, tracks: Iterable[int]) -> None:
        """Be told of tracks that may be read anywhere from now on; they are at hand."""

    def recording_of(self, track: Int64) -> Int64:
        """Return one number for all tracks that hold the same recording."""
        return track if self._groups is None else self._groups[track]

    def steps(self, track: Int64, steps: Int64) -> Bytes:
        """Return steps of tracks.

        Parameters
        ----------
        track : np.ndarray [shape=(n,), dtype=int64]
        steps : np.ndarray [shape=(n, m), dtype=int64]
            Each inside its track; what is outside gives any step.

        Returns
        -------
        np.ndarray [shape=(n, m, 12), dtype=uint8]
        """
        rows = self._first[track][:, np.newaxis] + steps
        found: Bytes = np.zeros((*steps.shape, N_CHROMA), np.uint8)
        segment = self._segment[track]
        for number in np.unique(segment):
            own = np.flatnonzero(segment == number)
            found[own] = self._segments[number][0].chroma.take(rows[own], axis=0, mode="clip")
        return found

    def track_chroma(self, track: int) -> Bytes:
        """Return all steps of a track [shape=(n_steps, 12), dtype=uint8]."""
        first = int(self._first[track])
        chroma: Bytes = self._segments[int(self._segment[track])][0].chroma
        return chroma[first : first + int(self._length[track])]

    def propose(self, query: Float32) -> HarmonyLines:
        """Return the best lines that run forward, and then the best decoys.

        Parameters
        ----------
        query : np.ndarray [shape=(n, 12), dtype=float32]
            Coarse chroma, newest first; zero before the beginning.
        """
        hypotheses = of_query(query[:LONGEST_QUERY])
        found = [
            segment.shingles.propose(hypotheses, own, self._per_track, AT_MOST)
            for segment, own in self._segments
        ]
        forward, backward = (
            Proposed.joined([both[way] for both in found]).best(self._per_track, AT_MOST) for way in (0, 1)
        )
        return _lines(forward, backwards=False).followed_by(_lines(backward, backwards=True))


def _lines(proposed: Proposed, *, backwards: bool) -> HarmonyLines:
    """Return the lines through shingles."""
    first, tempo = proposed.first.astype(np.float64), TEMPI[proposed.hypothesis // N_CHROMA]
    key = proposed.hypothesis % N_CHROMA
    if backwards:
        return HarmonyLines(proposed.track, first, -tempo, key)
    return HarmonyLines(proposed.track, first + STEPS - 1, tempo, key)


def require_step(settings: FeatureSettings) -> None:
    """Refuse settings that the version lane cannot work with.

    Raises
    ------
    ParameterError
        If its steps are not as long as by default: all its lengths are counted in them.
    """
    frames, expected = settings.version_hop_frames * settings.hop_samples, FeatureSettings()
    if frames != expected.version_hop_frames * expected.hop_samples:
        raise ParameterError(
            f"version_hop_frames and hop_samples make steps of {frames} samples, "
            f"expected {expected.version_hop_frames * expected.hop_samples}"
        )
