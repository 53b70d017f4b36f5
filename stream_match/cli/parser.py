"""The arguments of all commands."""

import argparse
import math
from pathlib import Path
from typing import NoReturn

from stream_match.cli.command import Parser, Subparsers
from stream_match.cli.command import command as _command
from stream_match.cli.config_parser import config_commands
from stream_match.cli.log_lines import FORMATS
from stream_match.cli.operations_parser import add_doctor_arguments, add_health_arguments
from stream_match.cli.terminal import say

SOURCES = (
    "sources: PATH | http(s)://… | rtsp://… | mic: | mic:NAME | demo: |\n"
    "         pcm:-?rate=48000&channels=2&format=s16le\n"
    "         name=URI gives a source its name in topics and events"
)
BROKERS = (
    "         user and password may stand in STREAM_MATCH_MQTT_USERNAME and STREAM_MATCH_MQTT_PASSWORD, or\n"
    "         the password in the file that STREAM_MATCH_MQTT_PASSWORD_FILE names\n"
    "         mqtts:// encrypts, and takes ?OPTION&OPTION…: cafile=PEM (whom to trust, instead of the\n"
    "         system's authorities), certfile=PEM and keyfile=PEM (our own certificate, for brokers\n"
    "         that ask for one), insecure=1 (any certificate of the broker is accepted)"
)
SINKS = (
    "sinks:   mqtt://[user:pass@]host[:port][/base] | mqtts://… | embedded: |\n"
    f"         jsonl:- | jsonl:PATH | console:\n{BROKERS}"
)
CONFIG = """\
FILE.toml, overridden by the command line:
  node = "attic"
  index = "models/demo"
  pace = "real"
  sinks = ["mqtt://broker.local/stream_match", "jsonl:events.jsonl"]
  state = "state"
  reconnect_max_seconds = 10
  [[sources]]
  uri = "https://radio.example/stream"
  name = "radio-example"
  title = "Radio Example"
  [match]
  max_false_alarms_per_hour = 0.1
  [onsets]
  enabled = true"""


