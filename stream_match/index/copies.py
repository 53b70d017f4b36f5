"""Which tracks of a catalogue hold the same recording: copies, encodings, the same song cut elsewhere.

Copies agree with everything alike. As rivals of a claim they are one and not many: their deviation says
nothing of what chance gives.
"""

import numpy as np
import numpy.typing as npt

from stream_match.index.lines import LineReader, Lines
from stream_match.match.reference import Reference

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_PROBES = 4
"""So many moments of each track are looked for in the others."""

_FEWEST_PROBES = 2
"""And so many must be found in a copy."""

_NEIGHBOURS = 50
_ALIKE = 0.35
"""Agreement from which a neighbour may be the same moment of a copy: those whose frames lie half a position
apart agree by 0.47 in the mean."""

_SAME_RECORDING = 0.35
_LEAST_SHARE = 0.5
"""Two tracks are copies if they agree so well over half a minute about such a moment, or over half of the
shorter one. Neither may be shorter than half of the other: a song is no copy of a mix that holds it."""


def groups_of(reference: Reference) -> Int64 | None:
    """Find the tracks that hold the same recording.

    Parameters
    ----------
    reference : Reference
        Its own `groups` count as nothing.

    Returns
    -------
    np.ndarray [shape=(n_all,), dtype=int64] or None
        For each track, the first track that holds the same recording; None if each is its own.
    """
    groups = np.arange(reference.n_all)
    pairs = _pairs(reference)
    if not len(pairs[0]):
        return None
    reader = LineReader(reference)  # copies all codes, so that catalogues without copies do without it
    for here, there in zip(*pairs, strict=True):
        one, two = sorted(groups[reference.track_of(np.array([here, there]))])
        if one != two and _is_copied(reader, reference, here, there):
            groups[groups == two] = one
    return groups if (groups != np.arange(reference.n_all)).any() else None


def _pairs(reference: Reference) -> tuple[Int64, Int64]:
    """Return positions that agree, the best for every two tracks that may be copies."""
    probes = _probes(reference)
    here, there, agreement = _neighbours(reference, probes)
    one, two = reference.track_of(here), reference.track_of(there)
    lengths = np.diff(reference.starts)
    shorter, longer = np.minimum(lengths[one], lengths[two]), np.maximum(lengths[one], lengths[two])
    kept = np.flatnonzero((one != two) & (shorter >= _LEAST_SHARE * longer))
    kept = kept[np.argsort(-agreement[kept], kind="stable")]
    pair = one[kept] * reference.n_all + two[kept]
    _, best, number = np.unique(pair, return_index=True, return_inverse=True)
    found = np.unique(np.stack([number, here[kept]], axis=1), axis=0)[:, 0]
    often = np.bincount(found, minlength=len(best)) >= _FEWEST_PROBES
    return here[kept][best[often]], there[kept][best[often]]


def _probes(reference: Reference) -> Int64:
    """Return some audible positions of each track, evenly spread."""
    probes = []
    for first, beyond in zip(reference.starts[:-1], reference.starts[1:], strict=True):
        audible = first + np.flatnonzero(reference.audible[first:beyond])
        at = (np.arange(_PROBES) + 0.5) / _PROBES * len(audible)
        probes.append(np.unique(audible[at.astype(np.int64)]) if len(audible) else audible)
    return np.concatenate(probes)


def _neighbours(reference: Reference, probes: Int64) -> tuple[Int64, Int64, Float32]:
    """Return probes, positions that agree well with them, and how well."""
    count = max(1, min(_NEIGHBOURS, len(reference.audible)))
    codes = np.ascontiguousarray(reference.codes[probes])
    distances, found = reference.neighbours.search(codes, count, near=True)
    agreement = (1 - 2 * distances / reference.settings.n_bits).astype(np.float32)
    rows, columns = np.nonzero((found >= 0) & (agreement > _ALIKE))
    return probes[rows], found[rows, columns], agreement[rows, columns]


def _is_copied(reader: LineReader, reference: Reference, here: int, there: int) -> bool:
    """Return whether two tracks go on to agree about two positions, or over most of the shorter one."""
    track = reference.track_of(np.array([here, there]))
    shorter = int(np.diff(reference.starts)[track].min())
    line, other = (
        Lines.single(int(number), float(head), 1.0, 0)
        for number, head in zip(track, (here, there), strict=True)
    )
    least = min(reader.likeness_positions // 2, int(_LEAST_SHARE * shorter))
    return bool(reader.likeness(line, other, least=least)[0] > _SAME_RECORDING)
