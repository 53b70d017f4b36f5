"""``index``: build, push, add, update, remove, compact, describe, hash, list, info, verify."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_match import catalog
from stream_match.catalog import BuildReport
from stream_match.catalog.find import Skipped
from stream_match.catalog.progress import audio_bar
from stream_match.catalog.url_path import place
from stream_match.catalog.yardstick import disagreements_with_librosa
from stream_match.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    from stream_match.catalog import IndexInfo
    from stream_match.catalog.rows import TrackRow
    from stream_match.milvus.address import MilvusAddress
    from stream_match.milvus.describe import RemoteInfo

_LISTED = {"id", "title", "artist", "album", "seconds"}


def build(args: argparse.Namespace) -> int:
    """Run ``index build``; return the exit status."""
    report = catalog.build_index(
        [*map(place, args.paths)],
        args.out,
        jobs=args.jobs,
        on=args.on,
        metadata=args.metadata,
        replace=args.replace,
        progress=sys.stderr.isatty(),
    )
    return _tell(report, f"{args.out} holds")


def push(args: argparse.Namespace) -> int:
    """Run ``index push``; return the exit status."""
    from stream_match.milvus.push import push_index

    address = _address(args.to)
    total_s = catalog.describe_index(args.index).hours * 3600
    with audio_bar(total_s, shown=sys.stderr.isatty()) as progress:
        report = push_index(args.index, address, progress=progress)
    if report.swept:
        complain(f"deleted what broken pushes had left: {report.swept} collections")
    complain(
        f"{address.uri} is generation {report.generation} now: {_tracks(report.tracks)}, "
        f"{report.audio_s / 60:.1f} min of audio, in {report.seconds:.1f} s"
    )
    return 0


def add(args: argparse.Namespace) -> int:
    """Run ``index add``; return the exit status."""
    if isinstance(args.index, str):
        return _add_remote(args)
    report = catalog.add_tracks(
        args.index,
        [*map(place, args.paths)],
        jobs=args.jobs,
        on=args.on,
        metadata=args.metadata,
        progress=sys.stderr.isatty(),
    )
    return _tell(report, f"added to {args.index}:")


def _add_remote(args: argparse.Namespace) -> int:
    from stream_match.milvus.add import add_remote

    address = _address(args.index)
    report = add_remote(
        address,
        [*map(place, args.paths)],
        jobs=args.jobs,
        on=args.on,
        metadata=args.metadata,
        progress=sys.stderr.isatty(),
    )
    return _tell(report, f"added to {address.uri}:")


def update(args: argparse.Namespace) -> int:
    """Run ``index update``; return the exit status."""
    report = catalog.update_index(
        args.index,
        args.paths,
        jobs=args.jobs,
        on=args.on,
        metadata=args.metadata,
        progress=sys.stderr.isatty(),
    )
    _tell_of_files(report.build)
    complain(
        f"{args.index}: {report.added} new, {report.changed} changed, {report.removed} gone, {report.kept} "
        f"as before, in {report.build.seconds:.1f} s; files skipped: {len(report.build.skipped)}"
    )
    return 1 if report.build.skipped else 0


def compact(args: argparse.Namespace) -> int:
    """Run ``index compact``; return the exit status."""
    count = catalog.compact_index(
        args.index, refit=args.refit, jobs=args.jobs, on=args.on, progress=sys.stderr.isatty()
    )
    complain(f"{args.index} is one segment now, of {_tracks(count)}")
    return 0


def describe(args: argparse.Namespace) -> int:
    """Run ``index describe``; return the exit status."""
    from stream_match.offline.tables.indexed import describe_tracks

    report = describe_tracks(args.index, args.paths, jobs=args.jobs, progress=sys.stderr.isatty())
    _tell_of_passed_over(report.ignored, report.skipped)
    if report.others:
        complain(f"files that are no tracks of the index: {report.others}")
    if report.partly:
        complain(f"tracks shorter than 6 s or longer than 10 min, which not all sets take: {report.partly}")
    told = f"{report.new} file{'' if report.new == 1 else 's'}"
    if report.resumed:
        told += f", {report.resumed} of them by a run that was broken off"
    complain(
        f"described {told}, {report.audio_s / 60:.1f} min of audio, in {report.seconds:.1f} s; "
        f"{report.described} of {_tracks(report.tracks)} of {args.index} have descriptors; "
        f"files skipped: {len(report.skipped)}"
    )
    return 1 if report.skipped else 0


def hash_tracks(args: argparse.Namespace) -> int:
    """Run ``index hash``; return the exit status."""
    report = catalog.hash_index(args.index, args.paths, jobs=args.jobs, progress=sys.stderr.isatty())
    _tell_of_passed_over(report.ignored, report.skipped)
    if report.lacking:
        complain(
            f"without LSH counts, and not looked for by them: {_tracks(len(report.lacking))}, such as "
            f"{report.lacking[0]!r}"
        )
    complain(
        f"{args.index}: {_tracks(report.hashed)} hashed, {report.audio_s / 60:.1f} min of audio, "
        f"{report.kept} before, in {report.seconds:.1f} s; files skipped: {len(report.skipped)}"
    )
    return 1 if report.skipped else 0


def remove(args: argparse.Namespace) -> int:
    """Run ``index remove``; return the exit status."""
    if isinstance(args.index, str):
        from stream_match.milvus.remove import remove_remote

        address = _address(args.index)
        complain(f"removed {_tracks(remove_remote(address, args.tracks))} from {address.uri}")
        return 0
    count = catalog.remove_tracks(args.index, args.tracks)
    complain(f"removed {_tracks(count)} from {args.index}")
    return 0


def info(args: argparse.Namespace) -> int:
    """Run ``index info``; return the exit status."""
    about = _describe(args.index)
    if args.json:
        say_json(about.model_dump_json())
    else:
        lines = [*_flat(about.model_dump(mode="json"))]
        width = max(len(key) for key, _ in lines)
        say(*(f"{key:{width}} {value}" for key, value in lines))
        if (hint := getattr(about, "hint", None)) is not None:
            complain(hint)
    return 0


def _describe(index: Path | str) -> "IndexInfo | RemoteInfo":
    if isinstance(index, str):
        from stream_match.milvus.describe import describe_remote

        return describe_remote(_address(index))
    return catalog.describe_index(index)


def list_tracks(args: argparse.Namespace) -> int:
    """Run ``index list``; return the exit status."""
    for row in _rows(args.index):
        if args.json:
            say_json(json.dumps(row.model_dump(include=_LISTED), ensure_ascii=False))
        else:
            named = " – ".join(filter(None, (row.title, row.artist, row.album)))
            say(f"{_length(row.seconds):>8}  {row.id}" + (f"  {named}" if named else ""))
    return 0


def _rows(index: Path | str) -> "tuple[TrackRow, ...]":
    if isinstance(index, str):
        from stream_match.milvus.describe import list_remote

        return list_remote(_address(index))
    return catalog.list_tracks(index)


def verify(args: argparse.Namespace) -> int:
    """Run ``index verify``; return the exit status."""
    if isinstance(args.index, str):
        return _verify_remote(args.index)
    faults = catalog.verify_index(args.index)
    if not faults:
        faults = disagreements_with_librosa(catalog.describe_index(args.index).settings)
    for fault in faults:
        complain(fault)
    if not faults:
        complain(f"{args.index} is whole, and this machine computes the same features as librosa")
    return 1 if faults else 0


def _verify_remote(uri: str) -> int:
    from stream_match.milvus.describe import describe_remote
    from stream_match.milvus.verify import verify_remote

    address = _address(uri)
    about = describe_remote(address)
    with audio_bar(about.hours * 3600, shown=sys.stderr.isatty()) as progress:
        faults = verify_remote(address, progress=progress) or disagreements_with_librosa(about.settings)
    for fault in faults:
        complain(fault)
    if not faults:
        complain(f"{address.uri} is whole, and this machine computes the same features as librosa")
    return 1 if faults else 0


def _address(uri: str) -> "MilvusAddress":
    from stream_match.milvus.address import MilvusAddress

    return MilvusAddress.parse(uri)


def _tell(report: BuildReport, what: str) -> int:
    _tell_of_files(report)
    complain(
        f"{what} {_tracks(report.tracks)}, {report.audio_s / 60:.1f} min of audio, "
        f"in {report.seconds:.1f} s; files skipped: {len(report.skipped)}"
    )
    return 1 if report.skipped else 0


def _tell_of_files(report: BuildReport) -> None:
    _tell_of_passed_over(report.ignored, report.skipped)
    for same in report.duplicates:
        complain(f"the same file under several names: {', '.join(same)}")


def _tell_of_passed_over(ignored: Sequence[str], skipped: Sequence[Skipped]) -> None:
    for what_else in ignored:
        complain(f"ignored: {what_else}")
    for _, why in skipped:
        complain(f"skipped: {why}")


def _flat(content: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        elif key == "segments":
            for segment in value:
                yield key, " ".join(f"{name} {what}," for name, what in segment.items()).rstrip(",")
        elif key != "hint" and value not in ([], None):
            yield above + key, value


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _tracks(count: int) -> str:
    return f"{count} track" + ("" if count == 1 else "s")
