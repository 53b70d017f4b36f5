"""The model card of a model of genres."""

from stream_match.catalog.genre_manifest import GenreManifest
from stream_match.offline.genre.classifiers import CLASSIFIERS
from stream_match.offline.genre.judging import CONFIDENCE
from stream_match.offline.genre.training import Comparison
from stream_match.text import printable

_CARD = """\
# A model of genres

{title} for stream-match (model format {version}), on {columns} columns of descriptors ({sets}), each row of
{length}. Arrays without pickle: numpy alone reads and asks it.

**What it was trained on.** {trained_on}. {tracks} tracks, {rows} rows, {genres} genres:

| genre | tracks |
|---|---|
{counts}

**Licence.** {licence}.

**How often it is right.** Of tracks that were held out, with all that are nearly the same, {accuracy:.1%}.
Rows, over repeated folds: {fold_accuracy:.1%} ({low:.1%} to {high:.1%}, {confidence:.0%} interval). These are
tracks of the same collection: of other music it will know less. {chosen}

**When it says nothing.** {rule} A track is *unfamiliar* if more than half of its rows are more than
{limit:.1f} deviations from the middle of all that was trained on (Mahalanobis distance). Of the tracks held
out, 1 % are.

**Limits.** It names one of these genres for whatever it is familiar with. Speech and noise may be near
enough.
Genres are what those who sorted the music took them for.
"""


def genre_card(comparison: Comparison, manifest: GenreManifest) -> str:
    """Return the card, in Markdown; the same for the same rows.

    Parameters
    ----------
    comparison : Comparison
    manifest : GenreManifest
    """
    calibration, best = comparison.calibration, comparison.best
    if calibration is None or manifest.threshold > 1:
        rule = "No probability was right often enough: it never tells a genre."
    else:
        rule = (
            f"A track is *unsure* if its likeliest genre has a probability below {manifest.threshold:.3f}. "
            f"Of the tracks held out {calibration.told:.0%} reach it, and {calibration.told_right:.0%} of "
            "these are right."
        )
    of_track = dict(
        zip(comparison.material.labelled.tracks, comparison.material.labelled.labels, strict=True)
    )
    counts = [(name, sum(label == name for label in of_track.values())) for name in manifest.genres]
    low, high = best.interval
    chosen = ""
    if len(comparison.judged) > 1 and best is max(comparison.judged, key=lambda j: j.accuracy):
        chosen = f"It is the best of {len(comparison.judged)} by this figure, which flatters it a little."
    return _CARD.format(
        title=CLASSIFIERS[manifest.classifier].title,
        version=manifest.format_version,
        columns=len(manifest.columns),
        sets="+".join(manifest.sets),
        length="a whole track" if manifest.window_seconds is None else f"{manifest.window_seconds:g} s",
        trained_on=_line(manifest.trained_on),
        tracks=manifest.tracks,
        rows=manifest.rows,
        genres=len(manifest.genres),
        counts="\n".join(f"| {_line(name)} | {count} |" for name, count in counts),
        licence=_line(manifest.licence),
        accuracy=manifest.accuracy,
        fold_accuracy=best.accuracy,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        chosen=chosen,
        rule=rule,
        limit=manifest.familiar_limit,
    )


def _line(text: str) -> str:
    """Return words of a user as they may stand in a line of Markdown, in a table too."""
    shown = printable(text).strip().rstrip(".")
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in shown)
