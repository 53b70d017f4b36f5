"""From rows with genres to what classifiers are worth, and to a model of one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.catalog.genre_manifest import GenreManifest
from stream_match.descriptors.genre_model import GenreModel, Scale
from stream_match.descriptors.scorers import Layers, Trees, Vectors
from stream_match.descriptors.sets import VERSION
from stream_match.errors import UsageError
from stream_match.offline.genre.calibration import Calibration, calibrate, learn_familiar
from stream_match.offline.genre.classifiers import CLASSIFIERS, KEPT, check_classifiers
from stream_match.offline.genre.importance import importances
from stream_match.offline.genre.judging import Judged, fit, judge, training_count
from stream_match.offline.genre.labelled import Labelled
from stream_match.offline.genre.splits import groups_of, groups_of_each

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

TOLD_RIGHT = 0.8
"""Share of right ones among the tracks that are told a genre: what the threshold of a model is chosen by."""

SCORER_NAMES: dict[type, str] = {Layers: "layers", Trees: "trees", Vectors: "vectors"}


@dataclass(frozen=True)
class Material:
    """Rows made ready.

    Parameters
    ----------
    labelled : Labelled
    names : tuple of str
        The genres, sorted.
    genres, groups : np.ndarray [shape=(n,), dtype=int64]
        Of each row: its genre, and what must stay on one side of a split.
    """

    labelled: Labelled
    names: tuple[str, ...]
    genres: Int64
    groups: Int64

    @property
    def n_tracks(self) -> int:
        """How many tracks there are."""
        return len(set(self.labelled.tracks))

    @property
    def n_groups(self) -> int:
        """How many are left when those that are nearly the same count as one."""
        return int(self.groups.max()) + 1

    @property
    def row_is_track(self) -> bool:
        """Whether each track has one row."""
        return self.n_tracks == len(self.genres)


@dataclass(frozen=True)
class Comparison:
    """What classifiers are worth on some material.

    Parameters
    ----------
    material : Material
    judged : tuple of Judged
    best : Judged
        The one that is looked at closely: what is kept, or else the most accurate.
    importances : np.ndarray [shape=(d,), dtype=float64]
        By `best`.
    calibration : Calibration or None
        Of `best`, if it can be kept.
    """

    material: Material
    judged: tuple[Judged, ...]
    best: Judged
    importances: Float64
    calibration: Calibration | None


def prepare(labelled: Labelled) -> Material:
    """Make rows ready, and refuse those that nothing can be learnt from.

    Parameters
    ----------
    labelled : Labelled

    Raises
    ------
    UsageError
        If there are fewer than two genres, or one has fewer than two tracks that are not nearly the same.
    """
    names, genres = np.unique(np.array(labelled.labels, dtype=object), return_inverse=True)
    if len(names) < 2:
        raise UsageError(f"there is one genre, {names[0]!r}; give tracks of two at least.")
    of_track = dict(zip(labelled.tracks, labelled.labels, strict=True))
    for name in names:
        if sum(label == name for label in of_track.values()) < 2:
            raise UsageError(f"the genre {name!r} has one track; give two at least, or leave it out.")
    groups = groups_of(labelled.tracks, labelled.values)
    for name, count in zip(names, groups_of_each(genres, groups), strict=True):
        if count < 2:
            raise UsageError(f"all tracks of the genre {name!r} are nearly the same; give others too.")
    return Material(labelled, tuple(map(str, names)), np.asarray(genres, np.int64), groups)


def compare(
    material: Material,
    classifiers: Sequence[str],
    *,
    repeats: int,
    keep: str | None = None,
    must_keep: bool = False,
    wanted: float = TOLD_RIGHT,
    jobs: int | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_done: Callable[[], None] = lambda: None,
) -> Comparison:
    """Judge classifiers, and look closely at one.

    Parameters
    ----------
    material : Material
    classifiers : sequence of str
        Names in `CLASSIFIERS`.
    repeats : int, >= 1
        Of the folds.
    keep : str, optional
        The one to look at; by default the most accurate.
    must_keep : bool
        Whether only those are looked at that can be kept.
    wanted : float
        As for `calibrate`.
    jobs : int or None
        Processes; None for one per core. The result does not depend on it.
    on_start : callable (int) -> None
        Called with the number of trainings before the first.
    on_done : callable () -> None
        Called after each.

    Raises
    ------
    UsageError
        If a classifier is unknown or cannot be kept, or its library is not there.
    """
    check_classifiers(tuple(classifiers))
    if keep is not None and (keep not in classifiers or keep not in KEPT):
        can = [name for name in classifiers if name in KEPT]
        raise UsageError(f"the classifier to keep is {keep!r}; give one of {', '.join(can) or 'no other'}.")
    x = material.labelled.values
    on_start(training_count(classifiers, material.genres, material.groups, repeats))
    judged = judge(
        classifiers, x, material.genres, material.groups, repeats=repeats, jobs=jobs, on_done=on_done
    )
    candidates = [j for j in judged if j.name == keep] if keep else judged
    if must_keep:
        candidates = [j for j in candidates if j.name in KEPT]
    if not candidates:
        raise UsageError(f"none of {', '.join(classifiers)} can be kept; give one of {', '.join(KEPT)}.")
    best = max(candidates, key=lambda j: j.accuracy)
    return Comparison(
        material=material,
        judged=tuple(judged),
        best=best,
        importances=importances(best.name, x, material.genres, material.groups, jobs),
        calibration=None
        if best.scores is None
        else calibrate(best.scores, material.genres, material.labelled.tracks, wanted),
    )


def train(comparison: Comparison, *, licence: str, trained_on: str) -> tuple[GenreModel, GenreManifest]:
    """Train the best classifier on all rows.

    Parameters
    ----------
    comparison : Comparison
    licence, trained_on : str
        What the model may be used for, and what music it was trained on, in words.

    Returns
    -------
    GenreModel, GenreManifest
        The same for the same rows.

    Raises
    ------
    UsageError
        If that classifier cannot be kept.
    """
    from sklearn.preprocessing import MinMaxScaler

    material, best, calibration = comparison.material, comparison.best, comparison.calibration
    if calibration is None:
        raise UsageError(
            f"{CLASSIFIERS[best.name].title} cannot be kept; give --keep with one of {', '.join(KEPT)}."
        )
    labelled = material.labelled
    scaler = MinMaxScaler().fit(labelled.values)
    scale = Scale(scaler.data_min_, scaler.scale_)
    scorer = fit(best.name, scale(labelled.values), material.genres).scorer()
    model = GenreModel(
        genres=material.names,
        sets=labelled.sets,
        window_seconds=labelled.window_seconds,
        scale=scale,
        scorer=scorer,
        temperature=calibration.temperature,
        threshold=calibration.threshold,
        familiar=learn_familiar(labelled.values, material.genres, material.groups),
    )
    manifest = GenreManifest.model_validate(
        {
            "genres": model.genres,
            "sets": model.sets,
            "columns": model.columns,
            "descriptors_version": VERSION,
            "window_seconds": model.window_seconds,
            "classifier": best.name,
            "scorer": SCORER_NAMES[type(scorer)],
            "temperature": model.temperature,
            "threshold": model.threshold,
            "familiar_limit": model.familiar.limit,
            "licence": licence,
            "trained_on": trained_on,
            "tracks": material.n_tracks,
            "rows": len(material.genres),
            "accuracy": calibration.accuracy,
        }
    )
    return model, manifest
