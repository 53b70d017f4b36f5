"""Let synthetic voices read numbers and made-up words: talkers that scripts/learn_onsets.py learns from.

Run it as .venv/bin/python scripts/make_talk.py --out DIR; espeak-ng is needed. Thirty files of a minute or
more, each of another voice, pace and pitch. Seeded: the same espeak-ng gives the same files.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TALKERS = 30
WORDS = 160
VOICES = ("en-us", "en-gb", "de", "fr", "es", "it", "en+f3", "en+m4", "en+f1", "en+m7")
BEGINNINGS = ("", "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "sh", "st", "t", "tr", "v", "w")
MIDDLES = ("a", "e", "i", "o", "u", "ai", "ou", "ee")
ENDS = ("", "", "", "l", "m", "n", "r", "s", "t", "nd", "st", "k")


def main(argv: Sequence[str] | None = None) -> int:
    """Let the voices speak; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for number in range(TALKERS):
        rng = np.random.default_rng(number)
        voice, pace, pitch = VOICES[number % len(VOICES)], rng.integers(120, 191), rng.integers(20, 81)
        path = args.out / f"talker-{number:02d}.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(pace), "-p", str(pitch), "-w", str(path), _text(rng)]
        subprocess.run(command, check=True)
    return 0


def _text(rng: np.random.Generator) -> str:
    """Return sentences of two to twelve words."""
    text, left = "", 0
    for _ in range(WORDS):
        if not left:
            text, left = f"{text.rstrip(', ')}. ", int(rng.integers(2, 13))
        left -= 1
        text += _word(rng) + (", " if rng.random() < 0.1 else " ")
    return text[2:]


def _word(rng: np.random.Generator) -> str:
    if rng.random() < 0.15:
        return str(int(rng.integers(2000)))
    syllables = [rng.choice(part) for _ in range(int(rng.integers(1, 4))) for part in (BEGINNINGS, MIDDLES)]
    return "".join([*syllables, rng.choice(ENDS)])


if __name__ == "__main__":
    sys.exit(main())
