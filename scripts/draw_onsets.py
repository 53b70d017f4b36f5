"""Draw what the onset lane sees: a violin, a clarinet and a drum loop in docs/onsets-seen.png.

Run it as .venv/bin/python scripts/draw_onsets.py --lines DIR --shots DIR... [--out PNG], with lines that
scripts/make_lines.py renders. matplotlib is needed.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from beginnings.one_shots import of_the_fitting, placed_sounds, read, single_sounds

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.onsets.activation import AHEAD_FRAMES, Activation, shipped_perceptron
from stream_match.onsets.detector import DELAY_FRAMES, OnsetDetector
from stream_match.onsets.flux import FEATURES, GROUPS, HOP_SAMPLES, N_FFT, Flux
from stream_match.onsets.picking import LEAST_LOG_ODDS

OUT = Path(__file__).resolve().parents[1] / "docs" / "onsets-seen.png"
DRAWN_S = 4.0
HIGHEST_HZ = 4000.0


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=Path, required=True, metavar="DIR")
    parser.add_argument("--shots", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=OUT, metavar="PNG")
    args = parser.parse_args(argv)
    from matplotlib.figure import Figure

    singles = single_sounds(args.shots)
    kit = {path.name: singles[path] for path in of_the_fitting(singles)}
    drums = placed_sounds(kit, np.random.default_rng(4), 4, level_db=6, snr_db=40, per_kind=5)
    figure = Figure(figsize=(15, 8), layout="constrained")
    axes = figure.subplots(3, 3, sharex="col", height_ratios=[2, 1, 1])
    _draw(axes[:, 0], "a violin, slurred", *_line(args.lines, "violin", "slurred"))
    _draw(axes[:, 1], "a clarinet, legato", *_line(args.lines, "clarinet", "legato"))
    _draw(axes[:, 2], "drums", drums.y, drums.times_s)
    figure.savefig(args.out, dpi=70)
    return 0


def _line(folder: Path, kind: str, played: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    with (folder / "tracks.csv").open(encoding="utf-8") as tracks:
        track = next(row for row in csv.DictReader(tracks) if (row["kind"], row["played"]) == (kind, played))
    rows = (folder / track["annotation"]).read_text(encoding="utf-8").splitlines()
    return read(folder / track["audio"]), np.array([float(row.split()[0]) for row in rows])


def _draw(axes: Any, title: str, y: npt.NDArray[np.float32], truth_s: npt.NDArray[np.float64]) -> None:
    y = y[: round(DRAWN_S * SAMPLE_RATE_HZ)] + np.float32(1e-7)  # a picture has no decibels for silence
    lead = np.zeros(N_FFT, np.float32)  # silence before, as the detector supposes
    changes = Flux(SAMPLE_RATE_HZ).feed(np.concatenate([lead, y]))
    log_odds = Activation(shipped_perceptron()).feed(changes)[:, 0]
    at_s = (np.arange(len(changes)) - DELAY_FRAMES) * HOP_SAMPLES / SAMPLE_RATE_HZ
    told_s = [one.sample / SAMPLE_RATE_HZ for one in OnsetDetector(SAMPLE_RATE_HZ, from_silence=True).feed(y)]
    axes[0].specgram(y, NFFT=N_FFT, Fs=SAMPLE_RATE_HZ, noverlap=N_FFT - HOP_SAMPLES, cmap="magma", vmin=-140)
    axes[0].set(title=title, ylim=(0, HIGHEST_HZ), ylabel="Hz")
    axes[1].plot(at_s, changes[:, :GROUPS].max(axis=1), label="rises over 20 ms")
    axes[1].plot(at_s, changes[:, FEATURES.index("new partials")], label="partials that are new")
    axes[1].set(ylabel="dB")
    axes[2].plot(at_s[:-AHEAD_FRAMES], log_odds, color="black", label="log odds of a beginning")
    axes[2].axhline(LEAST_LOG_ODDS, color="grey", linestyle=":")
    axes[2].plot(told_s, np.full(len(told_s), 12.0), "v", label="told")
    axes[2].plot(truth_s, np.full(len(truth_s), 15.0), "|", color="red", markersize=10, label="truth")
    axes[2].set(xlabel="seconds", ylim=(-20, 17), xlim=(0, DRAWN_S))
    axes[1].legend(loc="upper right", fontsize="small", framealpha=0.6)
    axes[2].legend(loc="lower left", fontsize="small", framealpha=0.6, ncols=3)


if __name__ == "__main__":
    sys.exit(main())
