"""Both voters at work: what FAISS and the LSH tables propose for the codes just heard."""

import numpy as np
import numpy.typing as npt

from stream_match.match.reference import Reference
from stream_match.match.votes import Cells, VoteWindow

FAISS_NEIGHBOURS = 16
"""Neighbours asked for per code: enough that a passage and its repeats are both among them."""

LARGEST_BUCKET_SHARE = 1 / 1024
"""Buckets with more than this share of the catalogue say little, like stop words, and are passed over."""

_SMALLEST_CAP = 32
"""In a small catalogue no bucket up to this size is passed over."""

_LSH_VOTE = 0.25
"""Weight of a bucket hit beside that of a neighbour that agrees in all bits."""

_WINDOW_S = 15.0
_HALF_LIFE_S = 6.0
_CELLS = 40
_CELLS_PER_TRACK = 3


class Proposals:
    """Asks both voters about every code and keeps their votes.

    Parameters
    ----------
    reference : Reference
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._largest_bucket = max(_SMALLEST_CAP, int(len(reference.searched) * LARGEST_BUCKET_SHARE))
        self._stride = reference.settings.code_stride_frames
        frame_s = reference.settings.frame_s
        self._votes = VoteWindow(int(_WINDOW_S / frame_s), _HALF_LIFE_S / frame_s)

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._votes.reset()

    def add(
        self,
        codes: npt.NDArray[np.uint8],
        chroma_codes: npt.NDArray[np.uint8],
        times: npt.NDArray[np.int64],
    ) -> None:
        """Ask both voters: FAISS about the spectral shape, the LSH tables about the chroma.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
            Codes of the spectral shape, of sound and not of silence.
        chroma_codes : np.ndarray [shape=(n, chroma_bits // 8), dtype=uint8]
            Chroma codes of the same moments.
        times : np.ndarray [shape=(n,), dtype=int64]
            Moment of each, in frames.
        """
        if len(codes) == 0 or len(self._reference.searched) == 0:
            return
        self._ask_faiss(codes, times)
        self._ask_lsh(chroma_codes, times)

    def cells(self, now: int) -> tuple[Cells, Cells]:
        """Return the places proposed at the moment `now`, and the decoys."""
        self._votes.forget(now)
        return (
            self._votes.cells(now, 1, at_most=_CELLS, per_track=_CELLS_PER_TRACK),
            self._votes.cells(now, -1, at_most=_CELLS, per_track=_CELLS_PER_TRACK),
        )

    def _ask_faiss(self, codes: npt.NDArray[np.uint8], times: npt.NDArray[np.int64]) -> None:
        """Vote for the nearest neighbours, the more the better they agree."""
        reference = self._reference
        k = min(FAISS_NEIGHBOURS, len(reference.searched))
        distances, rows = reference.neighbours.search(codes, k)
        found = rows >= 0
        positions = reference.searched[rows[found]].astype(np.int64)
        agreement = 1 - 2 * distances[found] / reference.settings.n_bits
        weight = np.maximum(agreement, 0).astype(np.float32)
        self._add(np.repeat(times, found.sum(axis=1)), positions, weight, by_lsh=False)

    def _ask_lsh(self, codes: npt.NDArray[np.uint8], times: npt.NDArray[np.int64]) -> None:
        """Vote for everything in the codes' buckets."""
        rows, positions = self._reference.lsh.lookup(codes, largest_bucket=self._largest_bucket)
        self._add(times[rows], positions, np.full(len(rows), _LSH_VOTE, np.float32), by_lsh=True)

    def _add(
        self,
        times: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        weight: npt.NDArray[np.float32],
        *,
        by_lsh: bool,
    ) -> None:
        tracks = self._reference.track_of(positions)
        self._votes.add(times, positions * self._stride, tracks, weight, by_lsh=by_lsh)