class _Version(argparse.Action):
    """Prints the version of the installed package; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            say(f"stream-match {version('stream-match')}")
        except PackageNotFoundError:  # a checkout that is run as it stands
            say("stream-match (not installed)")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; it sets ``run`` to ``module:function`` of the command, or to None for help."""
    parser = Parser(
        prog="stream-match",
        description="Says within seconds what is playing and where in it we are.",
        epilog="example: stream-match demo",
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.set_defaults(run=None, asked=parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for add in (
        _listen,
        _identify,
        _explain,
        _compare,
        _features,
        _similar,
        _genre,
        _report,
        _onsets,
        _index,
        _history,
        _mark,
        _watch,
        _name,
        _doctor,
        _health,
        _devices,
        config_commands,
        _demo,
    ):
        add(commands)
    return parser


def _listen(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "listen",
        "listen:run",
        help="listen to sources and publish what is playing and which sounds begin",
        epilog="example: stream-match listen --source kitchen=mic: --index models/demo --sink mqtt://localhost\n\n"
        f"{SOURCES}\n{SINKS}\n\n{CONFIG}\n\n"
        "exit status: 0 also after SIGINT or SIGTERM; 1 if a source failed\n"
        "or events could not be delivered; 2 for a mistake in the arguments",
    )
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; the rest overrides them")
    parser.add_argument("--source", action="append", metavar="URI", help="what to listen to; may be repeated")
    parser.add_argument(
        "--index", type=Path, metavar="DIR", help="folder of the index; without one, only sounds are told"
    )
    parser.add_argument("--no-match", action="store_true", help="do not look for tracks")
    parser.add_argument("--no-onsets", action="store_true", help="do not listen for sounds that begin")
    parser.add_argument(
        "--no-sounds-like", action="store_true", help="do not say which tracks unknown music resembles"
    )
    parser.add_argument(
        "--genre-model", type=Path, metavar="DIR", help="names the genre of unknown music (train_genre.py)"
    )
    parser.add_argument(
        "--announce-onsets",
        action="store_true",
        help="tell a sound at once, too, before its cluster is known",
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder in which events and clusters are kept over restarts"
    )
    parser.add_argument("--sink", action="append", metavar="URI", help="where events go; console: by default")
    parser.add_argument(
        "--pace", choices=("real", "fast"), help="files as they are heard (default), or faster"
    )
    parser.add_argument("--node", metavar="NAME", help="name of this listener; the host's name by default")
    parser.add_argument(
        "--web",
        nargs="?",
        const="127.0.0.1:8765",
        metavar="HOST:PORT",
        help="show a page with what is playing; at 127.0.0.1:8765 if nothing else is said",
    )
    parser.add_argument(
        "--log-format", choices=FORMATS, default="text", help="json: one object a line, for log collectors"
    )
    parser.add_argument(
        "--discovery", action="store_true", help="let Home Assistant know the sources by itself, over MQTT"
    )
    _alarms(parser, "0.1")


def _identify(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "identify",
        "identify:run",
        help="say what is playing in files",
        epilog="example: stream-match identify --index models/demo --json recording.wav\n\n"
        "exit status: 1 if a file could not be read; the others are done all the same",
    )
    parser.add_argument("--index", type=Path, metavar="DIR", required=True, help="folder of the index")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per file")
    parser.add_argument(
        "--all",
        action="store_true",
        help="add the best candidates that are not claimed; of lsh-counts, all tracks with a result",
    )
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="a file")
    parser.add_argument(
        "--method",
        choices=("engine", "lsh-counts"),
        default="engine",
        help="lsh-counts: rank the tracks by how many chroma frames share a bucket of an LSH table, a "
        "baseline that claims nothing; the index needs LSH counts (stream-match index hash)",
    )
    parser.add_argument(
        "-k", type=_at_least_one, metavar="K", help="tracks that lsh-counts lists; 10 by default"
    )
    _alarms(parser, "so many that one unknown file in four hundred gets a name")


def _explain(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "explain",
        "explain:run",
        help="say and draw why a file matched, or why it did not",
        epilog="example: stream-match explain recording.wav --index models/demo --out why.png\n\n"
        "exit status: 1 if the file could not be read; 2 for a mistake in the arguments, such as a track\n"
        "that the index does not have",
    )
    parser.add_argument("file", metavar="FILE", help="a file of sound")
    parser.add_argument("--index", type=Path, metavar="DIR", required=True, help="folder of the index")
    parser.add_argument(
        "--track", metavar="ID", help="the track to explain; by default the best match, or else candidate"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PNG", required=True, help="the picture; needs matplotlib (extra: plot)"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON, as identify does")
    _alarms(parser, "as of identify")


def _compare(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "compare",
        "compare:run",
        help="compare two recordings frame by frame: what they share, where, and how fast",
        epilog="example: stream-match compare take1.wav take2.wav --plot both.png\n\n"
        "Each frame of A is linked to the nearest frames of B. The best path through the links tells where\n"
        "the two run alike. There always is one: compare its links with those of A read backwards.\n\n"
        "exit status: 1 if a file could not be read; 2 for a mistake in the arguments",
    )
    parser.add_argument("a", metavar="A", help="a file of sound")
    parser.add_argument("b", metavar="B", help="another one, the reference")
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="draw links and affinities; needs matplotlib (extra: plot)"
    )
    parser.add_argument(
        "--features",
        choices=("chroma-cqt", "chroma", "mfcc"),
        default="chroma-cqt",
        help="what is compared: pitch classes by the constant-Q transform (default) or by the Fourier "
        "transform, or the sound's colour",
    )
    parser.add_argument(
        "--mode",
        choices=("connectivity", "distance", "affinity"),
        default="affinity",
        help="what is drawn beside the links, and counted by --json; affinity by default",
    )
    parser.add_argument(
        "--k", type=_at_least_one, metavar="N", help="frames of B that each frame of A is linked to"
    )
    parser.add_argument(
        "--metric",
        default="cosine",
        metavar="NAME",
        help="cosine (default), euclidean, or one of scikit-learn's",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON")


def _features(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "features",
        "features:run",
        help="describe audio files and folders by what they sound like, in a table",
        epilog="example: stream-match features ~/Music --set rp --out features.parquet\n\n"
        "sets:  rp     Rhythm Patterns: 24 critical bands x 60 modulations, 1440 columns\n"
        "       ssd    Statistical Spectrum Descriptors: 7 statistics x 24 bands, 168 columns\n"
        "       gtzan  the 57 columns of the published GTZAN table, by librosa\n\n"
        "A run that was broken off goes on where it was when the same command is given again.\n\n"
        "exit status: 1 if files were skipped because they could not be read or are too short (the others\n"
        "are in the table), or if nothing could be done; 2 for a mistake in the arguments",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument("--set", choices=("rp", "ssd", "gtzan"), required=True, help="which descriptors")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", required=True,
        help="the table, ending in .csv or .parquet; the latter needs pyarrow (extra: table)",
    )  # fmt: skip
    parser.add_argument(
        "--window",
        type=_positive,
        metavar="S",
        help="a row for each S seconds, and a column start_s; by default a row for the whole file",
    )
    _jobs(parser)


def _similar(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "similar",
        "similar:run",
        help="list the tracks of an index, or of a table, that sound most like one of them, or like a file",
        epilog="example: stream-match similar album/one --index models/mine --html out.html --audio ~/Music\n"
        "         stream-match similar album/one --table features.parquet --metric cosine\n\n"
        "An index needs descriptors, which stream-match index describe DIR AUDIO adds. A table is what\n"
        "stream-match features writes, or the published GTZAN table. Several tables of the same tracks,\n"
        "each of other sets, are joined by name. Each column is brought to mean 0 and deviation 1 first.\n\n"
        "metrics: weighted  Euclidean; each set counts by its weight, whatever its number of columns\n"
        "         scaled    the same, all weights 1\n"
        "         l2, l1    Euclidean, sum of absolute differences\n"
        "         cosine    1 less the cosine of the angle\n\n"
        "exit status: 1 if the file could not be described; 2 for a mistake in the arguments, such as a\n"
        "name that is not there, or an index without descriptors",
    )
    parser.add_argument("query", metavar="TRACK_OR_FILE", help="the id of a track, or a file of sound")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--index", type=Path, metavar="DIR", help="folder of an index with descriptors")
    where.add_argument(
        "--table", type=Path, action="append", metavar="FILE",
        help="instead: a table ending in .csv or .parquet; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--sets", type=_sets, metavar="SET,…",
        help="what is compared of an index; rp,ssd by default, and there is gtzan",
    )  # fmt: skip
    parser.add_argument(
        "--metric", choices=("l1", "l2", "scaled", "weighted", "cosine"),
        help="how distances are measured; weighted by default",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=_weights, metavar="SET=W,…",
        help="of the sets, for the metric weighted; rp=0.5,ssd=0.9 by default, and 1 for gtzan",
    )  # fmt: skip
    parser.add_argument("-k", type=_at_least_one, metavar="N", help="how many tracks; 10 by default")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per track")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the list as a page, too")
    parser.add_argument(
        "--audio", type=Path, nargs="+", metavar="PATH",
        help="files and folders with the audio, so that the page has a player for each track",
    )  # fmt: skip


