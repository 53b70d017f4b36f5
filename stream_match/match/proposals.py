"""Both voters at work: what FAISS and the LSH tables propose for the codes just heard."""

import numpy as np
import numpy.typing as npt

from stream_match.match.query import SHIFTS_SEMITONES
from stream_match.match.reference import Reference
from stream_match.match.votes import Cells, VoteWindow, first_of_each

Int64 = npt.NDArray[np.int64]

FAISS_NEIGHBOURS = 50
"""Neighbours asked for per code. In deep noise the right one is seldom the nearest, but it is among them
again and again on one line: 50 for every 46 ms find what comparing everything finds, 50 for every 93 ms
do not."""

_NEIGHBOURS_PER_RECORDING = 12
_MOST_COPIES = 10
"""A recording with copies gets no more of a code's neighbours than this. More are asked for, the more copies
there are, up to ten times as many: else eighty copies of a jingle would be all the neighbours there are."""

SEARCHED_STRIDE = 2
"""One of the frames that are listened to in this many is looked for; all are compared along lines."""

SHIFTED_STRIDE = 8
"""One in this many is looked for at shifts other than 0: these are rare, and then the sound is clear."""

LARGEST_BUCKET_SHARE = 1 / 1024
"""Buckets with more than this share of the catalogue say little, like stop words, and are passed over."""

_SMALLEST_CAP = 32
"""In a small catalogue no bucket up to this size is passed over."""

_LSH_VOTE = 0.25
"""Weight of a bucket hit beside that of a neighbour that agrees in all bits."""

_WINDOW_S = 15.0
_HALF_LIFE_S = 6.0
_LEAST_WEIGHT = 0.15
_CELLS = (24, *(8 for _ in SHIFTS_SEMITONES[1:]))
_CELLS_PER_TRACK = 3


class Proposals:
    """Asks both voters about every code and keeps their votes.

    Parameters
    ----------
    reference : Reference
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._largest_bucket = max(_SMALLEST_CAP, int(len(reference.chroma_codes) * LARGEST_BUCKET_SHARE))
        self._copies = None if reference.groups is None else np.bincount(reference.groups)
        listening = reference.settings.listening()
        self._stride, frame_s = listening.code_stride_frames, listening.frame_s
        self._votes = VoteWindow(int(_WINDOW_S / frame_s), _HALF_LIFE_S / frame_s, _LEAST_WEIGHT)

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._votes.reset()

    def add(
        self,
        codes: npt.NDArray[np.uint8],
        chroma_codes: npt.NDArray[np.uint8],
        times: Int64,
    ) -> None:
        """Ask both voters: FAISS about the spectral shape, the LSH tables about the chroma.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_shifts, n_bits // 8), dtype=uint8]
            Codes of the spectral shape at each shift, of sound and not of silence.
        chroma_codes : np.ndarray [shape=(n, chroma_bits // 8), dtype=uint8]
            Chroma codes of the same moments.
        times : np.ndarray [shape=(n,), dtype=int64]
            Moment of each, in frames.
        """
        if len(codes) == 0 or len(self._reference.audible) == 0:
            return
        often, seldom = times % SEARCHED_STRIDE == 0, times % SHIFTED_STRIDE == 0
        n_shifted = codes.shape[1] - 1
        shifts = np.concatenate(
            [np.zeros(often.sum(), np.int64), np.tile(np.arange(1, n_shifted + 1), seldom.sum())]
        )
        asked = np.concatenate([codes[often, 0], codes[seldom, 1:].reshape(-1, codes.shape[2])])
        when = np.concatenate([times[often], np.repeat(times[seldom], n_shifted)])
        rows, neighbours, agreement = self._ask_faiss(asked)
        hashed, in_buckets = self._ask_lsh(chroma_codes[often])
        positions = np.concatenate([neighbours, in_buckets])
        self._votes.add(
            np.concatenate([when[rows], times[often][hashed]]),
            positions * self._stride,
            self._reference.track_of(positions),
            np.concatenate([shifts[rows], np.zeros_like(hashed)]),
            np.concatenate([agreement, np.full(len(hashed), _LSH_VOTE, np.float32)]),
            np.arange(len(positions)) >= len(neighbours),
        )

    def cells(self, now: int) -> tuple[Cells, Cells]:
        """Return the places proposed at the moment `now`, and the decoys."""
        self._votes.forget(now)
        groups, each = self._reference.groups, _CELLS_PER_TRACK
        return (
            self._votes.cells(now, 1, at_most=_CELLS, per_track=each, groups=groups),
            self._votes.cells(now, -1, at_most=_CELLS, per_track=each, groups=groups),
        )

    def _ask_faiss(self, codes: npt.NDArray[np.uint8]) -> tuple[Int64, Int64, npt.NDArray[np.float32]]:
        """Return rows of codes, positions that are among their nearest, and how well these agree."""
        reference = self._reference
        copies = 1 if self._copies is None else min(int(self._copies.max()), _MOST_COPIES)
        asked = min(FAISS_NEIGHBOURS * copies, len(reference.audible))
        distances, positions = reference.neighbours.search(codes, asked)
        rows, columns = np.nonzero(positions >= 0)
        if self._copies is not None:
            kept = self._thinned(rows, positions[rows, columns], self._copies)
            rows, columns = rows[kept], columns[kept]
        agreement = 1 - 2 * distances[rows, columns] / reference.settings.n_bits
        return rows, positions[rows, columns], np.maximum(agreement, 0).astype(np.float32)

    def _thinned(self, rows: Int64, positions: Int64, copies: Int64) -> Int64:
        """Return which neighbours are kept of each code, nearest first."""
        recording = self._reference.recording_of(self._reference.track_of(positions))
        few = first_of_each(rows * len(copies) + recording, _NEIGHBOURS_PER_RECORDING)
        kept = np.flatnonzero(few | (copies[recording] == 1))
        return kept[first_of_each(rows[kept], FAISS_NEIGHBOURS)]

    def _ask_lsh(self, codes: npt.NDArray[np.uint8]) -> tuple[Int64, Int64]:
        """Return rows of codes, and positions that are in one bucket with them."""
        return self._reference.lsh.lookup(codes, largest_bucket=self._largest_bucket)
