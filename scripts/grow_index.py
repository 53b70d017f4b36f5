"""Make a large index out of a small one: its tracks, and copies of them with their bits in other orders.

Run it as .venv/bin/python scripts/grow_index.py INDEX --hours 131 --out DIR. Codes of a copy are as near to
each other as those of its track, and as far from all others as chance has it. So costs follow from the size
of the index, and what is found does not change: no copy can be heard.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from growing.material import permutations, permuted

from stream_match.catalog.card import card
from stream_match.catalog.coded_tracks import CodedTrack, each_stored
from stream_match.catalog.entries import PLANES, SEGMENTS, CatalogueParts, Counts, Manifest, SegmentEntry
from stream_match.catalog.generation import new_segment
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, text_of
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import write_planes, write_segment
from stream_match.catalog.store import OpenIndex, open_index
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.errors import StreamMatchError
from stream_match.features.chroma import N_CHROMA
from stream_match.index.coding import TrackCodes
from stream_match.threads import one_thread


def main(argv: Sequence[str] | None = None) -> int:
    """Make the index; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--segment-hours",
        type=float,
        default=1e9,
        metavar="H",
        help="of a segment at most; one for all by default, as build makes it",
    )
    args = parser.parse_args(argv)
    try:
        with one_thread():
            _grow(open_index(args.index), settled(args.out), args.hours, args.segment_hours)
    except StreamMatchError as error:
        print(f"grow_index: {error}", file=sys.stderr)
        return 1
    return 0


def _grow(index: OpenIndex, out: Path, hours: float, segment_hours: float) -> None:
    with writing(out, lambda: check_place(out, replace=False)) as draft:
        planes = write_planes(index.planes, draft.new / PLANES)
        entries: list[SegmentEntry] = []
        rows: list[TrackRow] = []
        tracks = _first(_all_tracks(index), hours * 3600)
        while portion := [*_first(tracks, segment_hours * 3600)]:
            made = new_segment(portion, index.manifest.settings)
            entries.append(write_segment(made.segment, made.rows, draft.new / SEGMENTS))
            rows += made.rows
            print(f"{sum(row.seconds for row in rows) / 3600:.1f} h, {len(rows)} tracks", file=sys.stderr)
        manifest = Manifest(
            generation=1,
            fingerprint=index.manifest.fingerprint,
            settings=index.manifest.settings,
            counts=Counts(
                tracks=len(rows),
                seconds=round(sum(row.seconds for row in rows), 3),
                codes=sum(row.codes for row in rows),
            ),
            excess=index.manifest.excess,
            cohort=index.manifest.cohort,
            parts=CatalogueParts(hyperplanes=planes),
            segments=tuple(entries),
        )
        (draft.new / MANIFEST_FILE).write_bytes(text_of(manifest, {}))
        (draft.new / CARD_FILE).write_text(card(manifest), encoding="utf-8")


def _first(tracks: Iterator[CodedTrack], seconds: float) -> Iterator[CodedTrack]:
    """Yield tracks until there is so much audio; the others can be taken afterwards."""
    for track in tracks:
        yield track
        seconds -= track.row.seconds
        if seconds <= 0:
            return


def _all_tracks(index: OpenIndex) -> Iterator[CodedTrack]:
    """Yield the tracks of an index, and then copies of them without end."""
    own = [track for segment in index.segments for track in each_stored(segment)]
    yield from own
    settings = index.manifest.settings
    orders = zip(
        permutations(settings.n_bits, 0),
        permutations(settings.chroma_bits, 1),
        permutations(N_CHROMA, 2),
        strict=True,
    )
    for copy, (bits, chroma_bits, classes) in enumerate(orders):
        for track in own:
            codes = TrackCodes(
                permuted(track.codes.codes, bits),
                permuted(track.codes.chroma_codes, chroma_bits),
                track.codes.audible,
            )
            name = f"{track.row.id}~{copy}"
            sha256 = hashlib.sha256(name.encode()).hexdigest()
            row = track.row.model_copy(update={"id": name, "sha256": sha256, "copies": ()})
            coarse = None if track.coarse is None else track.coarse[:, classes]
            yield CodedTrack(row, codes, coarse)


if __name__ == "__main__":
    raise SystemExit(main())
