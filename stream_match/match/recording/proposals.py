"""Votes for the codes just heard, by FAISS and the LSH tables, and the offset bins that they propose."""

import numpy as np
import numpy.typing as npt

from stream_match.index.port import CataloguePort, Int64
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.recording.query import shifts_semitones
from stream_match.match.recording.votes import OffsetBins, VoteWindow

Codes = npt.NDArray[np.uint8]


class Proposals:
    """Asks both voters about every code and keeps their votes."""

    def __init__(self, catalogue: CataloguePort) -> None:
        self._catalogue = catalogue
        listening = catalogue.settings.listening()
        self._stride, frame_s = listening.code_stride_frames, listening.frame_s
        window, half_life = int(tuning.LONGEST_WINDOW_S / frame_s), tuning.VOTE_HALF_LIFE_S / frame_s
        self._forward = VoteWindow(window, half_life, tuning.LEAST_VOTES)
        self._backward = VoteWindow(window, half_life, tuning.LEAST_VOTES, direction=-1)

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._forward.reset()
        self._backward.reset()

    def take_up(self, catalogue: CataloguePort, numbers: Numbers) -> None:
        """Ask another snapshot from now on; votes for tracks that it has are kept."""
        self._catalogue = catalogue
        self._forward.renumber(numbers)
        self._backward.renumber(numbers)

    def add(self, codes: Codes, chroma_codes: Codes, times: Int64) -> None:
        """Ask both voters about sound: FAISS about the spectral shape, the LSH tables about the chroma.

        Of moments [shape=(n,)] in frames, these are `codes` [shape=(n, n_shifts, n_bits // 8)] and
        `chroma_codes` [shape=(n, chroma_bits // 8)].
        """
        if len(codes) == 0:
            return
        n_shifted = len(shifts_semitones()) - 1
        every = round(1 / tuning.SEARCHED_SHARE)
        often, seldom = times % every == 0, times % (every * n_shifted) == 0
        asked_shifts = np.arange(1, codes.shape[1])
        shifts = np.concatenate([np.zeros(often.sum(), np.int64), np.tile(asked_shifts, seldom.sum())])
        asked = np.concatenate([codes[often, 0], codes[seldom, 1:].reshape(-1, codes.shape[2])])
        when = np.concatenate([times[often], np.repeat(times[seldom], len(asked_shifts))])
        near, hashed = self._catalogue.propose(asked, chroma_codes[often])
        votes = (
            np.concatenate([when[near.row], times[often][hashed.row]]),
            np.concatenate([near.position, hashed.position]) * self._stride,
            np.concatenate([near.track, hashed.track]),
            np.concatenate([shifts[near.row], np.zeros_like(hashed.row)]),
            np.concatenate([near.agreement, np.full(len(hashed), tuning.LSH_VOTE, np.float32)]),
            np.arange(len(near) + len(hashed)) >= len(near),
        )
        self._forward.add(*votes)
        self._backward.add(*votes)

    def bins(self, now: int) -> tuple[OffsetBins, OffsetBins]:
        """Return the offset bins proposed at the moment `now`, and the decoys."""
        most = (tuning.BINS, *(tuning.SHIFTED_BINS for _ in shifts_semitones()[1:]))
        groups = self._catalogue.tracks.groups
        forward, backward = (
            votes.bins(now, at_most=most, per_track=tuning.BINS_PER_TRACK, groups=groups)
            for votes in (self._forward, self._backward)
        )
        return forward, backward
