"""Compiled loops over sums, and over places, that are in the order of their keys."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import FLOAT, FLOAT64, INT, INT64, array_of, compiled

Bools = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_SUMS = array_of(np.float64, 2)

_NO_KEY = 1 << 62
"""More than any key."""


@compiled(INT64, _SUMS, INT64, FLOAT, INT64, INT64, _SUMS, INT64, FLOAT, INT)
def gathered(
    key: Int64,
    sums: Float64,
    latest: Int64,
    left: float,
    order: Int64,
    new_key: Int64,
    summands: Float64,
    time: Int64,
    least: float,
    oldest: int,
) -> tuple[Int64, Float64, Int64]:
    """Let sums fade, add summands of the same keys, and drop what is light or old.

    Parameters
    ----------
    key : np.ndarray [shape=(n,), dtype=int64]
        Ascending, each once; below 2 ** 62.
    sums : np.ndarray [shape=(n, 4), dtype=float64]
        The first column is the weight.
    latest : np.ndarray [shape=(n,), dtype=int64]
        Moment of the newest summand of each.
    left : float
        What is left of each sum, as a factor.
    order : np.ndarray [shape=(n_new,), dtype=int64]
        What sorts `new_key`.
    new_key : np.ndarray [shape=(n_new,), dtype=int64]
        Keys of the summands, in any order and any number of each.
    summands : np.ndarray [shape=(n_new, 4), dtype=float64]
    time : np.ndarray [shape=(n_new,), dtype=int64]
        Moment of each summand.
    least : float
        What weighs less is dropped.
    oldest : int
        What got no summand at this moment or later is dropped.

    Returns
    -------
    key, sums, latest : np.ndarray
        New arrays like those given.
    """
    most = len(key) + len(order)
    keys, totals, moments = np.empty(most, np.int64), np.empty((most, 4)), np.empty(most, np.int64)
    old = new = kept = 0
    coming = new_key[order[0]] if len(order) else _NO_KEY
    while old < len(key) or coming != _NO_KEY:
        if old < len(key) and key[old] <= coming:
            here, moment = key[old], latest[old]
            for column in range(4):
                totals[kept, column] = sums[old, column] * left
            old += 1
        else:
            here, moment = coming, time[order[new]]
            totals[kept] = 0
        while coming == here:
            moment = max(moment, time[order[new]])
            for column in range(4):
                totals[kept, column] += summands[order[new], column]
            new += 1
            coming = new_key[order[new]] if new < len(order) else _NO_KEY
        if totals[kept, 0] >= least and moment >= oldest:
            keys[kept], moments[kept] = here, moment
            kept += 1
    return keys[:kept], totals[:kept], moments[:kept]


@compiled(INT64, _SUMS)
def peaks(key: Int64, sums: Float64) -> tuple[Int64, Float64]:
    """Return which sums are not outweighed by the one just before or after: the rest are their echoes.

    Parameters
    ----------
    key : np.ndarray [shape=(n,), dtype=int64]
        Ascending, each once.
    sums : np.ndarray [shape=(n, 4), dtype=float64]
        The first column is the weight. Each counts with those of the keys just before and after its own.

    Returns
    -------
    rows : np.ndarray [shape=(n_peaks,), dtype=int64]
        Ascending; of neighbours that weigh the same, the first.
    weight : np.ndarray [shape=(n,), dtype=float64]
        With that of the neighbours, of all.
    """
    n = len(key)
    weight, rows, found = sums[:, 0].copy(), np.empty(n, np.int64), 0
    for row in range(n - 1):
        if key[row + 1] == key[row] + 1:
            weight[row] += sums[row + 1, 0]
            weight[row + 1] += sums[row, 0]
    for row in range(n):
        if row > 0 and key[row - 1] == key[row] - 1 and weight[row - 1] >= weight[row]:
            continue
        if row < n - 1 and key[row + 1] == key[row] + 1 and weight[row + 1] > weight[row]:
            continue
        rows[found] = row
        found += 1
    return rows[:found], weight


@compiled(INT64, INT, INT, INT, INT)
def _nth(values: Int64, first: int, end: int, value: int, n: int) -> int:
    """Return where a value stands for the n-th time in ``values[first:end]``; `end` if it does not."""
    for place in range(first, end):
        n -= values[place] == value
        if n == 0:
            return place
    return end


@compiled(INT64, INT64, FLOAT64, INT64, INT, INT, INT, INT64, INT)
def heaviest(
    rows: Int64,
    key: Int64,
    weight: Float64,
    at_most: Int64,
    range_bits: int,
    label_bits: int,
    per_label: int,
    groups: Int64,
    per_group: int,
) -> Int64:
    """Return the heaviest of some rows, for each range, with a quota for each label.

    Parameters
    ----------
    rows : np.ndarray [shape=(n_rows,), dtype=int64]
        Ascending.
    key : np.ndarray [shape=(n,), dtype=int64]
        Ascending, no less than 0; from the highest bits to the lowest: range, label, and what else there is.
    weight : np.ndarray [shape=(n,), dtype=float64]
    at_most : np.ndarray [shape=(n_ranges,), dtype=int64]
        How many of each range; what is in further ones is passed over.
    range_bits, label_bits : int
        How many bits are below the range, and below the label.
    per_label : int, >= 1
        How many of one label, in each range.
    groups : np.ndarray [shape=(n_labels,), dtype=int64]
        The group of each label, no less than 0; labels beyond are in none.
    per_group : int, >= 1
        How many of one group, in each range.

    Returns
    -------
    np.ndarray [shape=(n_found,), dtype=int64]
        Range by range, the heaviest first, and of equal ones the first: all for which there is room if they
        come in this order.
    """
    most = at_most.sum()
    found, labels, owners = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    first = end = here = 0
    for row in rows:
        if key[row] >> range_bits != here:
            first, here = end, key[row] >> range_bits
        if here >= len(at_most):
            break
        room = first + at_most[here]
        if end == room and (room == first or weight[row] <= weight[found[end - 1]]):
            continue
        label = key[row] >> label_bits & (1 << range_bits - label_bits) - 1
        owner = groups[label] if label < len(groups) else -1 - label
        # If one has to leave, it is the lightest: of the label, or else of the group, or else of all.
        place = _nth(labels, first, end, label, per_label)
        if place == end:
            place = min(_nth(owners, first, end, owner, per_group), room - 1)
        if place == end:
            end += 1
        elif weight[row] <= weight[found[place]]:
            continue
        while place > first and weight[row] > weight[found[place - 1]]:
            found[place], labels[place], owners[place] = (
                found[place - 1],
                labels[place - 1],
                owners[place - 1],
            )
            place -= 1
        found[place], labels[place], owners[place] = row, label, owner
    return found[:end]


@compiled(INT64, _SUMS, INT64)
def with_neighbours(key: Int64, sums: Float64, rows: Int64) -> Float64:
    """Return the sums of some rows, each with those of the keys just before and after.

    Parameters
    ----------
    key : np.ndarray [shape=(n,), dtype=int64]
        Ascending, each once.
    sums : np.ndarray [shape=(n, 4), dtype=float64]
    rows : np.ndarray [shape=(n_rows,), dtype=int64]

    Returns
    -------
    np.ndarray [shape=(n_rows, 4), dtype=float64]
    """
    totals = sums[rows]
    for number, row in enumerate(rows):
        for other in (row - 1, row + 1):
            if 0 <= other < len(key) and key[other] - key[row] == other - row:
                totals[number] += sums[other]
    return totals


@compiled(array_of(np.float32, 2), INT64, INT64, array_of(np.bool_, 2), FLOAT64, FLOAT64, FLOAT, INT)
def spreads(
    z: Float32,
    group: Int64,
    order: Int64,
    excluded: Bools,
    prior_mean: Float64,
    prior_variance: Float64,
    least_weight: float,
    enough: int,
) -> tuple[Float32, Float32]:
    """Return mean and deviation of the best place of each independent group, for several choices.

    Parameters
    ----------
    z : np.ndarray [shape=(n, n_windows), dtype=float32]
        Of places, by group, best first.
    group : np.ndarray [shape=(n,), dtype=int64]
        Ascending.
    order : np.ndarray [shape=(n,), dtype=int64]
        Number of each place.
    excluded : np.ndarray [shape=(n_choices, n), dtype=bool]
        Which places do not count, by number.
    prior_mean, prior_variance : np.ndarray [shape=(n_windows,), dtype=float64]
        The mean is supposed as if one more had been seen.
    least_weight : float
        The variance is supposed as if so many more had been seen,
    enough : int
        or as many as there are fewer than this.

    Returns
    -------
    mean, deviation : np.ndarray [shape=(n_choices, n_windows), dtype=float32]
    """
    n_windows = z.shape[1]
    means = np.empty((len(excluded), n_windows), np.float32)
    deviations = np.empty((len(excluded), n_windows), np.float32)
    best = np.empty(len(group), np.int64)
    for choice in range(len(excluded)):
        count = 0
        for place in range(len(group)):
            seen = count > 0 and group[best[count - 1]] == group[place]
            if not (excluded[choice, order[place]] or seen):
                best[count] = place
                count += 1
        supposed = max(least_weight, float(enough - count))
        for window in range(n_windows):
            total = np.float32(0)
            for place in best[:count]:
                total = np.float32(total + z[place, window])
            mean = (total + prior_mean[window]) / (count + 1)
            squares = 0.0
            for place in best[:count]:
                squares += (z[place, window] - mean) ** 2
            squares += supposed * prior_variance[window]
            means[choice, window] = mean
            deviations[choice, window] = np.sqrt(squares / (count + supposed))
    return means, deviations
