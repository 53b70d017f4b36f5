"""Kinds of sounds that nobody named in advance, each with an identity that is never given to another.

What is here, and why:

- A sound belongs to the nearest kind if it lies no farther from it than one and the same sound may lie from
  itself: `SAME` for how differently it is struck, and more for what was sounding behind it (its `doubt`). So
  noise makes sounds uncertain instead of making new kinds.
- A kind is the mean of its sounds, each weighing as much as it is free of doubt, and its own doubt shrinks
  with every sound. The weight of the past is bounded, so that a kind follows a drift.
- No number of kinds is given. A sound that belongs to none makes one (`created`). Two that have become the
  same are one again under the older identity (`merged`). A kind whose sounds fall into two heaps is divided,
  the larger heap keeps the identity (`split`). What is not heard for long falls asleep (`retired`) and is
  woken under its old identity by the next such sound (`revived`).
- Identities count upwards and are never reused. Memory is bounded: those heard longest ago are
  forgotten, first of the kinds heard once or twice. But these keep some room, lest nothing new could become
  a kind where many are known.

The ancestors are DP-means (Kulis and Jordan, ICML 2012) for the radius instead of a number of clusters, and
the scalar Kalman filter for the weights. Libraries offer no lineage: river's DenStream and DBSTREAM number
their clusters anew with every query, and scikit-learn's estimators with every fit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stream_match.onsets.halves import MIN_POINTS, halves
from stream_match.onsets.kind import RARE, Kind, as_count, as_vector, restored, worth

Float64 = npt.NDArray[np.float64]

SAME = 0.25
"""How far a clear sound may lie from its kind. Of 1,600 pairs of different drums, keys, bells and plucked
strings one in a hundred lies nearer than 0.45."""

DOUBTFUL = 0.8
"""How much farther per root of doubt. Of sounds with noise behind them, 95 % lie within this of their clear
selves."""

LEAST_DOUBT = 0.003
"""No sound is surer than this; else one struck in silence would outweigh all others."""

LEAST_KIND_DOUBT = LEAST_DOUBT / 50
"""A kind is as sure as after fifty clear sounds and no surer, so that it can follow a drift."""

MERGE = 0.8
"""Two kinds become one when nearer than this share of what their sounds may lie apart: less than 1, so that
what has just been created is not merged at once."""

SPLIT = 1.5 * SAME
"""A kind is divided when its halves lie farther apart than this, so that they are not merged again."""

CLEAR = 0.1
"""Sounds with less doubt are remembered for dividing."""

REMEMBERED = 16
CHECK_EVERY = 8

MAX_DIVISIBLE = 64
"""Of so many kinds the last sounds are remembered, so that they can be divided: 11 kB each."""

MAX_KNOWN = 512
"""Awake and asleep. A kind takes 1 kB."""

ROOM_FOR_RARE = 128
"""So many of the known may be rare, however many are not: so many other new ones may begin before a sound
must have come again."""

RARE_S = 600.0

_DIGITS = 6  # of what is kept; so a state that was written down and read again is the very same

Change = Literal["created", "merged", "split", "retired", "revived"]


@dataclass(frozen=True)
class Changed:
    """Something happened to a kind.

    Parameters
    ----------
    change : str
    kind : int
        Identity of the kind: of the one that is left after `merged`, of the new one after `split`.
    origin : tuple of int
        Identities that it came from, empty unless `merged` or `split`.
    size : int
        How many sounds it has.
    """

    change: Change
    kind: int
    origin: tuple[int, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Heard:
    """Which kind a sound is of.

    Parameters
    ----------
    kind : int
    size : int
        How many sounds of the kind were heard, this one included.
    distance : float
        From the kind as it was before; 0 if it is a new one.
    new : bool
        Whether the kind began with this sound.
    changes : tuple of Changed
        What happened to kinds, in order.
    """

    kind: int
    size: int
    distance: float
    new: bool
    changes: tuple[Changed, ...]


class Kinds:
    """The kinds of sounds that one source makes.

    Parameters
    ----------
    n_dimensions : int
        Of the points.
    retire_after_s : float, > 0 [seconds]
        How long a kind stays awake without being heard; one of fewer than `RARE` sounds ten minutes at most.
    """

    def __init__(self, n_dimensions: int, *, retire_after_s: float = 3600.0) -> None:
        self._n_dimensions = n_dimensions
        self._retire_after_s = retire_after_s
        self._kinds: list[Kind] = []
        self._places = np.zeros((MAX_KNOWN + 1, n_dimensions))  # row by row those of the kinds
        self._next_id = 0
        self._now_s = 0.0

    def __len__(self) -> int:
        return len(self._kinds)

    def hear(self, point: Float64, doubt: float, now_s: float) -> Heard:
        """Say which kind a sound is of, and learn from it.

        Parameters
        ----------
        point : np.ndarray [shape=(n_dimensions,), dtype=float64]
        doubt : float, in [0, 1]
        now_s : float [seconds]
            When it was heard; never less than before.
        """
        self._now_s = max(self._now_s, now_s)
        changes: list[Changed] = []
        doubt = min(max(doubt, LEAST_DOUBT), 1.0)
        row, distance = self._nearest(point, doubt)
        new = row is None
        if row is None:
            row, distance = self._create(point, doubt), 0.0
            changes.append(Changed("created", self._kinds[row].id, size=1))
        else:
            changes += self._join(row, point, doubt)
        told = self._kinds[row]
        kind, size = told.id, told.size
        if not new:
            changes += self._settled(told)
        changes += self._retired()
        changes += self._forgotten()
        self._limit_remembered()
        return Heard(kind, size, distance, new, tuple(changes))

    def _nearest(self, point: Float64, doubt: float) -> tuple[int | None, float]:
        """Return the row of the kind that a point is of, None if of none, and how far away it is."""
        if not self._kinds:
            return None, math.inf
        away = self._places[: len(self._kinds)] - point
        distances = np.sqrt(np.einsum("ij,ij->i", away, away))
        shares = distances / self._tolerances(doubt)
        row = int(np.argmin(shares))
        return (row if shares[row] < 1 else None), float(distances[row])

    def _tolerances(self, doubt: float) -> Float64:
        doubts = np.array([kind.doubt for kind in self._kinds])
        tolerances: Float64 = SAME + DOUBTFUL * np.sqrt(doubt + doubts)
        return tolerances

    def _create(self, point: Float64, doubt: float, size: int = 1) -> int:
        row = len(self._kinds)
        self._kinds.append(Kind(self._next_id, doubt, size, self._now_s))
        self._places[row] = np.round(point, _DIGITS)
        self._next_id += 1
        if doubt < CLEAR:
            self._kinds[row].recent.append(np.round(point, 4))
        return row

    def _join(self, row: int, point: Float64, doubt: float) -> list[Changed]:
        kind = self._kinds[row]
        share = kind.doubt / (kind.doubt + doubt)
        self._places[row] = np.round(self._places[row] + share * (point - self._places[row]), _DIGITS)
        kind.doubt = max(kind.doubt * (1 - share), LEAST_KIND_DOUBT)
        kind.size += 1
        kind.heard_s = self._now_s
        if doubt < CLEAR:
            kind.recent = [*kind.recent, np.round(point, 4)][-REMEMBERED:]
            kind.unchecked += 1
        if kind.awake:
            return []
        kind.awake = True
        return [Changed("revived", kind.id, size=kind.size)]

    def _settled(self, kind: Kind) -> list[Changed]:
        """Merge or divide a kind that has changed."""
        changes = self._merged(kind)
        if not changes and kind.unchecked >= CHECK_EVERY and len(kind.recent) >= 2 * MIN_POINTS:
            kind.unchecked = 0
            changes = self._split(kind)
        return changes

    def _merged(self, kind: Kind) -> list[Changed]:
        row = self._kinds.index(kind)
        away = self._places[: len(self._kinds)] - self._places[row]
        shares = np.sqrt(np.einsum("ij,ij->i", away, away)) / self._tolerances(kind.doubt)
        shares[row] = math.inf
        other = int(np.argmin(shares))
        if shares[other] >= MERGE:
            return []
        older, younger = sorted((row, other), key=lambda at: self._kinds[at].id)
        return [self._unite(older, younger)]

    def _unite(self, row: int, other: int) -> Changed:
        kind, gone = self._kinds[row], self._kinds[other]
        share = kind.doubt / (kind.doubt + gone.doubt)
        merged = self._places[row] + share * (self._places[other] - self._places[row])
        self._places[row] = np.round(merged, _DIGITS)
        kind.doubt = max(kind.doubt * (1 - share), LEAST_KIND_DOUBT)
        kind.size += gone.size
        kind.heard_s = max(kind.heard_s, gone.heard_s)
        kind.awake = kind.awake or gone.awake
        kind.recent = [*gone.recent, *kind.recent][-REMEMBERED:]
        self._remove(other)
        return Changed("merged", kind.id, (gone.id,), kind.size)

    def _split(self, kind: Kind) -> list[Changed]:
        found = halves(np.array(kind.recent), SPLIT)
        if found is None:
            return []
        larger, smaller = found
        recent = np.array(kind.recent)
        row = self._kinds.index(kind)
        self._places[row] = np.round(recent[larger].mean(axis=0), _DIGITS)
        moved = max(1, round(kind.size * len(smaller) / len(recent)))
        kind.size = max(1, kind.size - moved)
        kind.doubt = LEAST_DOUBT
        kind.recent = [recent[i] for i in larger]
        new = self._create(recent[smaller].mean(axis=0), LEAST_DOUBT, moved)
        self._kinds[new].recent = [recent[i] for i in smaller]
        return [Changed("split", self._kinds[new].id, (kind.id,), moved)]

    def _retired(self) -> list[Changed]:
        """Let kinds fall asleep that were not heard for long."""
        rare_s = min(self._retire_after_s, RARE_S)
        changes = []
        for kind in self._kinds:
            patience_s = rare_s if kind.size < RARE else self._retire_after_s
            if kind.awake and self._now_s - kind.heard_s > patience_s:
                kind.awake = False
                kind.forget_sounds()
                changes.append(Changed("retired", kind.id, size=kind.size))
        return changes

    def _forgotten(self) -> list[Changed]:
        """Forget kinds that are too many; that they are retired is told of those still awake."""
        changes = []
        while len(self._kinds) > MAX_KNOWN:
            rare = [kind for kind in self._kinds if kind.size < RARE]
            often = [kind for kind in self._kinds if kind.size >= RARE]
            gone = min(rare if len(rare) > ROOM_FOR_RARE else often, key=worth)
            self._remove(self._kinds.index(gone))
            if gone.awake:
                changes.append(Changed("retired", gone.id, size=gone.size))
        return changes

    def _limit_remembered(self) -> None:
        """Forget the last sounds of kinds where those of too many are remembered: they stay what they are."""
        kinds = sorted((kind for kind in self._kinds if kind.recent), key=worth)
        for kind in kinds[: max(0, len(kinds) - MAX_DIVISIBLE)]:
            kind.forget_sounds()

    def _remove(self, row: int) -> None:
        last = len(self._kinds) - 1
        self._kinds[row] = self._kinds[last]
        self._places[row] = self._places[last]
        self._kinds.pop()

    def state(self, *, ids_ahead: int = 0) -> dict[str, Any]:
        """Return all that is known, for JSON.

        Parameters
        ----------
        ids_ahead : int, >= 0
            Identities that whoever goes on from this leaves out: those that may still be given meanwhile.
        """
        return {
            "dimensions": self._n_dimensions,
            "next_id": self._next_id + ids_ahead,
            "kinds": [
                {
                    "id": kind.id,
                    "doubt": kind.doubt,
                    "size": kind.size,
                    "unheard_s": self._now_s - kind.heard_s,
                    "awake": kind.awake,
                    "unchecked": kind.unchecked,
                    "place": self._places[row].tolist(),
                    "recent": [point.tolist() for point in kind.recent],
                }
                for row, kind in enumerate(self._kinds)
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; time begins anew at 0.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else; then nothing has changed.
        """
        kinds, places = [], []
        for entry in state["kinds"]:
            kinds.append(restored(entry, self._n_dimensions))
            places.append(as_vector(entry["place"], self._n_dimensions))
        ids = [kind.id for kind in kinds]
        next_id = as_count(state["next_id"])
        if len(kinds) > MAX_KNOWN or len(set(ids)) < len(ids) or max(ids, default=-1) >= next_id:
            raise ValueError("the kinds are not whole")
        self._kinds, self._next_id, self._now_s = kinds, next_id, 0.0
        self._places[: len(places)] = np.array(places).reshape(-1, self._n_dimensions)
