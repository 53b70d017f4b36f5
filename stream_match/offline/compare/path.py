"""The best path through links: where two sequences run alike, for how long, and how fast.

The recurrence quantification of Serrà, Serra & Andrzejak, "Cross recurrence quantification for cover song
identification", New Journal of Physics 11, 2009 (Qmax), which `librosa.sequence.rqa` computes too. It is a
local alignment: it finds its own ends, and leaps over frames that are not linked, at a price. It goes one
step in one sequence and one or two in the other, so that it follows tempi between half and twice.
`match.version.dtw` warps about a line that an index has proposed; here there is neither.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

GAP = 1.0
"""Price of a frame on the path that is not linked, in links; the higher, the sooner a path ends."""

_STEPS = ((1, 1), (1, 2), (2, 1))
"""Moves, in frames of the reference and of the sequence."""

_FROM_NOWHERE = len(_STEPS)


@dataclass(frozen=True)
class Path:
    """A path through links.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_steps, 2), dtype=int64]
        Frame of the reference and of the sequence, both ascending; empty without any link.
    score : float
        Links on the path, less `GAP` for each step without one.
    """

    frames: Int64
    score: float

    def slope(self) -> float:
        """Return frames of the reference per frame of the sequence, by least squares; nan for one frame."""
        y, x = (self.frames - self.frames.mean(axis=0)).T if len(self.frames) else np.zeros((2, 1))
        spread = float(x @ x)
        return float(x @ y) / spread if spread else float("nan")


def best_path(links: "csc_matrix") -> Path:
    """Find the path with the highest score.

    Takes a byte for each pair of frames.

    Parameters
    ----------
    links : scipy.sparse.csc_matrix [shape=(n_ref, n)]
        What is not zero is a link.
    """
    n_ref, n = links.shape
    came_from = np.empty((n, n_ref), np.int8)
    before = [np.zeros(n_ref + 2, np.float32) for _ in range(2)]
    best, end = np.float32(0), (0, 0)
    for j in range(n):
        scores = before[j % 2]  # of the frame before last: what it held is read first
        linked = links.indices[links.indptr[j] : links.indptr[j + 1]]
        reached, came_from[j] = _reached(before[(j - 1) % 2], scores, linked)
        scores[2:] = reached
        top = int(np.argmax(reached))
        if reached[top] > best:
            best, end = reached[top], (top, j)
    frames = _traced(came_from, end) if best > 0 else []
    return Path(np.array(frames, np.int64).reshape(-1, 2), float(best))


def _reached(last: Float32, last_but_one: Float32, linked: npt.NDArray[np.integer]) -> tuple[Float32, Int64]:
    """Return the scores of the paths that end at each reference frame now, and by which move they came.

    Parameters
    ----------
    last, last_but_one : np.ndarray [shape=(2 + n_ref,), dtype=float32]
        Scores one and two frames earlier; two zeros come first.
    linked : np.ndarray [shape=(n_links,)]
        Reference frames.
    """
    by_move = (last[1:-1], last_but_one[1:-1], last[:-2])
    scores, moves = by_move[0].copy(), np.zeros(len(last) - 2, np.int64)
    for number in (1, 2):
        better = by_move[number] > scores
        scores[better], moves[better] = by_move[number][better], number
    with_link = scores[linked] + 1
    moves[linked[with_link == 1]] = _FROM_NOWHERE
    kept = moves[linked]
    scores -= np.float32(GAP)
    over = scores <= 0
    scores[over], moves[over] = 0, _FROM_NOWHERE
    scores[linked], moves[linked] = with_link, kept
    return scores, moves


def _traced(came_from: npt.NDArray[np.int8], end: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the frames of the path that ends there, in order."""
    i, j = end
    frames = [(i, j)]
    while came_from[j, i] != _FROM_NOWHERE:
        up, along = _STEPS[came_from[j, i]]
        i, j = i - up, j - along
        frames.append((i, j))
    return frames[::-1]
