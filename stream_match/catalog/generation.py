"""The next generation of an index: segments that stay, one that is new, and a manifest of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stream_match.catalog.background import ready
from stream_match.catalog.card import card
from stream_match.catalog.coded_tracks import CodedTrack
from stream_match.catalog.entries import (
    SEGMENTS,
    CatalogueParts,
    Counts,
    Manifest,
)
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, text_of
from stream_match.catalog.segments import OpenSegment, unwritten, write_segment
from stream_match.catalog.self_similarity import Scores, bias_of, self_scores
from stream_match.catalog.store import joined, labels_of
from stream_match.catalog.writing import Draft
from stream_match.config import FeatureSettings
from stream_match.index.catalogue import Catalogue
from stream_match.index.coding import Hyperplanes
from stream_match.index.copies import copies_of
from stream_match.index.harmony import harmony_segment
from stream_match.index.segment import build_segment


@dataclass(frozen=True)
class Basis:
    """What all segments of an index have in common.

    Parameters
    ----------
    settings : FeatureSettings
    planes : Hyperplanes
    parts : CatalogueParts
        What is written of the index as a whole, already or for this generation: those of the index before,
        if they still hold. Which tracks descriptors and counts belong to follows from the tracks' audio.
    generation : int
        Of the index before; 0 if there is none.
    cohort : mapping of str to tuple of float
        What it was asked about its own tracks.
    added : mapping
        What a later version has added to the manifest before, from `Manifest.added`.
    """

    settings: FeatureSettings
    planes: Hyperplanes
    parts: CatalogueParts
    generation: int = 0
    cohort: Scores = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)


def write_generation(
    draft: Draft,
    basis: Basis,
    staying: Sequence[OpenSegment],
    coded: Sequence[CodedTrack],
    new: frozenset[str],
) -> Manifest:
    """Write what is new of a generation, and its manifest.

    Parameters
    ----------
    draft : Draft
    basis : Basis
    staying : sequence of OpenSegment
        Segments that stay, with what has been removed from them.
    coded : sequence of CodedTrack
        What the new segment is made of, in any order; there is none if it is empty.
    new : frozenset of str
        Ids of the tracks in it that the index did not have before.
    """
    segments = [segment for segment in staying if segment.left]
    if coded:
        made = new_segment(coded, basis.settings)
        made = with_copies([*segments, made], _catalogue([*segments, made], basis), new)
        written = write_segment(made.segment, made.rows, draft.new / SEGMENTS)
        segments.append(replace(made, entry=written))
    catalogue = _catalogue(segments, basis)
    known = {name: scores for name, scores in basis.cohort.items() if name not in new}
    manifest = _manifest(segments, basis, self_scores(ready(catalogue), known))
    (draft.new / MANIFEST_FILE).write_bytes(text_of(manifest, basis.added))
    (draft.new / CARD_FILE).write_text(card(manifest), encoding="utf-8")
    return manifest


def _catalogue(segments: Sequence[OpenSegment], basis: Basis) -> Catalogue:
    return joined(segments, basis.planes, _manifest(segments, basis))


def _manifest(segments: Sequence[OpenSegment], basis: Basis, cohort: Scores | None = None) -> Manifest:
    rows = [segment.rows[number] for segment in segments for number in segment.left]
    return Manifest(
        generation=basis.generation + 1,
        fingerprint=basis.settings.fingerprint(),
        settings=basis.settings,
        counts=Counts(
            tracks=len(rows),
            seconds=round(sum(row.seconds for row in rows), 3),
            codes=sum(row.codes for row in rows),
        ),
        excess=bias_of(cohort or {}),
        cohort=dict(cohort or {}),
        parts=basis.parts,
        segments=tuple(segment.entry for segment in segments),
    )


def new_segment(coded: Sequence[CodedTrack], settings: FeatureSettings) -> OpenSegment:
    """Return tracks, ordered by id, as a segment that is not on disk yet.

    Parameters
    ----------
    coded : sequence of CodedTrack
    settings : FeatureSettings
    """
    ordered = sorted(coded, key=lambda track: track.row.id)
    coarse = [track.coarse for track in ordered if track.coarse is not None]
    harmony = harmony_segment(coarse) if len(coarse) == len(ordered) else None
    segment = build_segment([track.codes for track in ordered], settings, harmony)
    return OpenSegment(unwritten(segment), tuple(track.row for track in ordered), segment)


def with_copies(segments: Sequence[OpenSegment], catalogue: Catalogue, new: frozenset[str]) -> OpenSegment:
    """Return the last segment; its new tracks bear the labels of the recordings that they hold.

    Parameters
    ----------
    segments : sequence of OpenSegment
    catalogue : Catalogue
        Of all of them.
    new : frozenset of str
        Ids of the tracks that were not there before.
    """
    made = segments[-1]
    numbers = catalogue.tracks.numbers
    among = np.array([numbers[row.id] for row in made.rows if row.id in new], np.int64)
    labels = copies_of(catalogue, among, labels_of(segments))
    rows = [
        row.model_copy(update={"copies": tuple(sorted(labels[numbers[row.id]] - {row.sha256}))})
        if numbers[row.id] in labels and row.id in new
        else row
        for row in made.rows
    ]
    return replace(made, rows=tuple(rows))
