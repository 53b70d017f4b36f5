"""What training came to, as one page of HTML that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from stream_match.descriptors.sets import set_named
from stream_match.offline.genre import pictures
from stream_match.offline.genre.calibration import Calibration
from stream_match.offline.genre.classifiers import CLASSIFIERS
from stream_match.offline.genre.importance import MOST_SHUFFLED
from stream_match.offline.genre.judging import CONFIDENCE
from stream_match.offline.genre.splits import HELD_OUT, SPLIT_SEED
from stream_match.offline.genre.training import Comparison, Material
from stream_match.text import printable

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Genres of {source}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
tr.best {{ font-weight: bold; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<h1>Genres of {source}</h1>
{body}
</body>
</html>
"""


def report_page(comparison: Comparison) -> str:
    """Return the page.

    Parameters
    ----------
    comparison : Comparison

    Raises
    ------
    UsageError
        If matplotlib is not there.
    """
    material, best = comparison.material, comparison.best
    columns = [column for name in material.labelled.sets for column in set_named(name).columns]
    title = CLASSIFIERS[best.name].title
    parts = [
        *_of_material(material),
        "<h2>Accuracy on rows that were held out</h2>",
        _accuracies(comparison),
        *map(_p, _how(comparison)),
        f"<h2>{escape(title)}: what is taken for what</h2>",
        _picture(pictures.confusion(material.genres, best.predicted, material.names), "confusion matrix"),
        _p("Rows, each when it was held out by tracks, in the first round of the folds."),
        f"<h2>{escape(title)}: which columns matter</h2>",
        _picture(pictures.importance(comparison.importances, columns), "importance of columns"),
        _p("Permutation importance on the rows held out by tracks: how far accuracy falls when one column is "
           f"shuffled, of the {MOST_SHUFFLED} that differ most between the genres. Columns that say the same "
           "share their importance."),
    ]  # fmt: skip
    if comparison.calibration is not None:
        parts += _of_calibration(title, comparison.calibration)
    return _PAGE.format(source=_text(material.labelled.source), body="\n".join(parts))


def accuracy_lines(comparison: Comparison) -> list[list[str]]:
    """Return the table of accuracies: its head, and a line for each classifier.

    Parameters
    ----------
    comparison : Comparison
    """
    lines = [
        ["classifier", "rows, scaled before", "rows", "tracks, scaled before", "tracks", "folds by tracks"]
    ]
    for judged in comparison.judged:
        low, high = judged.interval
        numbers = [*judged.by_rows, *judged.by_tracks]
        lines.append([
            CLASSIFIERS[judged.name].title + (" *" if judged.unfinished else ""),
            *(f"{number:.3f}" for number in numbers),
            f"{judged.accuracy:.3f} ({low:.3f} to {high:.3f})",
        ])  # fmt: skip
    return lines


def _of_material(material: Material) -> list[str]:
    labelled = material.labelled
    window = labelled.window_seconds
    length = "a whole track" if window is None else f"{window:g} s"
    joined = material.n_tracks - material.n_groups
    told = (
        f"{len(material.genres)} rows of {material.n_tracks} tracks; a row describes {length} by "
        f"{labelled.values.shape[1]} columns ({'+'.join(labelled.sets)}). "
        "Tracks that are nearly the same as another one, and stay on its side of a split by tracks: "
        f"{joined}."
    )
    tracks_of = dict(zip(labelled.tracks, material.genres.tolist(), strict=True))
    counts = np.bincount(list(tracks_of.values()), minlength=len(material.names))
    rows = np.bincount(material.genres, minlength=len(material.names))
    table = [["genre", "tracks", "rows"]]
    table += [[n, str(t), str(r)] for n, t, r in zip(material.names, counts, rows, strict=True)]
    return [_p(told), _table(table)]


def _accuracies(comparison: Comparison) -> str:
    bold = 1 + comparison.judged.index(comparison.best)
    return _table(accuracy_lines(comparison), bold=bold)


def _how(comparison: Comparison) -> Iterable[str]:
    best = comparison.best
    n_repeats, n_folds = best.folds.shape
    yield (
        f"Rows: {HELD_OUT:.0%} of the rows are held out by chance (seed {SPLIT_SEED}), as in the article "
        "that the classifiers are taken from. Windows of one track stand on both sides then, and tracks are "
        "recognised, not genres. Tracks: the same share of the tracks is held out, with all their rows."
    )
    yield (
        "Scaled before: columns are brought to 0 to 1 by all rows before the split, as in the article. "
        "Otherwise by the rows that are trained on; values beyond their range are cut off at it."
    )
    yield (
        f"Folds by tracks: {n_folds} folds, each held out once, {_times(n_repeats)}; mean, and "
        f"{CONFIDENCE:.0%} interval by Student's t, with the variance corrected for folds that share their "
        "rows (Nadeau & Bengio 2003). This is the figure to rely on."
    )
    if any(judged.unfinished for judged in comparison.judged):
        yield "* Training stopped at the limit of its steps, as in the article."


def _of_calibration(title: str, calibration: Calibration) -> list[str]:
    rule = (
        f"A genre is told from a probability of {calibration.threshold:.2f} on: {calibration.told:.0%} of "
        f"the tracks held out reach it, and {calibration.told_right:.0%} of these are right."
        if calibration.threshold <= 1
        else "No threshold is right often enough: a model of this would never tell a genre."
    )
    return [
        f"<h2>{escape(title)}: how sure it may be</h2>",
        _picture(pictures.reliability(calibration), "reliability"),
        _p(f"Tracks held out, with the mean probability over their rows; the numbers count them. Scores are "
           f"divided by a temperature of {calibration.temperature:.2f}. Expected calibration error: "
           f"{calibration.error_before:.3f} without it, {calibration.error:.3f} with it. {rule}"),
    ]  # fmt: skip


def _times(count: int) -> str:
    return "in one round" if count == 1 else f"in {count} rounds"


def _picture(figure: Any, what: str) -> str:
    return f'<p><img alt="{what}" src="{pictures.embedded(figure)}"></p>'


def _p(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def _text(text: str) -> str:
    return escape(printable(text))


def _table(lines: Sequence[Sequence[str]], *, bold: int | None = None) -> str:
    head, *rest = lines
    shown = ["<tr>" + "".join(f"<th>{_text(word)}</th>" for word in head) + "</tr>"]
    for number, line in enumerate(rest, 1):
        start = '<tr class="best">' if number == bold else "<tr>"
        shown.append(start + "".join(f"<td>{_text(word)}</td>" for word in line) + "</tr>")
    return f"<table>\n{chr(10).join(shown)}\n</table>"