def _sets(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    strange = [name for name in names if name not in ("rp", "ssd", "gtzan")]
    if strange or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} names no sets as rp,ssd,gtzan does")
    return names


def _report(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "report",
        "report:run",
        help="show a recording, or a collection, on one page of HTML",
        epilog="example: stream-match report song.mp3\n"
        "         stream-match report --index models/mine ~/Music --out music.html\n"
        "         stream-match report --table features.csv ~/Music --out music.html\n\n"
        "A recording is shown in figures: waveform, spectra, parts, centroid, MFCC, chroma. Of more than\n"
        "5 minutes, the first 5 are. A collection is shown by a map and a list of its tracks, near-\n"
        "duplicates, loudness, tempo and correlations; with the folders of its audio, tracks can be played.\n"
        "The page needs no network. Figures need matplotlib (extra: plot).\n\n"
        "exit status: 1 if the file or the index could not be read; 2 for a mistake in the arguments",
    )
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH",
        help="the recording; or files and folders of a collection, to play its tracks",
    )  # fmt: skip
    parser.add_argument("--index", type=Path, metavar="DIR", help="a collection: folder of its index")
    parser.add_argument(
        "--table", type=Path, action="append", default=[], metavar="FILE",
        help="a collection, or what describes that of --index: a table of features, or the published GTZAN "
        "table; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="HTML",
        help="the page; one that is there is replaced. By default NAME-report.html here, if there is none",
    )  # fmt: skip


