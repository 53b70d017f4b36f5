"""Which tracks of a catalogue hold the same recording: copies, encodings, the same song cut elsewhere.

Copies agree with everything alike. For background scores they are one group, not many: their deviation says
nothing of what chance gives. They are looked for once, when a track is added; then it bears labels, and
tracks that have a label in common hold the same recording.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stream_match.index.catalogue import Catalogue
from stream_match.index.lines import Lines
from stream_match.index.tracks import GONE

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_PROBES = 4
"""So many moments of each track are looked for in the others."""

_FEWEST_PROBES = 2
"""And so many must be found in a copy."""

_NEIGHBOURS = 50

_TRACKS_AT_ONCE = 4096
"""New tracks whose neighbours are in memory together, some 30 MB."""

_ALIKE = 0.3
"""Agreement from which a neighbour may be the same moment of a copy: those whose frames lie half a position
apart agree by 0.42 to 0.6 in the mean."""

_SAME_RECORDING = 0.3
_LEAST_SHARE = 0.5
"""Two tracks are copies if they agree so well over half a minute about such a moment, or over half of the
shorter one. Neither may be shorter than half of the other: a song is no copy of a mix that holds it."""


def groups_by_label(labels: Sequence[Collection[str]]) -> Int64 | None:
    """Put tracks that have a label in common into groups.

    Parameters
    ----------
    labels : sequence of collection of str
        Of each track.

    Returns
    -------
    np.ndarray [shape=(n_tracks,), dtype=int64] or None
        For each track, the first track of its group; None if each is its own.
    """
    groups = _Groups(len(labels))
    seen: dict[str, int] = {}
    for track, own in enumerate(labels):
        for label in own:
            groups.join(seen.setdefault(label, track), track)
    return groups.array()


def copies_of(catalogue: Catalogue, new: Int64, labels: Sequence[Collection[str]]) -> Mapping[int, set[str]]:
    """Find out which tracks hold the same recording as new ones.

    Parameters
    ----------
    catalogue : Catalogue
        The new ones are among its tracks. It knows which of the others are copies.
    new : np.ndarray [shape=(n_new,), dtype=int64]
        Their numbers.
    labels : sequence of collection of str
        Of each track that has a name, by number; one at least, of its own.

    Returns
    -------
    mapping of int to set of str
        The labels that the new tracks of each group should have in common, for those that are in one.
    """
    groups = _Groups(len(labels))
    known = np.arange(len(labels))
    for track, first in enumerate(catalogue.tracks.recording_of(known).tolist()):
        groups.join(first, track)
    before = [groups.first(track) for track in range(len(labels))]
    for here, there in _pairs(catalogue, new):
        if groups.first(here[0]) != groups.first(there[0]) and _is_copied(catalogue, here, there):
            groups.join(here[0], there[0])
    return _labels(groups, before, set(new.tolist()), labels)


def _labels(
    groups: "_Groups", before: Sequence[int], new: set[int], labels: Sequence[Collection[str]]
) -> dict[int, set[str]]:
    """Return what new tracks have in common with what was there, or else with the first of them."""
    members: dict[int, list[int]] = {}
    for track in range(len(before)):
        members.setdefault(groups.first(track), []).append(track)
    found: dict[int, set[str]] = {}
    for group in members.values():
        ours = [track for track in group if track in new]
        if not ours or len(group) == 1:
            continue
        # One label of each group of before: they were found to be one only now.
        parts: dict[int, Counter[str]] = {}
        for track in [track for track in group if track not in new] or ours[:1]:
            parts.setdefault(before[track], Counter()).update(labels[track])
        common = {max(sorted(part), key=part.__getitem__) for part in parts.values()}
        found |= {track: common | set(labels[track]) for track in ours}
    return found


class _Groups:
    """Disjoint sets of numbers, each known by its lowest."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def first(self, number: int) -> int:
        """Return the lowest number that is in a set with one."""
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.first(one), self.first(other)))
        self._above[high] = low

    def array(self) -> Int64 | None:
        """Return the lowest number of each one's set; None if each is alone."""
        firsts = np.array([self.first(number) for number in range(len(self._above))], np.int64)
        return None if np.array_equal(firsts, np.arange(len(firsts))) else firsts


