"""Catalogues of random codes, and queries that were planted in them.

Places are counted here through all tracks: the head 430 of tracks of 300 codes is position 130 of the second.
"""

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.index.catalogue import Part, catalogue_of, grouped
from stream_match.index.coding import HASHED_STRIDE, Hyperplanes, TrackCodes
from stream_match.index.lines import as_words
from stream_match.index.projection import Projection
from stream_match.index.segment import build_segment
from stream_match.match.recording.query import Query
from stream_match.match.recording.votes import OffsetBins


def random_codes(n, seed, n_bits=128):
    return np.random.default_rng(seed).integers(0, 256, (n, n_bits // 8), dtype=np.uint8)


def settings_of(*, stride=4, n_bits=128):
    return FeatureSettings(code_stride_frames=stride, n_bits=n_bits, chroma_bits=n_bits)


def no_planes(n_bits=128):
    """Hyperplanes that no audio has been coded with."""
    projection = Projection(np.zeros(1, np.float32), np.ones((1, n_bits), np.float32))
    return Hyperplanes(projection, projection)


def coded(tracks_codes, audible=None):
    """Tracks of codes; their chroma codes say the same."""
    return [
        TrackCodes(codes, codes[::HASHED_STRIDE], np.ones(len(codes), bool) if audible is None else audible)
        for codes in tracks_codes
    ]


def segment_of(tracks_codes, *, stride=4, audible=None, n_bits=128):
    return build_segment(coded(tracks_codes, audible), settings_of(stride=stride, n_bits=n_bits))


def reference_of(tracks_codes, *, stride=4, audible=None, n_bits=128, groups=None, cuts=(), named="track"):
    """A catalogue of codes; further segments begin with the tracks `cuts`."""
    tracks = tuple(Track(id=f"{named}{number}") for number in range(len(tracks_codes)))
    parts = []
    for first, beyond in zip((0, *cuts), (*cuts, len(tracks)), strict=True):
        segment = segment_of(tracks_codes[first:beyond], stride=stride, audible=audible, n_bits=n_bits)
        parts.append(Part(segment, tracks[first:beyond]))
    settings = settings_of(stride=stride, n_bits=n_bits)
    return grouped(catalogue_of(parts, no_planes(n_bits), settings), groups)


def starts_of(catalogue):
    """Where each track begins, counted through all tracks, and their end."""
    return np.cumsum([0, *catalogue.tracks.length])


def all_codes(catalogue):
    """The codes of all tracks, one after the other."""
    none = np.empty((0, catalogue.settings.n_bits // 8), np.uint8)
    return np.concatenate([none, *(catalogue.codes(track) for track in range(len(catalogue.tracks)))])


def placed(catalogue, heads):
    """The tracks of places that are counted through all tracks, and the positions there."""
    starts = starts_of(catalogue)
    track = np.searchsorted(starts, np.floor(heads), side="right") - 1
    track = np.clip(track, 0, max(0, len(starts) - 2))
    return track, heads - starts[track]


def counted(catalogue, track, head):
    """A position of a track, counted through all tracks."""
    return starts_of(catalogue)[track] + head


def flipped(codes, share, seed):
    """Codes some of whose bits are wrong."""
    bits = np.unpackbits(codes, axis=1)
    return np.packbits(bits ^ (np.random.default_rng(seed).random(bits.shape) < share), axis=1)


def query_along(
    reference, head, *, positions=60, speed=1.0, wrong=0.2, seed=0, now=1000.0, shift=0, n_shifts=1
):
    """What is heard if a reference has played up to a place; at other shifts it is chance."""
    stride = reference.settings.listening().code_stride_frames
    read = np.rint(head - speed * np.arange(positions * stride) / stride).astype(np.int64)
    codes = all_codes(reference)
    sets = [random_codes(len(read), seed + 1000 + other, 8 * codes.shape[1]) for other in range(n_shifts)]
    sets[shift] = flipped(codes[read], wrong, seed)
    return Query(np.stack([as_words(one) for one in sets]), np.ones(len(read), bool), now, stride)


def bins_at(reference, heads, *, seed=0, n_random=15, shift=0):
    """OffsetBins at places, up to half a position beside them, among random ones."""
    rng, stride = np.random.default_rng(seed), reference.settings.listening().code_stride_frames
    heads = np.concatenate([heads, rng.uniform(0, starts_of(reference)[-1], n_random)])
    track, position = placed(reference, heads)
    frames = position * stride + rng.uniform(-stride / 2, stride / 2, len(heads))
    ones = np.ones(len(heads), np.int64)
    return OffsetBins(track, shift * ones, frames, ones.astype(np.float32), ones, ones)


def no_bins():
    none = np.empty(0, np.int64)
    return OffsetBins(none, none, none.astype(np.float64), none.astype(np.float32), none, none)
