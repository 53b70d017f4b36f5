"""Index folders of tracks that were made, pushed to a server, and opened here and there."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy_index import NumpyIndex, lists_in

from stream_match.catalog.coded_tracks import CodedTrack
from stream_match.catalog.entries import PLANES, SEGMENTS, CatalogueParts, Counts, Manifest
from stream_match.catalog.generation import new_segment
from stream_match.catalog.manifest import MANIFEST_FILE, text_of
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import write_planes, write_segment
from stream_match.catalog.store import open_index
from stream_match.features.chroma import N_CHROMA
from stream_match.index.coding import Hyperplanes
from stream_match.index.faiss_index import PROBED, build_faiss
from stream_match.index.projection import Projection


def planes_of(settings):
    """Hyperplanes of the right shape that no audio has been coded with."""

    def projection(columns, n_bits):
        return Projection(np.zeros(columns, np.float32), np.ones((columns, n_bits), np.float32))

    n_steps = settings.n_steps
    return Hyperplanes(
        projection(settings.shape_coefficients * n_steps, settings.n_bits),
        projection(N_CHROMA * n_steps, settings.chroma_bits),
    )


def index_folder(folder, tracks, settings, *, planes=None, cuts=(), removed=(), bias=0.0):
    """Write an index folder of tracks.

    Parameters
    ----------
    tracks : dict of str to (TrackCodes, coarse chroma or None)
        By id; ids ascend.
    cuts : collection of int
        Tracks with which a further segment begins.
    removed : collection of int
        Tracks that are no longer in it, in segments that have others.
    """
    folder.mkdir(exist_ok=True)
    entries, left = [], []
    names = [*tracks]
    for first, beyond in pairwise(sorted({0, *cuts, len(names)})):
        coded = [_coded(name, *tracks[name], settings) for name in names[first:beyond]]
        made = new_segment(coded, settings)
        gone = tuple(number - first for number in sorted(removed) if first <= number < beyond)
        entry = write_segment(made.segment, made.rows, folder / SEGMENTS)
        entries.append(entry.model_copy(update={"removed": gone}))
        left += [row for number, row in enumerate(made.rows) if number not in gone]
    manifest = Manifest(
        generation=1,
        fingerprint=settings.fingerprint(),
        settings=settings,
        counts=Counts(
            tracks=len(left), seconds=sum(row.seconds for row in left), codes=sum(row.codes for row in left)
        ),
        excess=bias,
        parts=CatalogueParts(hyperplanes=write_planes(planes or planes_of(settings), folder / PLANES)),
        segments=tuple(entries),
    )
    (folder / MANIFEST_FILE).write_bytes(text_of(manifest, {}))
    return folder


def _coded(name, codes, coarse, settings):
    seconds = round(len(codes.codes) * settings.code_s, 3)
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return CodedTrack(
        TrackRow(id=name, seconds=seconds, codes=len(codes.codes), sha256=sha256), codes, coarse
    )


def here(folder, searched="faiss"):
    """A folder's catalogue in memory, searched in one of four ways; no background stands beside it."""
    catalogue = open_index(folder).catalogue
    segments = [replace(one, neighbours=SEARCHED[searched](one)) for one in catalogue.segments]
    return replace(catalogue, segments=tuple(segments))


def _numpy_lists(segment):
    lists = build_faiss(segment.codes, flat_up_to=16)
    if lists.exhaustive:
        return NumpyIndex(segment.codes)
    return NumpyIndex(segment.codes, lists_in(lists), probed=PROBED, probed_near=4)


SEARCHED = {
    "faiss": lambda segment: build_faiss(segment.codes, flat_up_to=len(segment)),
    "numpy": lambda segment: NumpyIndex(segment.codes),
    "faiss lists": lambda segment: build_faiss(segment.codes, flat_up_to=16),
    "numpy lists": _numpy_lists,
}