Place = tuple[int, int]
"""A track and a position of it."""


def _pairs(catalogue: Catalogue, new: Int64) -> Iterator[tuple[Place, Place]]:
    """Yield places that agree, the best for every two tracks that may be copies."""
    ordered = np.sort(new)
    for first in range(0, len(ordered), _TRACKS_AT_ONCE):
        yield from _pairs_of(catalogue, ordered[first : first + _TRACKS_AT_ONCE])


def _pairs_of(catalogue: Catalogue, new: Int64) -> Iterator[tuple[Place, Place]]:
    track, position = _probes(catalogue, new)
    if not len(track):
        return
    asked, other, there, agreement = _neighbours(catalogue, track, position)
    lengths = catalogue.tracks.length
    shorter = np.minimum(lengths[track[asked]], lengths[other])
    longer = np.maximum(lengths[track[asked]], lengths[other])
    kept = np.flatnonzero((track[asked] != other) & (shorter >= _LEAST_SHARE * longer))
    kept = kept[np.argsort(-agreement[kept], kind="stable")]
    asked, other, there = asked[kept], other[kept], there[kept]
    pair = track[asked] * len(catalogue.tracks) + other
    _, best, number = np.unique(pair, return_index=True, return_inverse=True)
    found = np.unique(np.stack([number, asked], axis=1), axis=0)[:, 0]
    often = np.bincount(found, minlength=len(best)) >= _FEWEST_PROBES
    for at in best[often].tolist():
        yield (
            (int(track[asked[at]]), int(position[asked[at]])),
            (int(other[at]), int(there[at])),
        )


def _probes(catalogue: Catalogue, tracks: Int64) -> tuple[Int64, Int64]:
    """Return some audible positions of each track, evenly spread."""
    none = np.empty(0, np.int64)
    found = [none]
    for track in tracks.tolist():
        audible = np.flatnonzero(catalogue.audible(track))
        at = ((np.arange(_PROBES) + 0.5) / _PROBES * len(audible)).astype(np.int64)
        found.append(np.unique(audible[at]) if len(audible) else none)
    return np.repeat(tracks, [len(own) for own in found[1:]]), np.concatenate(found)


def _neighbours(catalogue: Catalogue, track: Int64, position: Int64) -> tuple[Int64, Int64, Int64, Float32]:
    """Return probes, by number, the tracks and positions that agree well with them, and how well."""
    codes = np.stack([catalogue.codes(t)[p] for t, p in zip(track.tolist(), position.tolist(), strict=True)])
    found = []
    for one in catalogue.searched:
        n_rows = int(one.starts[-1])
        if not n_rows:
            continue
        distances, rows = one.index.search(codes, min(_NEIGHBOURS, n_rows), near=True)
        agreement = (1 - 2 * distances / catalogue.settings.n_bits).astype(np.float32)
        asked, column = np.nonzero((rows >= 0) & (agreement > _ALIKE))
        row = np.minimum(rows[asked, column], n_rows - 1)
        within = np.searchsorted(one.starts, row, side="right") - 1
        other = one.numbers[within]
        kept = (other != GONE) & (other < len(catalogue.tracks.named))
        found.append(
            (asked[kept], other[kept], (row - one.starts[within])[kept], agreement[asked, column][kept])
        )
    asked, other, there, how_well = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return asked, other, there, how_well


def _is_copied(catalogue: Catalogue, here: Place, there: Place) -> bool:
    """Return whether two tracks go on to agree about two places, or over most of the shorter one."""
    shorter = int(catalogue.tracks.length[[here[0], there[0]]].min())
    line, other = (Lines.single(track, float(head), 1.0, 0) for track, head in (here, there))
    least = min(catalogue.lines.likeness_positions // 2, int(_LEAST_SHARE * shorter))
    return bool(catalogue.lines.likeness(line, other, least=least)[0] > _SAME_RECORDING)
