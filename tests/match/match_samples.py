"""References of random codes, and queries that were planted in them."""

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.index.lines import as_words
from stream_match.index.projection import Projection
from stream_match.match.query import Query
from stream_match.match.reference import HASHED_STRIDE, Hyperplanes, TrackCodes, assemble
from stream_match.match.votes import Cells


def random_codes(n, seed, n_bits=128):
    return np.random.default_rng(seed).integers(0, 256, (n, n_bits // 8), dtype=np.uint8)


def reference_of(tracks_codes, *, stride=4, audible=None, n_bits=128):
    """A catalogue of codes, which no audio has been coded to; its chroma codes say the same."""
    settings = FeatureSettings(code_stride_frames=stride, n_bits=n_bits, chroma_bits=n_bits)
    no_planes = Projection(np.zeros(1, np.float32), np.ones((1, n_bits), np.float32))
    coded = [
        TrackCodes(codes, codes[::HASHED_STRIDE], np.ones(len(codes), bool) if audible is None else audible)
        for codes in tracks_codes
    ]
    tracks = [Track(id=f"track{number}") for number in range(len(coded))]
    return assemble(tracks, coded, Hyperplanes(no_planes, no_planes), settings)


def flipped(codes, share, seed):
    """Codes some of whose bits are wrong."""
    bits = np.unpackbits(codes, axis=1)
    return np.packbits(bits ^ (np.random.default_rng(seed).random(bits.shape) < share), axis=1)


def query_along(
    reference, head, *, positions=60, speed=1.0, wrong=0.2, seed=0, now=1000.0, shift=0, n_shifts=1
):
    """What is heard if a reference has played up to a position; at other shifts it is chance."""
    stride = reference.settings.listening().code_stride_frames
    read = np.rint(head - speed * np.arange(positions * stride) / stride).astype(np.int64)
    codes = reference.codes
    sets = [random_codes(len(read), seed + 1000 + other, 8 * codes.shape[1]) for other in range(n_shifts)]
    sets[shift] = flipped(codes[read], wrong, seed)
    return Query(np.stack([as_words(one) for one in sets]), np.ones(len(read), bool), now, stride)


def cells_at(reference, heads, *, seed=0, n_random=15, shift=0):
    """Cells at reference positions, up to half a position beside them, among random ones."""
    rng, stride = np.random.default_rng(seed), reference.settings.listening().code_stride_frames
    heads = np.concatenate([heads, rng.uniform(0, len(reference.codes), n_random)])
    track = reference.track_of(heads.astype(np.int64))
    frames = heads * stride + rng.uniform(-stride / 2, stride / 2, len(heads))
    ones = np.ones(len(heads), np.int64)
    return Cells(track, shift * ones, frames, ones.astype(np.float32), ones, ones)


def no_cells():
    none = np.empty(0, np.int64)
    return Cells(none, none, none.astype(np.float64), none.astype(np.float32), none, none)
