"""The arguments of ``index`` and of its actions."""

import argparse
from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import FOLDER, INDEX, MILVUS, add_jobs, index_folder
from stream_match.places import index_place

SKIPPED = (
    "Of files in one folder that differ in their suffix only, such as song.mp3 beside song.flac,\n"
    "one is taken: a lossless one, or else the largest.\n\n"
    "exit status: 1 if files were skipped because they could not be read (the others are in the index: the\n"
    "last line says how many), or if nothing could be done; 2 for a mistake in the arguments"
)

CLUSTER = (
    "With --on, the workers of a Dask cluster read the files. They need the same release of stream-match,\n"
    "and the files under the same paths. The index is the same to the byte. docs/scale.md has the rest."
)

_PATH_OR_URL = "a file or a folder, or a URL of fsspec such as s3://bucket/music"


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``index`` and its actions."""
    parser = command(
        commands,
        "index",
        None,
        help="make and change indexes",
        epilog="example: stream-match index build ~/Music --out models/mine",
    )
    parser.set_defaults(asked=parser)
    actions = parser.add_subparsers(metavar="ACTION")
    for add_action in (
        _build,
        _push,
        _add_tracks,
        _update,
        _remove,
        _compact,
        _describe,
        _hash,
        _list,
        _info,
        _verify,
    ):
        add_action(actions)


def _build(actions: "Subparsers[Parser]") -> None:
    build = command(
        actions,
        "build",
        "index:build",
        help="make an index of audio files and folders",
        epilog="example: stream-match index build ~/Music --out models/mine --jobs 4\n"
        "         stream-match index build /mnt/music --out models/mine --on tcp://HOST:8786\n\n"
        f"{CLUSTER}\n\n{SKIPPED}",
    )
    build.add_argument("paths", nargs="+", metavar="PATH", help=_PATH_OR_URL)
    build.add_argument("--out", type=index_folder, metavar="DIR", required=True, help="folder to make")
    build.add_argument("--replace", action="store_true", help="replace an index that is there")
    _add_builders(build)


def _push(actions: "Subparsers[Parser]") -> None:
    push = command(
        actions,
        "push",
        "index:push",
        help="push an index to a Milvus server, for catalogues that one machine cannot hold",
        epilog="example: stream-match index push models/mine --to milvus://localhost:19530/mine\n\n"
        "Listeners take it up when it is whole. What was there under this name stays until then.\n"
        "milvuss:// encrypts, and takes ?OPTION&OPTION…: cafile=PEM (whom to trust, instead of the system's\n"
        "authorities), certfile=PEM and keyfile=PEM (our own certificate, for servers that ask for one).\n"
        "User and password may stand in STREAM_MATCH_MILVUS_TOKEN, as USER:PASSWORD, or in the file that\n"
        "STREAM_MATCH_MILVUS_TOKEN_FILE names.",
    )
    push.add_argument("index", type=index_folder, metavar="DIR", help=FOLDER)
    push.add_argument(
        "--to",
        required=True,
        metavar="URI",
        help="milvus://[user:password@]HOST[:PORT]/NAME or milvuss://…",
    )


def _add_tracks(actions: "Subparsers[Parser]") -> None:
    add = command(
        actions,
        "add",
        "index:add",
        help="add audio files and folders to an index",
        epilog=f"example: stream-match index add models/mine ~/Music/new\n\n{MILVUS}\n\n{SKIPPED}",
    )
    add.add_argument("index", type=index_place, metavar="DIR", help=INDEX)
    add.add_argument("paths", nargs="+", metavar="PATH", help=_PATH_OR_URL)
    _add_builders(add)


def _update(actions: "Subparsers[Parser]") -> None:
    update = command(
        actions,
        "update",
        "index:update",
        help="take in what is new, changed or gone in files and folders",
        epilog="example: stream-match index update models/mine ~/Music\n\n"
        "Give all paths that the index is made of: a track that is in none of them is removed. A running\n"
        f"listener takes up what has changed.\n\n{SKIPPED}",
    )
    update.add_argument("index", type=index_folder, metavar="DIR", help=FOLDER)
    update.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    _add_builders(update)


def _remove(actions: "Subparsers[Parser]") -> None:
    remove = command(
        actions,
        "remove",
        "index:remove",
        help="take tracks out of an index",
        epilog=f"example: stream-match index remove models/mine album/track01\n\n{MILVUS}",
    )
    remove.add_argument("index", type=index_place, metavar="DIR", help=INDEX)
    remove.add_argument("tracks", nargs="+", metavar="TRACK_ID", help="as index list tells it")


def _compact(actions: "Subparsers[Parser]") -> None:
    compact = command(
        actions,
        "compact",
        "index:compact",
        help="merge what additions and removals have left of an index",
        epilog="example: stream-match index compact models/mine\n"
        "         stream-match index compact models/mine --refit ~/Music\n\n"
        "Tracks that are added are coded by what was fitted to the first ones. Once most of an index is\n"
        "of another kind of music, --refit fits anew, to all of its tracks, and reads their audio for that.\n"
        "What a newer version of stream-match has added is never merged: that is refused.",
    )
    compact.add_argument("index", type=index_folder, metavar="DIR", help=FOLDER)
    compact.add_argument(
        "--refit", nargs="+", type=Path, metavar="PATH", help="files and folders with the audio of all tracks"
    )
    _add_readers(compact)


def _describe(actions: "Subparsers[Parser]") -> None:
    describe = command(
        actions,
        "describe",
        "index:describe",
        help="describe the tracks of an index by what they sound like, for similar and reports",
        epilog="example: stream-match index describe models/mine ~/Music\n\n"
        "Give the paths that the index was built from. Tracks that are described already are passed over,\n"
        "and a run that was broken off goes on where it was. An hour of audio takes one core 3 min.\n\n"
        "exit status: 1 if files were skipped because they could not be read, or are not what the index was\n"
        "made of (the others are described); 2 for a mistake in the arguments",
    )
    describe.add_argument("index", type=index_folder, metavar="DIR", help=FOLDER)
    describe.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    add_jobs(describe)


def _hash(actions: "Subparsers[Parser]") -> None:
    hashing = command(
        actions,
        "hash",
        "index:hash_tracks",
        help="count the chroma frames of the tracks in LSH tables, for identify --method lsh-counts",
        epilog="example: stream-match index hash models/mine ~/Music\n\n"
        "Give the paths that the index was built from. Only tracks that have not been hashed are read: run\n"
        "it again after add or update.\n\n"
        "exit status: 1 if files were skipped because they could not be read or have changed; 2 for a\n"
        "mistake in the arguments",
    )
    hashing.add_argument("index", type=index_folder, metavar="DIR", help=FOLDER)
    hashing.add_argument("paths", nargs="+", type=Path, metavar="AUDIO", help="a file or a folder")
    add_jobs(hashing)


def _list(actions: "Subparsers[Parser]") -> None:
    listing = command(
        actions,
        "list",
        "index:list_tracks",
        help="list the tracks of an index: length, id, title, artist, album",
        epilog=f"example: stream-match index list models/demo\n\n{MILVUS}",
    )
    listing.add_argument("index", type=index_place, metavar="DIR", help=INDEX)
    listing.add_argument("--json", action="store_true", help="print a line of JSON per track")


def _info(actions: "Subparsers[Parser]") -> None:
    info = command(
        actions,
        "info",
        "index:info",
        help="say what an index holds",
        epilog=f"example: stream-match index info models/demo --json\n\n{MILVUS}",
    )
    info.add_argument("index", type=index_place, metavar="DIR", help=INDEX)
    info.add_argument("--json", action="store_true", help="print JSON")


def _verify(actions: "Subparsers[Parser]") -> None:
    verify = command(
        actions,
        "verify",
        "index:verify",
        help="check an index for damage",
        epilog="example: stream-match index verify models/demo\n\n"
        "Every file that manifest.json names is compared with it, byte by byte, and tables with codes.\n"
        "MODEL_CARD.md is for people and is not checked. On a server, all blocks are compared with their\n"
        "hashes, and a sample of what is searched is looked up.\n\n"
        f"{MILVUS}\n\n"
        "exit status: 1 if something is wrong",
    )
    verify.add_argument("index", type=index_place, metavar="DIR", help=INDEX)


def _add_readers(parser: argparse.ArgumentParser) -> None:
    readers = parser.add_mutually_exclusive_group()
    add_jobs(readers)
    readers.add_argument(
        "--on", metavar="tcp://HOST:8786", help="read on the Dask cluster with this scheduler; or tls://…"
    )


def _add_builders(parser: argparse.ArgumentParser) -> None:
    _add_readers(parser)
    parser.add_argument(
        "--metadata", type=Path, metavar="FILE.csv", help="columns id,title,artist,…, instead of tags"
    )
