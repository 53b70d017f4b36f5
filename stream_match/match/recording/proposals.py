"""Both voters at work: what FAISS and the LSH tables propose for the codes just heard."""

import numpy as np
import numpy.typing as npt

from stream_match.index.port import CataloguePort
from stream_match.index.tracks import Numbers
from stream_match.match.recording.query import SHIFTS_SEMITONES
from stream_match.match.recording.votes import Cells, VoteWindow

Int64 = npt.NDArray[np.int64]

SEARCHED_STRIDE = 2
"""One of the frames that are listened to in this many is looked for; all are compared along lines."""

SHIFTED_STRIDE = 16
"""One in this many is looked for at shifts other than 0: these are rare, and then the sound is clear."""

_LSH_VOTE = 0.25
"""Weight of a bucket hit beside that of a neighbour that agrees in all bits."""

_WINDOW_S = 15.0
_HALF_LIFE_S = 6.0
_LEAST_WEIGHT = 0.15
_CELLS = (64, *(6 for _ in SHIFTS_SEMITONES[1:]))
_CELLS_PER_TRACK = 3


class Proposals:
    """Asks both voters about every code and keeps their votes.

    Parameters
    ----------
    catalogue : CataloguePort
    """

    def __init__(self, catalogue: CataloguePort) -> None:
        self._catalogue = catalogue
        listening = catalogue.settings.listening()
        self._stride, frame_s = listening.code_stride_frames, listening.frame_s
        self._votes = VoteWindow(int(_WINDOW_S / frame_s), _HALF_LIFE_S / frame_s, _LEAST_WEIGHT)

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._votes.reset()

    def take_up(self, catalogue: CataloguePort, numbers: Numbers) -> None:
        """Ask another snapshot from now on; votes for tracks that it has are kept."""
        self._catalogue = catalogue
        self._votes.renumber(numbers)

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
        if len(codes) == 0:
            return
        often, seldom = times % SEARCHED_STRIDE == 0, times % SHIFTED_STRIDE == 0
        n_shifted = codes.shape[1] - 1
        shifts = np.concatenate(
            [np.zeros(often.sum(), np.int64), np.tile(np.arange(1, n_shifted + 1), seldom.sum())]
        )
        asked = np.concatenate([codes[often, 0], codes[seldom, 1:].reshape(-1, codes.shape[2])])
        when = np.concatenate([times[often], np.repeat(times[seldom], n_shifted)])
        near, hashed = self._catalogue.propose(asked, chroma_codes[often])
        self._votes.add(
            np.concatenate([when[near.row], times[often][hashed.row]]),
            np.concatenate([near.position, hashed.position]) * self._stride,
            np.concatenate([near.track, hashed.track]),
            np.concatenate([shifts[near.row], np.zeros_like(hashed.row)]),
            np.concatenate([near.agreement, np.full(len(hashed), _LSH_VOTE, np.float32)]),
            np.arange(len(near) + len(hashed)) >= len(near),
        )

    def cells(self, now: int) -> tuple[Cells, Cells]:
        """Return the places proposed at the moment `now`, and the decoys."""
        self._votes.forget(now)
        groups, each = self._catalogue.tracks.groups, _CELLS_PER_TRACK
        return (
            self._votes.cells(now, 1, at_most=_CELLS, per_track=each, groups=groups),
            self._votes.cells(now, -1, at_most=_CELLS, per_track=each, groups=groups),
        )
