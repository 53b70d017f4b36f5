"""The figures of a recording: each with its title, and one sentence that says what is seen."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.offline.reports.figures import Theme, picture
from stream_match.offline.reports.page import escaped, section
from stream_match.offline.reports.recording import CHROMA_HOP_SAMPLES, N_FFT, ROW_EDGES, Analysis

WIDE, HIGH, LOW = 10.0, 3.2, 2.2  # inches

WAVE_POINTS = 1000
"""Of an outline: about one for every dot of the picture."""


Draw = Callable[[Analysis, Any, Theme], None]
"""Draws what is seen of a recording into an empty `matplotlib.figure.Figure`."""


def recording_figures(analysis: Analysis) -> Iterator[str]:
    """Yield the figures of a recording in the order in which they are shown, each in a section of HTML.

    Parameters
    ----------
    analysis : Analysis

    Raises
    ------
    UsageError
        If matplotlib is not there.
    """
    for name, (title, sentence, draw, height) in _FIGURES.items():
        html = picture(partial(draw, analysis), f"{title}. {sentence}", inches=(WIDE, height))
        yield section(name, title, f"<p>{escaped(sentence)}</p>", html)


def _waveform(analysis: Analysis, figure: Any, theme: Theme) -> None:
    axes = _axes(figure, analysis)
    _wave(axes, analysis.y, 0.0, theme.first)
    seconds = len(analysis.y) / SAMPLE_RATE_HZ
    begin_s, end_s = analysis.begin / SAMPLE_RATE_HZ, analysis.end / SAMPLE_RATE_HZ
    for first, last in ((0.0, begin_s), (end_s, seconds)):
        if last > first:
            axes.axvspan(first, last, color=theme.faint, alpha=0.6, linewidth=0)
    axes.set_ylabel("amplitude")


def _parts(analysis: Analysis, figure: Any, theme: Theme) -> None:
    axes = _axes(figure, analysis)
    begin_s = analysis.begin / SAMPLE_RATE_HZ
    _wave(axes, analysis.harmonic, begin_s, theme.first, alpha=0.8, label="harmonic")
    _wave(axes, analysis.percussive, begin_s, theme.second, alpha=0.8, label="percussive")
    axes.set_ylabel("amplitude")
    _legend(axes)


def _centroid(analysis: Analysis, figure: Any, theme: Theme) -> None:
    behind = _axes(figure, analysis)
    _wave(behind, analysis.y, 0.0, theme.faint)
    behind.set_yticks([])
    axes = behind.twinx()
    axes.yaxis.set_label_position("left")
    axes.yaxis.tick_left()
    times = _times(analysis, analysis.column_samples, len(analysis.centroid_hz))
    axes.plot(times, analysis.rolloff_hz, color=theme.second, linewidth=1, label="rolloff")
    axes.plot(times, analysis.centroid_hz, color=theme.first, linewidth=1, label="centroid")
    axes.set(ylabel="frequency [Hz]", ylim=(0, None))
    _legend(axes)


def _spectrogram(analysis: Analysis, figure: Any, _: Theme) -> None:
    rows_hz = (ROW_EDGES[:-1] + ROW_EDGES[1:] - 1) / 2 * SAMPLE_RATE_HZ / N_FFT
    image = _image(figure, analysis, analysis.spectrogram_db, y_axis="log", y_coords=rows_hz, cmap="magma")
    _finish(figure, image, "frequency [Hz]", "level [dB]")


def _mel(analysis: Analysis, figure: Any, _: Theme) -> None:
    image = _image(figure, analysis, analysis.mel_db, y_axis="mel", sr=SAMPLE_RATE_HZ, cmap="magma")
    _finish(figure, image, "frequency [Hz]", "level [dB]")


def _mfcc(analysis: Analysis, figure: Any, _: Theme) -> None:
    image = _image(figure, analysis, analysis.mfcc, cmap="coolwarm", vmin=-3, vmax=3)
    numbers = np.arange(0, len(analysis.mfcc), 5)
    image.axes.set_yticks(numbers, (numbers + 1).astype(str))
    _finish(figure, image, "coefficient", "deviations")


def _chroma(analysis: Analysis, figure: Any, _: Theme) -> None:
    image = _image(
        figure,
        analysis,
        analysis.chroma,
        hop=CHROMA_HOP_SAMPLES,
        y_axis="chroma",
        cmap="cividis",
        vmin=0,
        vmax=1,
    )
    _finish(figure, image, "pitch class", "strength")


def _image(figure: Any, analysis: Analysis, values: Any, *, hop: int | None = None, **how: Any) -> Any:
    """Draw values over time, and return what was drawn; `how` goes to `librosa.display.specshow`."""
    import librosa.display

    times = _times(analysis, hop or analysis.column_samples, values.shape[1])
    return librosa.display.specshow(values, x_coords=times, x_axis="s", ax=_axes(figure, analysis), **how)


def _finish(figure: Any, image: Any, ylabel: str, what: str) -> None:
    image.axes.set(ylabel=ylabel, xlabel="time [s]")
    figure.colorbar(image, ax=image.axes, label=what, pad=0.01)


def _axes(figure: Any, analysis: Analysis) -> Any:
    axes = figure.subplots()
    axes.set(xlabel="time [s]", xlim=_limits(analysis))
    return axes


def _limits(analysis: Analysis) -> tuple[float, float]:
    return 0.0, len(analysis.y) / SAMPLE_RATE_HZ


def _times(analysis: Analysis, hop: int, count: int) -> Any:
    return (analysis.begin + hop * np.arange(count)) / SAMPLE_RATE_HZ


def _wave(axes: Any, y: Any, begin_s: float, colour: str, *, alpha: float = 1.0, label: str = "") -> None:
    """Draw least and greatest sample of each dot."""
    starts = np.arange(0, len(y), max(1, len(y) // WAVE_POINTS))
    times = begin_s + starts / SAMPLE_RATE_HZ
    least, most = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    axes.fill_between(times, least, most, color=colour, alpha=alpha, linewidth=0.4, label=label)


def _legend(axes: Any) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=9)


_FIGURES: Mapping[str, tuple[str, str, Draw, float]] = {
    "waveform": (
        "Waveform",
        "The outline of the samples over time; silence that is trimmed at either end is shaded.",
        _waveform,
        LOW,
    ),
    "spectrogram": (
        "Spectrogram",
        "The level by time and frequency, in dB below the loudest point; frequencies are logarithmic.",
        _spectrogram,
        HIGH,
    ),
    "mel": (
        "Mel spectrogram",
        "The level in 128 bands of the mel scale, which are as wide as pitches differ to the ear.",
        _mel,
        HIGH,
    ),
    "parts": (
        "Harmonic and percussive part",
        "Median filters split the spectrogram into what lasts (harmonic) and what is short (percussive).",
        _parts,
        LOW,
    ),
    "centroid": (
        "Spectral centroid and rolloff",
        "The centroid is the mean frequency of the spectrum; 85 % of the spectrum lie below the rolloff.",
        _centroid,
        HIGH,
    ),
    "mfcc": (
        "MFCC",
        "Twenty cepstral coefficients tell the colour of the sound; each has mean 0 and deviation 1.",
        _mfcc,
        HIGH,
    ),
    "chroma": (
        "Chroma",
        f"The strength of the twelve pitch classes, in frames every {CHROMA_HOP_SAMPLES:,} samples.",
        _chroma,
        HIGH,
    ),
}
"""Name of the section; title, sentence, what draws it, height in inches."""
