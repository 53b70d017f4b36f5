"""The picture of an explanation."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from stream_match.explain.explanation import Explanation
from stream_match.explain.reasons import name_of
from stream_match.explain.views import Agreement, Chromagram, Stretch
from stream_match.identify import Finding
from stream_match.pictures import new_figure, save_figure

INCHES = (11.0, 12.5)
HEIGHTS = (1.0, 1.0, 1.9, 1.3, 0.6)

CLASSES = ("C", "D", "E", "F", "G", "A", "B")
CLASS_ROWS = (0, 2, 4, 5, 7, 9, 11)

# Okabe and Ito's colours, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, PURPLE, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"

FILE_TIME, TRACK_TIME = "time in the file [s]", "time in the track [s]"

CHROMA_COLOURS = "cividis"
AGREEMENT_COLOURS = "Greys"

FAINTEST = 0.3
"""Agreement that is drawn black where none is better, as in noise."""

BAND_SHARE = 0.02
"""How far the band about the line found reaches to each side, as a share of the height."""

CROWD = 300  # decisions
LINE_CHARACTERS = 118


def draw_explanation(explanation: Explanation, path: str | Path) -> None:
    """Draw what was heard, what the reference has there, how they agree, and the scores over time.

    Parameters
    ----------
    explanation : Explanation
    path : str or Path
        A picture, in the format that its suffix names.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SinkError
        If the picture cannot be written.
    """
    figure = new_figure(INCHES)
    heard, reference, agreement, scores, votes = figure.subplots(len(HEIGHTS), 1, height_ratios=HEIGHTS)
    scores.sharex(votes)
    scores.tick_params(labelbottom=False)
    figure.suptitle(_title(explanation), x=0.01, ha="left", fontsize=11, parse_math=False)
    _chromagram(heard, explanation.heard, explanation.shown, "silence, or too short for a chromagram")
    _entitle(heard, "Chroma of what was heard", FILE_TIME)
    _reference(reference, explanation)
    _agreement(agreement, explanation)
    _scores(scores, explanation)
    _votes(votes, explanation)
    save_figure(figure, path)


def _title(explanation: Explanation) -> str:
    """Return what is told above the picture."""
    found = explanation.found
    name = "Nothing in the catalogue" if explanation.track is None else name_of(explanation.track)
    lines = [f"{Path(explanation.identified.file).name}:  {name}"]
    if found is not None:
        lines.append(
            f"{found.kind}, {found.query_s:.1f} s into the file at {found.reference_s:.1f} s of the track, "
            f"speed {found.speed:.3f}, {found.semitones:+.1f} semitones, score {found.score:.1f}, "
            f"confidence {min(99, round(100 * found.confidence))} %"
        )
    lines.append(explanation.reason)
    return "\n".join(part for line in lines for part in textwrap.wrap(line, LINE_CHARACTERS))


def _reference(axes: Any, explanation: Explanation) -> None:
    if explanation.track is None:
        _say(axes, "no track came near")
    elif explanation.reference is None:
        _say(axes, "this index keeps no chroma")
    else:
        _chromagram(axes, explanation.reference, explanation.place, "the track has nothing there")
    where = "along the line found" if explanation.found is not None else "from beginning to end"
    _entitle(axes, f"Chroma of the reference, {where}", TRACK_TIME)


def _chromagram(axes: Any, chromagram: Chromagram, shown: Stretch, nothing: str) -> None:
    if not chromagram.steps.any():
        _say(axes, nothing)
        return
    span = chromagram.stretch
    axes.imshow(
        chromagram.steps.T, origin="lower", aspect="auto", interpolation="nearest", cmap=CHROMA_COLOURS,
        extent=(span.begin_s, span.end_s, -0.5, 11.5),
    )  # fmt: skip
    axes.set(yticks=CLASS_ROWS, yticklabels=CLASSES, ylabel="pitch class", xlim=(shown.begin_s, shown.end_s))


def _agreement(axes: Any, explanation: Explanation) -> None:
    found, agreement, shown = explanation.found, explanation.agreement, explanation.shown
    of_what = "harmony" if found is not None and found.kind == "version" else "codes"
    _entitle(axes, f"Agreement of {of_what}", FILE_TIME)
    if agreement is None or not agreement.values.any():
        _say(axes, "nothing to compare")
        return
    _image(axes, agreement)
    axes.set(xlim=(shown.begin_s, shown.end_s), ylabel=TRACK_TIME)
    if found is not None:
        _line(axes, found, agreement, shown)


def _image(axes: Any, agreement: Agreement) -> None:
    heard, reference = agreement.heard, agreement.reference
    image = axes.imshow(
        agreement.values, origin="lower", aspect="auto", interpolation="nearest", cmap=AGREEMENT_COLOURS,
        vmin=0, vmax=np.clip(agreement.values.max(), FAINTEST, 1),
        extent=(heard.begin_s, heard.end_s, reference.begin_s, reference.end_s),
    )  # fmt: skip
    beside = axes.inset_axes((1.01, 0, 0.015, 1))
    axes.figure.colorbar(image, cax=beside, label="agreement (0: chance, 1: all)")


def _line(axes: Any, found: Finding, agreement: Agreement, shown: Stretch) -> None:
    """Draw the line found as a band, so that what agrees along it is seen."""
    heard_s = np.array([max(found.query_s, shown.begin_s), shown.end_s])
    place_s = found.reference_s + (heard_s - found.query_s) * found.speed
    aside_s = BAND_SHARE * (agreement.reference.end_s - agreement.reference.begin_s)
    axes.fill_between(
        heard_s, place_s - aside_s, place_s + aside_s, facecolor=f"{VERMILION}26", edgecolor=VERMILION,
        label="line found",
    )  # fmt: skip
    _legend(axes)


def _scores(axes: Any, explanation: Explanation) -> None:
    course, shown = explanation.course, explanation.shown
    rival = "" if course.rival is None else f" ({textwrap.shorten(course.rival, 40, placeholder='…')})"
    size = _dot(explanation)
    axes.axhline(
        explanation.threshold, color="black", linestyle="--", linewidth=1, label="needed for a claim"
    )
    axes.plot(
        course.stream_s, course.runner_up, "s-", color=ORANGE, markersize=size, label=f"best other{rival}"
    )
    if explanation.track is not None:
        axes.plot(course.stream_s, course.score, "o-", color=BLUE, markersize=size, label="this track")
    if shown.end_s - shown.begin_s < explanation.identified.seconds:
        axes.axvspan(shown.begin_s, shown.end_s, color="0.92", zorder=0, label="shown above")
    _entitle(axes, "Score at each decision")
    axes.set(ylabel="score [deviations\nof the background scores]")
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    _legend(axes)


def _votes(axes: Any, explanation: Explanation) -> None:
    course = explanation.course
    for votes, colour, name in zip(course.votes.T, (GREEN, PURPLE), ("FAISS", "LSH tables"), strict=True):
        axes.plot(
            course.stream_s[: len(votes)], votes, "o-", color=colour, markersize=_dot(explanation), label=name
        )
    _entitle(axes, "Votes for this track", FILE_TIME)
    axes.set(ylabel="votes", xlim=(0, explanation.identified.seconds or 1))
    axes.set_ylim(bottom=0)
    _legend(axes)
    if not len(course.votes):
        version = explanation.found is not None and explanation.found.kind == "version"
        _note(axes, "versions are found without votes" if version else "no votes")
        axes.set(yticks=[])


def _dot(explanation: Explanation) -> float:
    """Return the size of the dot of a decision: where they crowd, it still shows one that stands alone."""
    return 3.0 if len(explanation.course.stream_s) <= CROWD else 1.0


def _entitle(axes: Any, title: str, below: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(below)


def _legend(axes: Any) -> None:
    """Put the legend beside the title, where it hides nothing."""
    legend = axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, fontsize=9, borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _say(axes: Any, what: str) -> None:
    """Put words where there is nothing to draw."""
    _note(axes, what)
    axes.set(xticks=[], yticks=[])


def _note(axes: Any, what: str) -> None:
    axes.text(0.5, 0.5, what, ha="center", va="center", color="0.4", transform=axes.transAxes)
