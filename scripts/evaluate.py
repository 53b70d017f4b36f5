"""Measure stream-match on real music with the measuring kit, and write down what came of it.

Run it as .venv/bin/python scripts/evaluate.py CORPUS. Whatever of the corpus is not there is made by the kit
(packages are downloaded; ffmpeg, rubberband and espeak-ng degrade the music). The tables go to the screen
and to CORPUS/run/report.md.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT.parent / "shared" / "bench"
PRODUCT = ROOT / ".venv" / "bin" / "stream-match"

KIT_SCRIPTS = ("corpus.py", "queries.py", "stream.py", "versions.py", "run.py", "score.py")
TOOLS = {"queries": ("ffmpeg", "rubberband", "espeak-ng"), "stream": ("ffmpeg", "espeak-ng")}

# One thread each: seconds of one core are what is counted.
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is missing, measure, report; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _arguments(argv)
    problem = _problem(args)
    if problem is not None:
        print(f"evaluate: {problem}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        _prepare(args)
        lines = _measure(args)
    except subprocess.CalledProcessError as error:
        print(f"evaluate: {Path(error.cmd[1]).name} failed, see above", file=sys.stderr)
        return 1
    summary = _table(_figures(args.out))
    print(f"\n{summary}")
    report = args.out / "report.md"
    report.write_text(f"{_heading(args)}\n{summary}\n\n{''.join(lines).strip()}\n", encoding="utf-8")
    print(f"\nevaluate: written to {report}", file=sys.stderr)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder of the corpus; made if missing")
    parser.add_argument("--tier", choices=("quick", "full"), default="quick", help="of a corpus to be made")
    parser.add_argument(
        "--steps",
        default="index,identify,stream",
        help="of index, identify, stream, versions (default %(default)s); "
        "without index, that of the last run is used",
    )
    parser.add_argument(
        "--query-seconds",
        type=float,
        default=20,
        metavar="S",
        help="of versions to be made (default %(default)s)",
    )
    parser.add_argument("--peers", action="store_true", help="put the kit's figures of other systems beside")
    parser.add_argument("--kit", type=Path, default=KIT, metavar="PATH", help="default ../shared/bench")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the results; default CORPUS/run")
    parser.add_argument(
        "--stream-match", default=str(PRODUCT), metavar="COMMAND", help="the program measured"
    )
    args = parser.parse_args(argv)
    args.steps = args.steps.split(",")
    args.out = args.out or args.corpus / "run"
    return args


def _problem(args: argparse.Namespace) -> str | None:
    """Say what stands in the way, before hours are spent."""
    missing = [name for name in KIT_SCRIPTS if not (args.kit / name).is_file()]
    if missing:
        return f"no measuring kit in {args.kit} ({missing[0]} is missing): give its folder with --kit PATH"
    if not shutil.which(args.stream_match.split()[0]):
        return f"there is no {args.stream_match}: run ./scripts/test once, which makes it"
    unknown = set(args.steps) - {"index", "identify", "stream", "versions"}
    if unknown:
        return f"unknown step {sorted(unknown)[0]!r}: choose of index, identify, stream, versions"
    tools = {tool for part, _ in _missing_parts(args) for tool in TOOLS.get(part, ())}
    absent = sorted(tool for tool in tools if not shutil.which(tool))
    if absent:
        return f"making the corpus needs {', '.join(absent)}: install the package of that name"
    return None


def _missing_parts(args: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Yield the parts of the corpus that have to be made, and the kit's commands that make them."""
    corpus = str(args.corpus)
    if set(args.steps) != {"versions"} and not (args.corpus / "corpus.csv").is_file():
        yield "corpus", ["corpus.py", "--tier", args.tier, "--out", corpus]
    if "identify" in args.steps and not (args.corpus / "queries" / "queries.csv").is_file():
        yield "queries", ["queries.py", corpus]
    if "stream" in args.steps and not (args.corpus / "stream" / "truth.csv").is_file():
        yield "stream", ["stream.py", corpus]
    if "versions" in args.steps and not (args.corpus / "versions" / "versions.csv").is_file():
        seconds = ["--query-seconds", str(args.query_seconds)]
        yield "versions", ["versions.py", "--out", str(args.corpus / "versions"), *seconds]


def _prepare(args: argparse.Namespace) -> None:
    for part, command in _missing_parts(args):
        print(f"evaluate: making the {part} of {args.corpus}", file=sys.stderr)
        for _ in _lines_of(args.kit, command):
            pass


def _measure(args: argparse.Namespace) -> list[str]:
    peers = ["--peers", str(args.kit / "peers.csv")] if args.peers else []
    command = ["run.py", str(args.corpus), "--stream-match", args.stream_match, "--out", str(args.out)]
    return list(_lines_of(args.kit, [*command, "--steps", ",".join(args.steps), *peers]))


def _lines_of(kit: Path, command: Sequence[str]) -> Iterator[str]:
    """Run a script of the kit; print and yield its lines.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    call = [sys.executable, str(kit / command[0]), *command[1:]]
    env = os.environ | ONE_CORE | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(call, stdout=subprocess.PIPE, env=env, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            yield line
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call)


def _heading(args: argparse.Namespace) -> str:
    today = datetime.now(UTC).date().isoformat()
    return (
        f"# Evaluation on {args.corpus.name}, {today}\n\n{_machine()}, Python {platform.python_version()}.\n"
    )


def _machine() -> str:
    try:
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    except OSError:
        models = []
    name = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{os.cpu_count()} × {name}"


def _figures(out: Path) -> Iterator[tuple[str, str]]:
    """Yield the figures that sum a run up, by name."""
    costs = _read(out / "costs.json")
    if index := costs.get("index"):
        yield (
            "index: hours of audio built per minute of one core",
            _of(60 / index["index CPU s per audio hour"]),
        )
        yield "index: bytes per hour of audio", f"{index['index bytes per audio hour']:,.0f}"
    if identify := costs.get("identify"):
        yield "identify: CPU seconds per second", _of(identify["CPU s per query second"])
        yield "identify: false claims on music not in the index", _false_claims(out)
    if stream := costs.get("stream"):
        yield "listen: real-time factor on one core (CPU s per s)", _of(stream["CPU s per stream second"])
        yield "listen: false alarms", _false_alarms(out)


def _of(value: float) -> str:
    return f"{value:.3g}"


def _false_claims(out: Path) -> str:
    cells = _read(out / "identify.json")["negatives"].values()
    false = sum(round(cell["fp"] * cell["n"]) for cell in cells)
    return f"{false} of {sum(cell['n'] for cell in cells)} queries"


def _false_alarms(out: Path) -> str:
    said = _read(out / "stream.json")["summary"]
    wrong = said["of these wrong tracks"]
    return f"{said['false alarms']} in {said['hours']:.2f} h, of these wrong tracks {wrong}"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content


def _table(rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join(["| in short | |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows)])


if __name__ == "__main__":
    sys.exit(main())
