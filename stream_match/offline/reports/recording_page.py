"""The report of a recording: numbers, figures, and a player."""

from pathlib import Path

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.offline.reports.page import address_of, escaped, section, table, write_page
from stream_match.offline.reports.recording import SILENCE_DB, Analysis, analyse_file
from stream_match.offline.reports.recording_figures import recording_figures


def report_recording(path: Path, out: Path) -> None:
    """Look at a recording, and write its report.

    Parameters
    ----------
    path : Path
        A file in any format that can be read.
    out : Path
        The page. One that is there is replaced.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SourceError
        As for `analyse_file`.
    SinkError
        If the page cannot be written.
    """
    analysis = analyse_file(path)
    name = escaped(path.name)
    player = f'<audio controls preload="none" src="{address_of(path, out)}" aria-label="Play {name}"></audio>'
    told = table((), _numbers(analysis))
    body = [f"<header><h1><bdi>{name}</bdi></h1>{player}</header><main>", section("numbers", "Numbers", told)]
    write_page(out, path.name, "\n".join([*body, *recording_figures(analysis), "</main>"]))


def _numbers(analysis: Analysis) -> list[tuple[str, str]]:
    seconds = len(analysis.y) / SAMPLE_RATE_HZ
    sounding = analysis.y[analysis.begin : analysis.end]
    sounding_s = len(sounding) / SAMPLE_RATE_HZ
    silence = f"Frames more than {SILENCE_DB:g} dB below the loudest one, at either end, are silence."
    crossings = f"{analysis.zero_crossings:,}: {analysis.zero_crossings / sounding_s:,.0f} a second"
    return [
        ("Length", _length(seconds, analysis.claimed_s)),
        ("Analysed as", f"mono, {SAMPLE_RATE_HZ:,} Hz"),
        ("Silence at the beginning", f"{analysis.begin / SAMPLE_RATE_HZ:.2f} s"),
        ("Silence at the end", f"{seconds - analysis.end / SAMPLE_RATE_HZ:.2f} s. {silence}"),
        ("Peak", f"{_db(np.abs(sounding).max()):.1f} dBFS"),
        ("Level", f"{_db(np.sqrt(np.mean(np.square(sounding, dtype=np.float64)))):.1f} dBFS (RMS)"),
        ("Tempo", f"{analysis.tempo:.1f} beats a minute" if analysis.tempo > 0 else "no beat was found"),
        ("Zero crossings", f"{crossings}. They are many in noise and cymbals, and few in deep tones."),
        ("Mean centroid", f"{analysis.centroid_hz.mean():,.0f} Hz"),
        ("Mean rolloff", f"{analysis.rolloff_hz.mean():,.0f} Hz"),
    ]


def _length(seconds: float, claimed_s: float | None) -> str:
    if claimed_s is None or claimed_s <= seconds:
        return _clock(seconds)
    return f"{_clock(claimed_s)}, of which the first {_clock(seconds)} are shown"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _db(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-9)))
