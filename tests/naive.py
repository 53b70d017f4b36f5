"""Slow, obvious twins of fast code."""

import math
import statistics

import numpy as np


def bits_of(code):
    """The bits of a packed code, first bit first."""
    return [(int(byte) >> (7 - bit)) & 1 for byte in code for bit in range(8)]


def lsh_tables(codes, positions, n_tables, key_bits):
    """A dict from sub-key to list of positions for each table, as random-hyperplane LSH is described."""
    tables = [{} for _ in range(n_tables)]
    for code, position in zip(codes, positions, strict=True):
        for table, key in zip(tables, lsh_keys(code, n_tables, key_bits), strict=True):
            table.setdefault(key, []).append(int(position))
    return tables


def lsh_keys(code, n_tables, key_bits):
    """The bits that each table takes of a code."""
    bits = bits_of(code)
    last = len(bits) - key_bits
    firsts = [t * last // max(1, n_tables - 1) for t in range(n_tables)]
    return [tuple(bits[first : first + key_bits]) for first in firsts]


def lsh_lookup(tables, codes, key_bits, largest_bucket):
    """Every (row, position) that stands in a bucket which is not too full."""
    hits = []
    for row, code in enumerate(codes):
        for table, key in zip(tables, lsh_keys(code, len(tables), key_bits), strict=True):
            bucket = table.get(key, [])
            if len(bucket) <= largest_bucket:
                hits += [(row, position) for position in bucket]
    return sorted(hits)


def hamming_neighbours(codes, queries, k):
    """The distances of the `k` nearest codes of each query, ascending."""
    bits = np.unpackbits(codes, axis=1)
    apart = [(bits != np.unpackbits(query)).sum(axis=1) for query in queries]
    return np.array([np.sort(distances)[:k] for distances in apart])


def hyperplane_sides(embedding, centre, planes):
    """On which side of each hyperplane an embedding lies, in double precision."""
    sides = []
    for column in range(planes.shape[1]):
        terms = [
            (float(x) - float(c)) * float(p)
            for x, c, p in zip(embedding, centre, planes[:, column], strict=True)
        ]
        sides.append(sum(terms))
    return sides


def frames_of(y, n_fft, hop_length):
    """Every whole frame, one after the other."""
    rows = []
    start = 0
    while start + n_fft <= len(y):
        rows.append([float(sample) for sample in y[start : start + n_fft]])
        start += hop_length
    return np.array(rows).reshape(-1, n_fft)


def triangle(band, n_bins, bin_hz, lowest_hz, bands_per_octave):
    """The weights of one band: a triangle a band wide on each side, or a bin if that is more; sum 1."""
    centre_hz = lowest_hz * 2 ** (band / bands_per_octave)
    half_hz = max(lowest_hz * 2 ** ((band + 1) / bands_per_octave) - centre_hz, bin_hz)
    weights = [max(0.0, 1 - abs(bin_ * bin_hz - centre_hz) / half_hz) for bin_ in range(n_bins)]
    total = sum(weights)
    return [weight / total for weight in weights]


def contrast(row, n_neighbours):
    """How far each band stands above the mean of itself and its neighbours, or below."""
    out = []
    for band in range(len(row)):
        around = [row[other] for other in range(len(row)) if abs(other - band) <= n_neighbours]
        out.append(float(row[band]) - float(sum(map(float, around))) / len(around))
    return out


def fold(row, bands_per_semitone, lowest_class):
    """Each band to its pitch class; one that lies between two gives to both what the other leaves."""
    classes = [0.0] * 12
    for band, value in enumerate(row):
        whole, thirds = divmod(band, bands_per_semitone)
        upper = thirds / bands_per_semitone
        classes[(lowest_class + whole) % 12] += float(value) * (1 - upper)
        classes[(lowest_class + whole + 1) % 12] += float(value) * upper
    return classes


def embedding(frames, row, n_steps, delay):
    """One embedding: the frame at the end of the span that starts at `row`, and its predecessors."""
    present = row + (n_steps - 1) * delay
    return [float(value) for step in range(n_steps) for value in frames[present - step * delay]]


def running_mean(frames, n_frames):
    """Means of every `n_frames` frames in a row."""
    rows = frames.tolist()
    return [
        [sum(values) / n_frames for values in zip(*rows[first : first + n_frames], strict=True)]
        for first in range(len(rows) - n_frames + 1)
    ]


def vote_bins(votes, now, direction, half_life, bin_frames, at_most, per_track, groups=None):
    """The heaviest bins of votes, which are tuples (time, position, track, shift, weight, by_lsh).

    Returns tuples (shift, track, head, weight, faiss_votes, lsh_votes): up to ``at_most[0]`` of shift 0, best
    first, then up to ``at_most[1]`` of shift 1, and so on.
    """
    found = []
    for shift, most in enumerate(at_most):
        own = [(*vote[:3], *vote[4:]) for vote in votes if vote[3] == shift]
        bins = vote_bins_of_a_shift(own, now, direction, half_life, bin_frames, most, per_track, groups)
        found += [(shift, *offset_bin) for offset_bin in bins]
    return found


def vote_bins_of_a_shift(votes, now, direction, half_life, bin_frames, at_most, per_track, groups):
    """The same of votes (time, position, track, weight, by_lsh) as tuples (track, head, weight, ...)."""
    own = {}
    for time, position, track, weight, by_lsh in votes:
        offset = position - direction * time
        left = 2.0 ** ((time - now) / half_life)
        offset_bin = own.setdefault((track, offset // bin_frames), [0.0, 0.0, 0.0, 0.0])
        offset_bin[0] += left * weight
        offset_bin[2 if by_lsh else 1] += left
        offset_bin[3] += left * weight * offset
    total = {}
    for track, place in own:
        near = [own[near] for step in (0, 1, -1) if (near := (track, place + step)) in own]
        total[track, place] = [sum(column) for column in zip(*near, strict=True)]
    taken, found = [], []
    for (track, place), (weight, faiss, lsh, moment) in sorted(
        total.items(), key=lambda item: (-item[1][0], item[0])
    ):
        before = total.get((track, place - 1), [-1.0])[0]
        after = total.get((track, place + 1), [-1.0])[0]
        if before >= weight or after > weight:
            continue
        group = track if groups is None else groups[track]
        if taken.count((track, group)) < per_track and [g for _, g in taken].count(group) < 2 * per_track:
            taken.append((track, group))
            found.append((track, moment / weight + direction * now, weight, faiss, lsh))
    return found[:at_most]


def gathered(key, sums, latest, left, new_key, summands, time, least, oldest):
    """Sums after fading and adding, as a dict from the key to a list of columns and the latest moment."""
    bins = {k: ([left * s for s in row], moment) for k, row, moment in zip(key, sums, latest, strict=True)}
    for k, row, moment in zip(new_key, summands, time, strict=True):
        there, last = bins.get(k, ([0.0] * len(row), moment))
        bins[k] = [a + b for a, b in zip(there, row, strict=True)], max(last, moment)
    return {
        k: offset_bin
        for k, offset_bin in bins.items()
        if offset_bin[0][0] >= least and offset_bin[1] >= oldest
    }


def peak_rows(key, weight):
    """Rows that no neighbour outweighs, and what each weighs with its neighbours."""
    bins = dict(zip(key, weight, strict=True))
    total = {k: bins[k] + bins.get(k - 1, 0.0) + bins.get(k + 1, 0.0) for k in bins}
    rows = [
        row for row, k in enumerate(key) if total.get(k - 1, -1.0) < total[k] >= total.get(k + 1, -1.0)
    ]  # fmt: skip
    return rows, list(total.values())


def heaviest(rows, ranges, labels, weight, at_most, per_label, groups, per_group):
    """Rows taken one by one, range by range and heaviest first, where there is room."""
    taken = []
    for row in sorted(rows, key=lambda row: (ranges[row], -weight[row], row)):
        of_range = [other for other in taken if ranges[other] == ranges[row]]
        of_label = [other for other in of_range if labels[other] == labels[row]]
        of_group = [other for other in of_range if groups[labels[other]] == groups[labels[row]]]
        room = at_most[ranges[row]] if ranges[row] < len(at_most) else 0
        if len(of_range) < room and len(of_label) < per_label and len(of_group) < per_group:
            taken.append(row)
    return taken


def background_scores(z, group, prior_mean, prior_variance, least_weight, enough):
    """Mean and deviation of the best place of each independent group; the better place stands first."""
    best = {}
    for row, one in zip(z, group, strict=True):
        best.setdefault(one, row)
    supposed = max(least_weight, enough - len(best))
    means, deviations = [], []
    for window, (mean, variance) in enumerate(zip(prior_mean, prior_variance, strict=True)):
        found = [row[window] for row in best.values()]
        means.append((sum(found) + mean) / (len(found) + 1))
        squares = sum((one - means[-1]) ** 2 for one in found)
        deviations.append(math.sqrt((squares + supposed * variance) / (len(found) + supposed)))
    return means, deviations


def agreement_along(codes, first, last, query, audible, stride, head, speed):
    """Bit agreement at each position back along one line; those outside [first, last] count nothing."""
    n_bits = 8 * codes.shape[1]
    backwards = -1 if speed > 0 else 1
    position = -backwards * math.floor(-backwards * head + 0.5 / stride)  # the newest that the line has met
    steps = []
    for _ in range(len(query) // stride):
        back = round(max((head - position) / speed, 0) * stride)
        if back < len(query) and first <= position <= last and audible[back]:
            unlike = sum(a != b for a, b in zip(bits_of(codes[position]), bits_of(query[back]), strict=True))
            steps.append(1 - 2 * unlike / n_bits)
        else:
            steps.append(0.0)
        position += backwards
    return steps


def coarse_steps(chroma, hop):
    """Weighted means of two hops of frames, a hop apart."""
    window = np.hanning(2 * hop + 2)[1:-1]
    firsts = range(0, len(chroma) - 2 * hop + 1, hop)
    return np.array([np.average(chroma[first : first + 2 * hop], axis=0, weights=window) for first in firsts])


def shingle_similarity(query, steps, tempi):
    """The best cosine of slow movements over all tempi and keys, in the time domain of classes."""
    n = len(steps)
    time = (np.arange(n) + 0.5) / n
    best = -1.0
    for tempo in tempi:
        read = []
        for ago in np.arange(n)[::-1] / tempo:
            newer = int(ago)
            read.append(query[newer] * (1 - ago + newer) + query[newer + 1] * (ago - newer))
        for key in range(12):
            turned = np.roll(np.array(read), -key, axis=1)
            moves = []
            for rows in (turned, steps):
                centred = rows - rows.mean(axis=1, keepdims=True)
                waves = [
                    np.cos(np.pi * j * time) / np.linalg.norm(np.cos(np.pi * j * time)) for j in range(1, 5)
                ]
                moves.append(np.concatenate([wave @ centred for wave in waves]))
            norms = np.linalg.norm(moves[0]) * np.linalg.norm(moves[1])
            best = max(best, float(moves[0] @ moves[1] / norms))
    return best


def pitch_waves():
    """The harmonics 1 to 6 over the classes: six cosines, then five sines, each of length 1."""
    waves = [[math.cos(math.tau * h * k / 12) for k in range(12)] for h in range(1, 7)]
    waves += [[math.sin(math.tau * h * k / 12) for k in range(12)] for h in range(1, 6)]
    return [[one / math.sqrt(sum(x**2 for x in wave)) for one in wave] for wave in waves]


def greatest_products(queries, shingle):
    """The greatest product over queries and keys, as the shingle is and as it reads backwards."""
    waves, products = pitch_waves(), ([], [])
    for query in queries:
        for key in range(12):
            parts = []
            for half in (0, 22):
                part = 0.0
                for first in (half, half + 11):
                    moves = [sum(query[first + w] * waves[w][k] for w in range(11)) for k in range(12)]
                    turned = [moves[(k + key) % 12] for k in range(12)]
                    again = [sum(turned[k] * wave[k] for k in range(12)) for wave in waves]
                    part += sum(a * b for a, b in zip(again, shingle[first : first + 11], strict=True))
                parts.append(part)
            products[0].append(parts[0] + parts[1])
            products[1].append(parts[0] - parts[1])
    return max(products[0]), max(products[1])


def unit_rows_in_key(chroma, key, inside, counted, still):
    """Rows of bytes in another key, as unit vectors from the mean of some; zero outside and in silence."""
    turned = [[row[(k - key) % 12] / 255 for k in range(12)] for row in chroma.tolist()]
    means = [sum(row[k] for row in turned[counted[0] : counted[1]]) for k in range(12)]
    means = [mean / max(1, counted[1] - counted[0]) for mean in means]
    rows = []
    for number, row in enumerate(turned):
        away = [one - mean for one, mean in zip(row, means, strict=True)]
        norm = max(math.sqrt(sum(one**2 for one in away)), still)
        heard = any(row) and inside[0] <= number < inside[1]
        rows.append([one / norm if heard else 0.0 for one in away])
    return rows


def best_path(query, rows, lowest, n_columns):
    """The best path through a band: its sum, and per step column, distance beside, product and row."""
    band = [[rows[first + column] for column in range(n_columns)] for first in lowest]
    products = [
        [sum(q * r for q, r in zip(heard, row, strict=True)) for row in among]
        for heard, among in zip(query.tolist(), band, strict=True)
    ]
    total, path = warped(products)
    beside = []
    for column, own in zip(path, products, strict=True):
        near = range(max(0, column - 2), min(n_columns, column + 3))
        weights = [max(0, own[one]) ** 2 for one in near]
        moment = sum(weight * (one - column) for weight, one in zip(weights, near, strict=True))
        beside.append(moment / max(sum(weights), 1e-9))
    alike = [own[column] for own, column in zip(products, path, strict=True)]
    return total, path, beside, alike, [among[column] for among, column in zip(band, path, strict=True)]


def warped(alike):
    """The best path through a small matrix, of all there are; a step aside costs 1."""
    paths = [(alike[0][column], [column]) for column in range(len(alike[0]))]
    for row in alike[1:]:
        paths = [
            (total + row[column] - (column != path[-1]), [*path, column])
            for total, path in paths
            for column in range(len(row))
            if abs(column - path[-1]) <= 1
        ]
    return max(paths)


def changes(db, groups, stroke, lately, alike, around, sparse, share):
    """What changes in each frame of `db`, rows of bands in dB, one number after the other.

    What goes before the first frame is like it.
    """
    n, out, running = len(db[0]), [], 0.0
    size, larger = divmod(n, groups)  # the first ones are larger by one
    ends = [size * (g + 1) + min(g + 1, larger) for g in range(groups)]

    def at(t):
        return db[max(t, 0)]

    def loudest(row, b):
        return max(row[near] for near in (b - 1, b, b + 1) if 0 <= near < n)

    def shape(row):
        mirrored = [*row[::-1], *row, *row[::-1]]
        means = [statistics.fmean(mirrored[n + b - around // 2 : n + b + around // 2 + 1]) for b in range(n)]
        return [max(0.0, x - m) for x, m in zip(row, means, strict=True)]

    def norm(values):
        return math.sqrt(sum(x * x for x in values)) + 1e-3

    def by_group(rises):
        return [statistics.fmean(rises[a:b]) for a, b in zip([0, *ends], ends, strict=False)]

    for t, now in enumerate(db):
        rises = [max(0.0, now[b] - loudest(at(t - stroke), b)) for b in range(n)]
        past = [max(loudest(at(t - ago), b) for ago in range(lately[0], lately[1] + 1)) for b in range(n)]
        new = [max(0.0, x - y) for x, y in zip(now, past, strict=True)]
        here = shape(now)
        likeness = []
        for ago in alike:
            then = shape(at(t - ago))
            overlap = sum(x * loudest(then, b) for b, x in enumerate(here))
            likeness.append(overlap / (norm(here) * norm(then)))
        partials = statistics.fmean(sorted(new)[-(n // sparse) :])
        out.append(
            [*by_group(rises), *by_group(new), partials, *likeness, norm(here) / math.sqrt(n), running]
        )
        running += share * (max(by_group(rises)) - running)
    return out


def f_measure(truth, found, together_s, window_s):
    """Harmonic mean of precision and recall of times, each matched once; what is together in truth is one."""
    apart = []
    for time_s in truth:
        if not apart or time_s - apart[-1] >= together_s:
            apart.append(time_s)
    matched, left = 0, list(found)
    for time_s in apart:
        near = next((other for other in left if abs(other - time_s) <= window_s), None)
        if near is not None:
            matched += 1
            left.remove(near)
    return 2 * matched / (len(apart) + len(found))


def peaks(log_odds, least, before, after, rest):
    """The frames that are onsets: higher than those after them, as high as those before, one at a time."""
    found = []
    for frame in range(len(log_odds) - after):
        here, past = log_odds[frame], log_odds[max(0, frame - before) : frame]
        highest = here >= least and here > max(log_odds[frame + 1 : frame + after + 1])
        highest = highest and all(here >= value for value in past)
        if highest and (not found or frame - found[-1] > rest):
            found.append(frame)
    return found


def best_split(y, guard, tiny):
    """The split that explains samples best as two stretches of steady variance, tried one by one."""
    best = None
    for k in range(guard, len(y) - guard + 1):
        early = sum(float(x) ** 2 for x in y[:k]) / k
        late = sum(float(x) ** 2 for x in y[k:]) / (len(y) - k)
        cost = k * math.log(early + tiny) + (len(y) - k) * math.log(late + tiny)
        if best is None or cost < best[0]:
            best = (cost, k)
    whole = len(y) * math.log(sum(float(x) ** 2 for x in y) / len(y) + tiny)
    return best[1], whole - best[0]


def differing_along(words, first, length, query, heard, head, speed, shift, stride, windows):
    """Bits that differ along one line, by window and by position; None where nothing is compared."""
    n_positions, n_words = len(query[0]) // stride, len(words[0]) if len(words) else len(query[0][0])
    forward = speed > 0
    newest = math.floor(head + 0.5 / stride) if forward else -math.floor(-head + 0.5 / stride)
    lowest = newest - (n_positions - 1) if forward else newest
    steps = []
    for back in range(n_positions):
        position = newest - back if forward else newest + back
        frame = round(max(((lowest - head) + (position - lowest)) * (-stride / speed), 0))
        if 0 <= position < length and frame < len(query[shift]) and heard[shift][frame]:
            pairs = zip(words[first + position], query[shift][frame], strict=True)
            steps.append(sum((int(a) ^ int(b)).bit_count() for a, b in pairs))
        else:
            steps.append(None)
    counted = [32 * n_words if bits is None else bits for bits in steps]
    return [sum(counted[:window]) for window in windows], steps


def bits_differing(codes, newest_first):
    """Bits that differ if what was heard, a code per position, ends at each one; before the track, half."""
    track, query = ([int.from_bytes(code.tobytes()) for code in some] for some in (codes, newest_first))
    half = 8 * codes.shape[1] // 2
    return [
        sum(
            (track[head - back] ^ code).bit_count() if back <= head else half
            for back, code in enumerate(query)
        )
        for head in range(len(track))
    ]


def nearest(neighbours, limit, recordings, removed, per_recording, at_most):
    """Of (distance, track, position), nearest first: what counts, and whether there may be more of it."""
    near = [one for one in neighbours if one[0] < limit]
    counted = []
    for one in near:
        recording = recordings[one[1]]
        before = [other for other in counted if recordings[other[1]] == recording]
        if recordings.count(recording) == 1 or len(before) < per_recording:
            counted.append(one)
    few = not counted or (len(counted) < at_most and (removed or len(counted) < len(near)))
    return counted[:at_most], few


def nearest_places(tracks, queries, asked, most):
    """Per query, (distance, track, position) of what is strictly nearer than the last of those asked for."""
    found = []
    for query in queries:
        places = sorted(
            (sum((int(a) ^ int(b)).bit_count() for a, b in zip(query, code, strict=True)), track, position)
            for track, codes in enumerate(tracks)
            for position, code in enumerate(codes)
        )
        near = []
        for count in (asked, 8 * asked):  # more are asked for where as many are equally near
            beyond = places[count - 1][0] if len(places) > count else math.inf
            near = near or [place for place in places if place[0] < beyond][:most]
        found.append(near)
    return found


def specific_loudness(y, sr, frame):
    """Loudness of one frame in 24 critical bands, bin by bin and band by band."""
    n_fft = {11_025: 256, 22_050: 512, 44_100: 1024}[sr]
    edges = [0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700]
    edges += [4400, 5300, 6400, 7700, 9500, 12_000, 15_500]
    part = [float(value) for value in y[frame * n_fft // 2 :][:n_fft]]
    window = [0.5 - 0.5 * math.cos(2 * math.pi * i / n_fft) for i in range(n_fft)]
    window = [float(np.float32(value)) for value in window]
    spectrum = np.fft.fft(np.array(part) * np.array(window))
    norm = n_fft * sum(value**2 for value in window) / 4
    bands = [0.0] * 24
    for k in range(n_fft // 2 + 1):
        for band in range(24):
            if edges[band] <= k * sr / n_fft < edges[band + 1]:
                bands[band] += abs(spectrum[k]) ** 2 / norm
    return [_loudness_of_band(bands, edges, band) if edges[band] < sr / 2 else 0.0 for band in range(24)]


def _loudness_of_band(bands, edges, band):
    from stream_match.descriptors.loudness import _ISO_226, FULL_SCALE_DB

    felt = 0.0
    for other in range(24):
        apart = band - other + 0.474
        felt += bands[other] * 10 ** ((15.81 + 7.5 * apart - 17.5 * math.sqrt(1 + apart**2)) / 10)
    if not felt:
        return 0.0
    level_db = 10 * math.log10(felt) + FULL_SCALE_DB
    edge = math.log(edges[band + 1])
    alpha, transfer, threshold = (
        float(np.interp(edge, np.log(_ISO_226[:, 0]), _ISO_226[:, column])) for column in (1, 2, 3)
    )
    b = (0.4 * 10 ** ((level_db + transfer) / 10 - 9)) ** alpha
    b -= (0.4 * 10 ** ((threshold + transfer) / 10 - 9)) ** alpha
    b += 0.005135
    phon = max(0.0, 40 * math.log10(b) + 94) if b > 0 else 0.0
    return 2 ** ((phon - 40) / 10) if phon >= 40 else (phon / 40) ** 2.642


def fluctuation(loudness, number, frame_rate_hz):
    """Amplitude of the `number`-th modulation of one band, weighted by how strongly its rate is felt."""
    n = len(loudness)
    total = sum(value * complex(np.exp(-2j * np.pi * number * i / n)) for i, value in enumerate(loudness))
    rate = number * frame_rate_hz / n
    return abs(total) * 2 / n / (rate / 4 + 4 / rate)


def seven_statistics(values):
    """Mean, median, variance, skewness, kurtosis, least and greatest, as their definitions read."""
    mean, variance = statistics.fmean(values), statistics.pvariance(values)
    if max(values) == min(values):
        return mean, values[0], 0.0, 0.0, 0.0, values[0], values[0]
    deviation = math.sqrt(variance)
    skewness, kurtosis = (
        statistics.fmean(((v - mean) / deviation) ** power for v in values) for power in (3, 4)
    )
    return mean, statistics.median(values), variance, skewness, kurtosis, min(values), max(values)


def fused_distance(a, b, lengths, weights):
    """Root of the sum over sets of weight times mean squared difference."""
    total, first = 0.0, 0
    for length, weight in zip(lengths, weights, strict=True):
        for x, y in zip(a[first : first + length], b[first : first + length], strict=True):
            total += weight * (x - y) ** 2 / length
        first += length
    return math.sqrt(total)


def music_search(tracks, query, normals, n_tables):
    """Results, and results per frame, of each track: a dict of labels for each table, as the system is told.

    `tracks` are chroma frames by label, `normals` a hyperplane per column. Silent frames are left out.
    """
    bits = normals.shape[1] // n_tables
    tables = [{} for _ in range(n_tables)]

    def keys(frame):
        sides = [
            sum(float(x) * float(p) for x, p in zip(frame, column, strict=True)) > 0 for column in normals.T
        ]
        return [tuple(sides[table * bits : (table + 1) * bits]) for table in range(n_tables)]

    lengths = {}
    for label, frames in tracks.items():
        sounding = [frame for frame in frames if any(frame)]
        lengths[label] = len(sounding)
        for frame in sounding:
            for table, key in zip(tables, keys(frame), strict=True):
                table.setdefault(key, []).append(label)
    counts = dict.fromkeys(tracks, 0)
    for frame in query:
        for table, key in zip(tables, keys(frame), strict=True) if any(frame) else ():
            for label in table.get(key, []):
                counts[label] += 1
    return counts, {label: counts[label] / lengths[label] for label in tracks if lengths[label]}