def _genre(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "genre",
        "genre:run",
        help="name the genre of files, by a model that you have trained",
        epilog="example: stream-match genre song.mp3 --model my-genres\n\n"
        "No model comes with stream-match. scripts/train_genre.py makes one of a folder that has a folder\n"
        "of music for each genre. A file whose likeliest genre is not likely enough is unsure. One that is\n"
        "unlike all music trained on is unfamiliar. The card of the model says how both are decided.\n\n"
        "exit status: 1 if a file could not be described (the others are done all the same), or the model\n"
        "cannot be read; 2 if there is none, or for a mistake in the arguments",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file of sound")
    parser.add_argument("--model", type=Path, metavar="DIR", help="its folder; models/genre by default")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per file")


def _weights(text: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for word in text.split(","):
        name, _, number = word.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or name in weights or not 0 <= weight < math.inf:
            raise argparse.ArgumentTypeError(
                f"{text!r} does not give sets and numbers as rp=0.5,ssd=0.9 does"
            )
        weights[name] = weight
    return weights


def _onsets(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "onsets",
        "onsets:run",
        help="say which sounds begin in a file, and which of them are of one kind",
        epilog="example: stream-match onsets drums.wav --plot drums.png --sonify drums-beeps.wav\n"
        "         stream-match onsets --from events.jsonl --plot hour.png\n\n"
        "Before the beginning of a file there is supposed to be silence: one that begins amid noise or\n"
        "music has an onset there.",
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file of sound")
    parser.add_argument(
        "--from",
        dest="events",
        metavar="EVENTS.jsonl",
        help="what listen --sink jsonl:PATH recorded, instead",
    )
    parser.add_argument(
        "--method",
        choices=("online", "kmeans", "affinity", "agglomerative"),
        help="how sounds are grouped; online, as by a listener, is the default",
    )
    parser.add_argument(
        "--features",
        choices=("timbre", "seed"),
        help="what is compared: spectra (default), or zero crossings and energy",
    )
    parser.add_argument(
        "--clusters", type=_at_least_one, metavar="K", help="how many, for kmeans and agglomerative"
    )
    parser.add_argument(
        "--detector",
        choices=("streaming", "librosa"),
        help="how onsets are found; by default streaming, but librosa (which looks ahead) for the features "
        "seed with a method other than online",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw them; needs matplotlib (extra: plot)")
    parser.add_argument(
        "--sonify",
        type=Path,
        metavar="WAV",
        help="the sound on the left, a beep for each cluster on the right: 20 pitches, then the same with "
        "two strokes, three, …",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON per sound")


def _alarms(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--max-false-alarms-per-hour",
        type=_positive,
        metavar="N",
        help=f"claims put up with in an hour of audio that is not in the index; by default {default}",
    )


def _index(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "index",
        None,
        help="make and change indexes",
        epilog="example: stream-match index build ~/Music --out models/mine",
    )
    parser.set_defaults(asked=parser)
    actions = parser.add_subparsers(metavar="ACTION")
    _index_build(actions)
    _index_add(actions)
    _index_update(actions)
    remove = _command(
        actions,
        "remove",
        "index:remove",
        help="take tracks out of an index",
        epilog="example: stream-match index remove models/mine album/track01",
    )
    remove.add_argument("index", type=Path, metavar="DIR")
    remove.add_argument("tracks", nargs="+", metavar="TRACK_ID")
    _index_compact(actions)
    _index_describe(actions)
    _index_hash(actions)
    listing = _command(
        actions,
        "list",
        "index:list_tracks",
        help="list the tracks of an index: length, id, title, artist, album",
        epilog="example: stream-match index list models/demo",
    )
    listing.add_argument("index", type=Path, metavar="DIR")
    listing.add_argument("--json", action="store_true", help="print a line of JSON per track")
    info = _command(
        actions,
        "info",
        "index:info",
        help="say what an index holds",
        epilog="example: stream-match index info models/demo --json",
    )
    info.add_argument("index", type=Path, metavar="DIR")
    info.add_argument("--json", action="store_true", help="print JSON")
    verify = _command(
        actions,
        "verify",
        "index:verify",
        help="check an index for damage",
        epilog="example: stream-match index verify models/demo\n\n"
        "Every file that manifest.json names is compared with it, byte by byte, and tables with codes.\n"
        "MODEL_CARD.md is for people and is not checked.\n\n"
        "exit status: 1 if something is wrong",
    )
    verify.add_argument("index", type=Path, metavar="DIR")


_SKIPPED = (
    "Of files in one folder that differ in their suffix only, such as song.mp3 beside song.flac,\n"
    "one is taken: a lossless one, or else the largest.\n\n"
    "exit status: 1 if files were skipped because they could not be read (the others are in the index: the\n"
    "last line says how many), or if nothing could be done; 2 for a mistake in the arguments"
)


def _index_build(actions: "Subparsers[Parser]") -> None:
    build = _command(
        actions,
        "build",
        "index:build",
        help="make an index of audio files and folders",
        epilog=f"example: stream-match index build ~/Music --out models/mine --jobs 4\n\n{_SKIPPED}",
    )
    build.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    build.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder to make")
    build.add_argument("--replace", action="store_true", help="replace an index that is there")
    _builders(build)


def _index_add(actions: "Subparsers[Parser]") -> None:
    add = _command(
        actions,
        "add",
        "index:add",
        help="add audio files and folders to an index",
        epilog=f"example: stream-match index add models/mine ~/Music/new\n\n{_SKIPPED}",
    )
    add.add_argument("index", type=Path, metavar="DIR")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    _builders(add)


def _index_update(actions: "Subparsers[Parser]") -> None:
    update = _command(
        actions,
        "update",
        "index:update",
        help="take in what is new, changed or gone in files and folders",
        epilog="example: stream-match index update models/mine ~/Music\n\n"
        "Give all paths that the index is made of: a track that is in none of them is removed. A running\n"
        f"listener takes up what has changed.\n\n{_SKIPPED}",
    )
    update.add_argument("index", type=Path, metavar="DIR")
    update.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    _builders(update)


def _index_compact(actions: "Subparsers[Parser]") -> None:
    compact = _command(
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
    compact.add_argument("index", type=Path, metavar="DIR")
    compact.add_argument(
        "--refit", nargs="+", type=Path, metavar="PATH", help="files and folders with the audio of all tracks"
    )
    _jobs(compact)


def _index_describe(actions: "Subparsers[Parser]") -> None:
    describe = _command(
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
    describe.add_argument("index", type=Path, metavar="DIR")
    describe.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    _jobs(describe)


def _index_hash(actions: "Subparsers[Parser]") -> None:
    hashing = _command(
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
    hashing.add_argument("index", type=Path, metavar="DIR")
    hashing.add_argument("paths", nargs="+", type=Path, metavar="AUDIO", help="a file or a folder")
    _jobs(hashing)


def _builders(parser: argparse.ArgumentParser) -> None:
    _jobs(parser)
    parser.add_argument(
        "--metadata", type=Path, metavar="FILE.csv", help="columns id,title,artist,…, instead of tags"
    )


def _jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=_at_least_one, metavar="N", help="processes; one per core by default")


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 up")
    return number


def _history(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "history",
        "history:run",
        help="say what was heard and when: the airplay log that a listener with --state keeps",
        epilog="example: stream-match history --state /var/lib/stream_match --from yesterday --csv\n"
        "         stream-match history --state /var/lib/stream_match --report week\n\n"
        "times: 2026-11-28 | 2026-11-28T20:15 (local time; with Z or +01:00 as told) | today | yesterday\n"
        "       An airing is in the period in which it began. A day behind --to is included.\n\n"
        "The state folder may be in use by a listener. In CSV, an apostrophe stands before names that a\n"
        "spreadsheet would take for a formula.",
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", required=True, help="the folder that listen --state writes"
    )
    parser.add_argument("--from", dest="start", metavar="T", help="only what began then or later")
    parser.add_argument("--to", dest="end", metavar="T", help="only what began before")
    parser.add_argument("--source", metavar="NAME", help="only this source")
    parser.add_argument(
        "--track", metavar="TEXT", help="only tracks with this in their id, title, artist or album"
    )
    parser.add_argument(
        "--report",
        choices=("day", "week"),
        help="plays per track, first plays, silence and unknown stretches, instead",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print a table, with times in UTC and local time")
    form.add_argument("--json", action="store_true", help="print a line of JSON per airing, or per report")


def _mark(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "mark",
        "mark:run",
        help="make a stretch of audio a reference of an index: find this ever after",
        epilog="example: stream-match mark bell.flac --index models/mine --from 2.5 --to 8 --name Doorbell\n"
        "         stream-match mark --source hall --last 10 --name Doorbell --mqtt mqtt://broker.local\n\n"
        "A file may be a clip. A listener holds what it has heard if its settings say buffer_seconds in\n"
        "[clips]. The stretch must be 3 s long at least. The track is marked/NAME, and listeners that use\n"
        f"the index know it within seconds.\n\nbroker:\n{BROKERS}",
    )
    parser.add_argument(
        "audio", nargs="?", type=Path, metavar="AUDIO", help="a file; else a listener is asked"
    )
    parser.add_argument("--name", metavar="TEXT", required=True, help="its title")
    parser.add_argument(
        "--from", dest="start", type=_seconds, metavar="S", help="its start: of the file, or in stream_s"
    )
    parser.add_argument("--to", dest="end", type=_seconds, metavar="S", help="its end")
    parser.add_argument("--index", type=Path, metavar="DIR", help="folder of the index, for a file")
    parser.add_argument("--source", metavar="NAME", help="the source of a listener")
    parser.add_argument("--last", type=_positive, metavar="S", help="the newest seconds of that source")
    parser.add_argument("--node", metavar="NAME", help="the listener; the one of this computer by default")
    _broker(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _watch(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "watch",
        "watch:run",
        help="print the events that listeners publish, until Ctrl-C",
        epilog="example: stream-match watch --mqtt mqtt://broker.local --type match --source kitchen\n\n"
        "A listener that was killed cannot tell the end of what it told: watch does so, once its node is\n"
        f"offline.\n\nbroker:\n{BROKERS}",
    )
    _broker(parser)
    parser.add_argument(
        "--type",
        metavar="T,T",
        help="only events of these types: match, status, onset, onset_cluster, cluster, sounds_like, genre",
    )
    parser.add_argument("--node", metavar="NAME", help="only those of this listener")
    parser.add_argument("--source", metavar="NAME", help="only those of this source")
    parser.add_argument("--json", action="store_true", help="print the events as they are, a line each")


def _doctor(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "doctor",
        "doctor:run",
        help="check what a listener needs, one by one, and say what to do",
        epilog="example: stream-match doctor --config FILE.toml\n\n"
        "Clock, libraries, index, state folder, disk and store; each broker: name, connection, encryption,\n"
        "login, messages there and back; each source: opens, level, silence, title.\n\n"
        "exit status: 1 if a check failed",
    )
    add_doctor_arguments(parser)


def _health(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "health",
        "doctor:run_health",
        help="ask a running listener how it is, by its page",
        epilog="example: stream-match health --web 127.0.0.1:8765\n\n"
        "The token of a page that needs one stands in STREAM_MATCH_WEB_TOKEN.\n\n"
        "exit status: 1 if it does not answer or a restart would help; with --strict, for any trouble",
    )
    add_health_arguments(parser)


def _name(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "name",
        "name:run",
        help="name a kind of sound or a track, so that its events say so from then on",
        epilog='example: stream-match name 01KB4Z6M9S0D3-7 "doorbell" --node attic --source hall\n\n'
        "The running listener is asked over MQTT, and its answer is printed.\n"
        f"An empty NAME takes the name away.\n\nbroker:\n{BROKERS}",
    )
    parser.add_argument("id", metavar="ID", help="cluster_id of an event; with --track, id of a track")
    parser.add_argument("name", metavar="NAME", help="what to call it")
    parser.add_argument("--track", action="store_true", help="ID is that of a track")
    parser.add_argument("--source", metavar="NAME", required=True, help="the source that hears it")
    parser.add_argument("--node", metavar="NAME", help="the listener; the one of this computer by default")
    _broker(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mqtt",
        metavar="URI",
        default="mqtt://localhost",
        help="mqtt://[user:pass@]host[:port][/base] or mqtts://…; mqtt://localhost by default",
    )


def _devices(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "devices",
        "devices:run",
        help="list the microphones, by the names that mic:NAME takes",
        epilog="example: stream-match devices",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON per microphone")


def _demo(commands: "Subparsers[Parser]") -> None:
    parser = _command(
        commands,
        "demo",
        "demo:run",
        help="listen to a broadcast made on the spot, and print what arrives at a broker of its own",
        epilog="example: stream-match demo --pace fast",
    )
    parser.add_argument("--pace", choices=("real", "fast"), help="as it is heard (default), or faster")
