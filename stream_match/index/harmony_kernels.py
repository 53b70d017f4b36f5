"""Compiled loops over coarse chroma: what is alike in any key, and the best paths."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import FLOAT32, INT, INT64, REAL, array_of, compiled, inlined

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Float16 = npt.NDArray[np.float16]
Bytes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]

_LEVELS = 255
"""Of coarse chroma as bytes."""

_AT_ONCE = 112
"""Shingles that are compared at once: with what they are compared with, they fit the processor's first cache.
A power of two would have them compete for the same lines of it."""

_PITCHES, _HALF, _COEFFICIENTS = 11, 22, 44
"""Numbers of the transform over the classes, coefficients of the even cosines, and of all."""

_HALF_STEP, _FIFTH = np.float32(0.5), np.float32(np.sqrt(0.75))
"""Cosine and sine of a sixth of a turn."""

_BESIDE = 2
"""Columns on each side of a path that say where exactly it runs."""


@compiled(array_of(np.uint8, 2), INT, INT64, INT64, REAL, array_of(np.float32, 2, written=True))
def _unit_rows(chroma: Bytes, key: int, inside: Int64, counted: Int64, still: float, rows: Float32) -> None:
    """Fill rows [shape=(12, n_rows)] with unit vectors; what is silent or outside becomes zero."""
    n_classes, n_rows = rows.shape
    norm, loud = np.zeros(n_rows, np.float32), np.zeros(n_rows, np.uint8)
    for number in range(n_classes):
        own = (number - key) % n_classes
        total = 0
        for row in range(counted[0], counted[1]):
            total += chroma[row, own]
        mean = np.float32(total / (max(1, counted[1] - counted[0]) * _LEVELS))
        rows[number] = -mean
        for row in range(inside[0], inside[1]):
            loud[row] |= chroma[row, own]
            rows[number, row] += np.float32(chroma[row, own]) / np.float32(_LEVELS)
        for row in range(n_rows):
            norm[row] += rows[number, row] * rows[number, row]
    for row in range(n_rows):
        norm[row] = max(np.sqrt(norm[row]), still) if loud[row] else np.inf
    for number in range(n_classes):
        for row in range(n_rows):
            rows[number, row] /= norm[row]


@compiled(array_of(np.float32, 2), array_of(np.float32, 2), INT64, array_of(np.float32, 2, written=True))
def _products(query: Float32, rows: Float32, lowest: Int64, products: Float32) -> None:
    """Fill products [shape=(n_query, n_columns)] with those in the band."""
    products[:] = 0
    for step in range(len(query)):
        for number in range(query.shape[1]):
            own, first = query[step, number], lowest[step]
            for column in range(products.shape[1]):
                products[step, column] += own * rows[number, first + column]


@compiled(
    array_of(np.float32, 2), REAL, array_of(np.int8, 2, written=True), array_of(np.float32, written=True)
)
def _best_sums(products: Float32, bend: float, came: npt.NDArray[np.int8], best: Float32) -> None:
    """Fill best [shape=(n_columns,)] with the sums of the paths that end there, and whence they came."""
    n_query, n_columns = products.shape
    before = np.full(n_columns + 2, -np.inf, np.float32)  # nothing comes from outside the band
    for column in range(n_columns):
        best[column] = products[0, column]
    for step in range(1, n_query):
        for column in range(n_columns):
            before[column + 1] = best[column]
        for column in range(n_columns):
            ahead, aside = before[column + 1], np.int8(0)
            left, right = before[column] - bend, before[column + 2] - bend
            aside = np.int8(-1) if left > ahead else aside
            ahead = max(ahead, left)
            came[step, column] = np.int8(1) if right > ahead else aside
            best[column] = max(ahead, right) + products[step, column]


@compiled(FLOAT32, INT)
def _centre(products: Float32, column: int) -> float:
    """Return how many columns beside one the centre of gravity of the squared products about it lies."""
    moment, weights = 0.0, 0.0
    for aside in range(max(-_BESIDE, -column), min(_BESIDE + 1, len(products) - column)):
        weight = np.float64(max(products[column + aside], np.float32(0))) ** 2
        moment += weight * aside
        weights += weight
    return moment / max(weights, 1e-9)


@compiled(
    array_of(np.float32, 2),
    array_of(np.uint8, 3),
    INT64,
    array_of(np.int64, 2),
    array_of(np.int64, 2),
    array_of(np.int64, 2),
    INT,
    REAL,
    REAL,
)
def best_paths(
    query: Float32,
    chroma: Bytes,
    key: Int64,
    inside: Int64,
    counted: Int64,
    lowest: Int64,
    n_columns: int,
    bend: float,
    still: float,
) -> tuple[Float32, Int64, Float64, Float32, Float32]:
    """Warp a query onto stretches of reference, each within a band.

    The rows of a stretch are compared as unit vectors from their mean, in the key of the query. A path meets
    a row for each query step. It moves aside by one column a step at most.

    Parameters
    ----------
    query : np.ndarray [shape=(n_query, 12), dtype=float32]
        Unit vectors, newest first; zero where silent.
    chroma : np.ndarray [shape=(n, n_rows, 12), dtype=uint8]
        Coarse chroma of the stretches.
    key : np.ndarray [shape=(n,), dtype=int64]
        Semitones that the query is higher, 0 to 11.
    inside, counted : np.ndarray [shape=(n, 2), dtype=int64]
        First row and end of what lies inside the track, and of what the mean is taken over. The second lies
        within the first.
    lowest : np.ndarray [shape=(n, n_query), dtype=int64]
        Row of the band's first column at each query step.
    n_columns : int
    bend : float
        What a path pays for each step aside.
    still : float
        Distance from the mean that a row is divided by at least.

    Returns
    -------
    total : np.ndarray [shape=(n,), dtype=float32]
        Sum of the products along each path, less what its bends cost.
    column : np.ndarray [shape=(n, n_query), dtype=int64]
    beside : np.ndarray [shape=(n, n_query), dtype=float64]
        Columns, -2 to 2: the centre of gravity of the squared products about the path. What bends cost
        keeps a path from a slight drift.
    alike : np.ndarray [shape=(n, n_query), dtype=float32]
        The products along each path.
    met : np.ndarray [shape=(n, n_query, 12), dtype=float32]
        The rows that each path meets.
    """
    (n_query, n_classes), (n, n_rows) = query.shape, chroma.shape[:2]
    rows = np.empty((n_classes, n_rows), np.float32)
    products = np.empty((n_query, n_columns), np.float32)
    came = np.zeros((n_query, n_columns), np.int8)
    best = np.empty(n_columns, np.float32)
    total, columns = np.empty(n, np.float32), np.empty((n, n_query), np.int64)
    beside, alike = np.empty((n, n_query), np.float64), np.empty((n, n_query), np.float32)
    met = np.empty((n, n_query, n_classes), np.float32)
    for line in range(n):
        _unit_rows(chroma[line], key[line], inside[line], counted[line], still, rows)
        _products(query, rows, lowest[line], products)
        _best_sums(products, bend, came, best)
        column = int(np.argmax(best))
        total[line] = best[column]
        for step in range(n_query - 1, -1, -1):
            columns[line, step] = column
            beside[line, step] = _centre(products[step], column)
            alike[line, step] = products[step, column]
            for number in range(n_classes):
                met[line, step, number] = rows[number, lowest[line, step] + column]
            column += came[step, column]
    return total, columns, beside, alike, met


def likeness(queries: Float32, coefficients: Float16) -> Float32:
    """Return how alike each shingle is to the query, at the best tempo and in the best key.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_tempi, 44), dtype=float32]
        Coefficients of the query at each tempo, in one key; see `stream_match.index.shingles`.
    coefficients : np.ndarray [shape=(n, 44), dtype=float16]
        May be mapped from a file.

    Returns
    -------
    np.ndarray [shape=(2, n), dtype=float32]
        Greatest product; row 0 as the shingle is, row 1 as it reads backwards. It does not depend on what
        stands beside a shingle.
    """
    alike = np.empty((2, len(coefficients)), np.float32)
    _likeness(queries, coefficients.view(np.uint16), alike)
    return alike


def likeness_in_lists(queries: Float32, data: Bytes, at: Int64, sizes: Int64) -> Float32:
    """Return the same for shingles that lie in lists, as whole numbers of -127 to 127.

    Parameters
    ----------
    queries : np.ndarray [shape=(n_tempi, 44), dtype=float32]
    data : np.ndarray [shape=(n_bytes,), dtype=uint8]
        May be mapped from a file. A byte holds a number plus 128.
    at, sizes : np.ndarray [shape=(n_lists,), dtype=int64]
        First byte of each list, and its number of shingles. All must lie within the data.

    Returns
    -------
    np.ndarray [shape=(2, n), dtype=float32]
        For the shingles of all lists, in order.
    """
    alike = np.empty((2, int(sizes.sum())), np.float32)
    _likeness_in_lists(queries, data, at, sizes, alike)
    return alike


@inlined
def _turned(query: Float32, shingles: Float32, lane: int, number: int) -> tuple[np.float32, np.float32]:
    """Return the cross spectrum of two cosines at a harmonic: real and imaginary part."""
    real, imaginary = np.float32(0), np.float32(0)
    for first in (number, number + _PITCHES):
        a, b = query[first], query[first + 6]
        c, d = shingles[first, lane], shingles[first + 6, lane]
        real, imaginary = real + (a * c + b * d), imaginary + (a * d - b * c)
    return real, imaginary


@inlined
def _best_key(
    a1: np.float32,
    b1: np.float32,
    a2: np.float32,
    b2: np.float32,
    a3: np.float32,
    b3: np.float32,
    a4: np.float32,
    b4: np.float32,
    a5: np.float32,
    b5: np.float32,
    a6: np.float32,
) -> np.float32:
    """Return the greatest of the twelve products that a cross spectrum is the transform of.

    Half a turn on, the odd harmonics change their sign, and a quarter of a turn on, the second and the
    sixth: so the twelve are six sums of an even part and of an odd one taken as positive.
    """
    # Even harmonics: the fourth is the same three times, the second and the sixth change their sign.
    fourth1, fourth2 = _FIFTH * b4 - _HALF_STEP * a4, -_FIFTH * b4 - _HALF_STEP * a4
    sine, cosine = _FIFTH * b2, _HALF_STEP * a2
    second0, second1, second2 = a2 + a6, sine + cosine - a6, sine - cosine + a6
    # Odd harmonics: the first and the fifth mirror each other.
    cosines, sines = a1 + a5, b1 + b5
    wide, narrow = _FIFTH * (a1 - a5), _HALF_STEP * cosines
    low, high = _HALF_STEP * sines, _FIFTH * (b1 - b5)
    odd0, odd3 = abs(cosines + a3), abs(sines - b3)
    odd1, odd5 = abs(wide + low + b3), abs(low - wide + b3)
    odd2, odd4 = abs(narrow + high - a3), abs(high - narrow + a3)
    best: np.float32 = max(
        max(a4 + second0 + odd0, a4 - second0 + odd3),
        max(fourth1 + second1 + odd1, fourth1 - second1 + odd4),
        max(fourth2 + second2 + odd2, fourth2 - second2 + odd5),
    )
    return best


@compiled(array_of(np.float32, 2), array_of(np.float32, 2))
def _greatest(queries: Float32, shingles: Float32) -> Float32:
    """Return the greatest products [shape=(2, _AT_ONCE)] of shingles [shape=(44, _AT_ONCE)].

    Compiled code takes the lanes by whole vectors only if it knows that what is written, which was allocated
    here, is nowhere read as something else.
    """
    best = np.full((2, _AT_ONCE), -np.inf, np.float32)
    for tempo in range(len(queries)):
        query = queries[tempo]
        for lane in range(_AT_ONCE):
            e1, f1 = _turned(query, shingles, lane, 0)
            e2, f2 = _turned(query, shingles, lane, 1)
            e3, f3 = _turned(query, shingles, lane, 2)
            e4, f4 = _turned(query, shingles, lane, 3)
            e5, f5 = _turned(query, shingles, lane, 4)
            o1, p1 = _turned(query, shingles, lane, _HALF)
            o2, p2 = _turned(query, shingles, lane, _HALF + 1)
            o3, p3 = _turned(query, shingles, lane, _HALF + 2)
            o4, p4 = _turned(query, shingles, lane, _HALF + 3)
            o5, p5 = _turned(query, shingles, lane, _HALF + 4)
            e6 = query[5] * shingles[5, lane] + query[16] * shingles[16, lane]
            o6 = query[27] * shingles[27, lane] + query[38] * shingles[38, lane]
            forward = _best_key(
                e1 + o1,
                f1 + p1,
                e2 + o2,
                f2 + p2,
                e3 + o3,
                f3 + p3,
                e4 + o4,
                f4 + p4,
                e5 + o5,
                f5 + p5,
                e6 + o6,
            )
            backward = _best_key(
                e1 - o1,
                f1 - p1,
                e2 - o2,
                f2 - p2,
                e3 - o3,
                f3 - p3,
                e4 - o4,
                f4 - p4,
                e5 - o5,
                f5 - p5,
                e6 - o6,
            )
            best[0, lane] = max(best[0, lane], forward)
            best[1, lane] = max(best[1, lane], backward)
    return best


@compiled(array_of(np.float32, 2), array_of(np.uint16, 2), array_of(np.float32, 2, written=True))
def _likeness(queries: Float32, coefficients: Halves, alike: Float32) -> None:
    """Compare as `likeness` says; half floats become floats by moving their bits and by a factor."""
    bits = np.zeros((_COEFFICIENTS, _AT_ONCE), np.uint32)
    for first in range(0, len(coefficients), _AT_ONCE):
        count = min(_AT_ONCE, len(coefficients) - first)
        for lane in range(count):
            for number in range(_COEFFICIENTS):
                half = np.uint32(coefficients[first + lane, number])
                sign = (half & np.uint32(0x8000)) << np.uint32(16)
                bits[number, lane] = sign | ((half & np.uint32(0x7FFF)) << np.uint32(13))
        best = _greatest(queries, bits.view(np.float32) * np.float32(2.0**112))
        for lane in range(count):
            alike[0, first + lane], alike[1, first + lane] = best[0, lane], best[1, lane]


@compiled(array_of(np.float32, 2), array_of(np.uint8, 1), INT64, INT64, array_of(np.float32, 2, written=True))
def _likeness_in_lists(queries: Float32, data: Bytes, at: Int64, sizes: Int64, alike: Float32) -> None:
    """Compare as `likeness_in_lists` says."""
    shingles = np.zeros((_COEFFICIENTS, _AT_ONCE), np.float32)
    done, count = 0, 0
    for number in range(len(at)):
        for own in range(sizes[number]):
            # A part is read in half the time: where it ends is not asked for each byte.
            part = data[at[number] + own * _COEFFICIENTS :][:_COEFFICIENTS]
            for coefficient in range(_COEFFICIENTS):
                shingles[coefficient, count] = np.float32(np.int32(part[coefficient]) - 128)
            count += 1
            if count == _AT_ONCE or done + count == alike.shape[1]:
                best = _greatest(queries, shingles)
                for lane in range(count):
                    alike[0, done + lane], alike[1, done + lane] = best[0, lane], best[1, lane]
                done, count = done + count, 0
