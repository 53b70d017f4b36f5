"""Make models/demo, the index of the pieces that `demo:` plays: from seeds, the same bytes every time.

Run it as .venv/bin/python scripts/make_demo.py; the strangers of the broadcast stay out of the index.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.demo import PIECES, SEED
from stream_match.capture.synth import render
from stream_match.catalog import build_index, verify_index
from stream_match.catalog.manifest import CARD_FILE, is_index
from stream_match.errors import StreamMatchError

OUT = Path(__file__).resolve().parents[1] / "models" / "demo"

PROVENANCE = """
## This index: the demo

The {count} pieces that `stream-match demo` plays between strangers, talk and silence: {seconds:.0f} s of
music that `stream_match/capture/repertoire.py` composes and `synth.py` plays, nothing recorded.

| piece | artist | id | seed |
|---|---|---|---|
{pieces}

**Made by** `scripts/make_demo.py`, with the code that builds every index. Seeds: of each piece, as above; of
the broadcast, {seed}. Run again on the same computer it gives the same bytes; on another processor single
bits of the codes may differ.

**Licence.** The music, its titles and this index are dedicated to the public domain (CC0 1.0).

**How to verify.** `stream-match index verify models/demo`, and `tests/test_demo.py`, which makes it anew,
compares, and listens to the broadcast.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the index; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="models/demo by default")
    out: Path = parser.parse_args(argv).out
    try:
        make(out)
    except (StreamMatchError, OSError) as error:
        print(f"make_demo: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {len(PIECES)} pieces, {size / 1000:.0f} kB", file=sys.stderr)
    return 0


def make(out: Path) -> None:
    """Render, build, sign, verify, and put into place.

    Parameters
    ----------
    out : Path
        The index folder; one that is there is replaced.

    Raises
    ------
    StreamMatchError
        If it cannot be built, or is not whole.
    OSError
        If something else is in its place.
    """
    with TemporaryDirectory() as folder:
        music, table, index = (Path(folder, name) for name in ("music", "metadata.csv", "index"))
        _render(music)
        _describe(table)
        build_index([music], index, jobs=1, metadata=table, progress=False)
        _sign(index)
        if problems := verify_index(index):
            raise StreamMatchError("; ".join(problems))
        if is_index(out):  # of whatever version
            shutil.rmtree(out)
        shutil.copytree(index, out)


def _render(music: Path) -> None:
    for piece in PIECES:
        path = music / f"{piece.id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, render(piece), SAMPLE_RATE_HZ, "PCM_16")


def _describe(table: Path) -> None:
    with table.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(("id", "title", "artist"))
        rows.writerows((piece.id, piece.title, piece.artist) for piece in PIECES)


def _sign(out: Path) -> None:
    """Add to the card where the index comes from."""
    text = (out / CARD_FILE).read_text(encoding="utf-8") + PROVENANCE.format(
        count=len(PIECES),
        seconds=sum(piece.samples for piece in PIECES) / SAMPLE_RATE_HZ,
        pieces="\n".join(f"| {p.title} | {p.artist} | {p.id} | {p.seed} |" for p in PIECES),
        seed=SEED,
    )
    (out / CARD_FILE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
