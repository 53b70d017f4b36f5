"""Genres: models kept without pickle say what their libraries say, and what is held out stays held out."""

import csv
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog.genre_manifest import read_genre_manifest
from stream_match.catalog.genre_models import read_genre_model, write_genre_model
from stream_match.catalog.genre_place import check_genre_folder, standing_model
from stream_match.catalog.manifest import MANIFEST_FILE, signed
from stream_match.cli import main
from stream_match.descriptors.genre_model import UNFAMILIAR_SHARE, GenreModel, softmax
from stream_match.descriptors.gtzan import COLUMNS
from stream_match.descriptors.scorers import SCORERS
from stream_match.descriptors.sets import SAMPLE_RATE_HZ, SETS
from stream_match.errors import CatalogError, ParameterError, SinkError, UsageError
from stream_match.offline.genre import classifiers
from stream_match.offline.genre.calibration import NEVER, calibrate, calibration_error, learn_familiar
from stream_match.offline.genre.card import genre_card
from stream_match.offline.genre.classifiers import BOOSTED, CLASSIFIERS, KEPT
from stream_match.offline.genre.judging import fit, interval, judge
from stream_match.offline.genre.keeping import scorer_of
from stream_match.offline.genre.labelled import read_labelled
from stream_match.offline.genre.report import report_page
from stream_match.offline.genre.splits import fold_splits, groups_of, row_split, track_split
from stream_match.offline.genre.training import compare, prepare, train

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import train_genre

PUBLISHED = Path(__file__).parents[2] / "../shared/data/gtzan/features_30_sec.csv"
GENRES = ("blues", "disco", "metal")


def small(name, n_rows=60, n_genres=3):
    """A classifier, small enough for a test."""
    if name in BOOSTED:
        pytest.importorskip("xgboost")
    made = CLASSIFIERS[name].make(n_rows, n_genres)
    if "n_estimators" in made.get_params():
        made.set_params(n_estimators=12)
    if name == "mlp":
        made.set_params(hidden_layer_sizes=(30, 10))
    return made


def rows_of(genre, n, seed):
    """Rows whose first columns tell the genre, at different scales."""
    columns = len(COLUMNS)
    rng = np.random.default_rng([seed, genre])
    rows = rng.normal(size=(n, columns))
    rows[:, :6] += 2.0 * np.eye(6)[genre % 6]
    return rows * np.logspace(-2, 4, columns)


def write_table(path, *, n_tracks=8, windows=1, genres=GENRES, change=lambda rows: rows, seed=0):
    """A table in GTZAN form; windows of one track are alike."""
    windowed = windows > 1
    rows = [["id" if windowed else "filename", *(["start_s"] if windowed else ["length"]), *COLUMNS, "label"]]
    for number, genre in enumerate(genres):
        tracks = rows_of(number, n_tracks, seed)
        for track, values in enumerate(tracks):
            rng = np.random.default_rng([seed, number, track])
            for window in range(windows):
                near = values + 0.05 * windowed * rng.normal(size=len(values)) * np.logspace(
                    -2, 4, len(values)
                )
                where = (
                    [f"{genre}/{track}", 3.0 * window] if windowed else [f"{genre}.{track:05}.au", 661_794]
                )
                rows.append([*where, *near.tolist(), genre])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(change(rows))
    return path


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Of a small table, with a support vector machine to keep."""
    path = write_table(tmp_path_factory.mktemp("table") / "t.csv", n_tracks=20)
    material = prepare(read_labelled([path]))
    return compare(material, ("bayes", "svm"), repeats=2, keep="svm", jobs=1)


@pytest.fixture(scope="module")
def trained(comparison):
    return train(comparison, licence="CC0", trained_on="made-up tracks")


@pytest.fixture
def kept(comparison, trained, tmp_path):
    """A model folder."""
    write_genre_model(*trained, genre_card(comparison, trained[1]), tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize("n_genres", [2, 3, 5])
@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_says_what_the_library_says(name, n_genres):
    rng = np.random.default_rng(n_genres)
    x, y = rng.random((120, 6)), rng.integers(0, n_genres, 120)
    x[:, 0] += 0.2 * y
    new = rng.random((40, 6)) * 1.4 - 0.2
    library = small(name, 120, n_genres)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the perceptron, which stops at its limit of steps
        library.fit(x, y)
    scorer = scorer_of(name, library, 6)
    again = type(scorer).of(scorer.arrays())
    assert (again.n_columns, again.n_genres) == (6, n_genres)
    scores = again(new)
    np.testing.assert_array_equal(scores, scorer(new))
    np.testing.assert_allclose(again(new[:1]), scores[:1], atol=1e-12)
    assert again(new[:0]).shape == (0, n_genres)
    if hasattr(library, "predict_proba"):
        np.testing.assert_allclose(softmax(scores), library.predict_proba(new), atol=1e-6)
    elif name == "sgd":
        expected = library.decision_function(new)
        told = scores if n_genres > 2 else scores[:, 1] - scores[:, 0]
        np.testing.assert_allclose(told, expected, atol=1e-9)
    else:  # votes are soft, so that a tie may be broken in another way
        expected = library.decision_function(new).reshape(len(new), -1)
        np.testing.assert_allclose(again.decisions(new) * (1 if n_genres > 2 else -1), expected, atol=1e-9)
        assert np.mean(scores.argmax(axis=1) == library.predict(new)) >= 0.9


def test_forest_boosters_agree_beside_their_thresholds():
    """A value that equals a threshold goes right in XGBoost, and left in scikit-learn."""
    pytest.importorskip("xgboost")
    x = np.repeat(np.arange(8.0), 10)[:, np.newaxis] / 8
    y = (np.arange(80) // 10) % 3
    for name in (*BOOSTED, "tree", "forest"):
        library = small(name, 80, 3).fit(x, y)
        scorer = scorer_of(name, library, 1)
        edges = np.unique(scorer.threshold)[:, np.newaxis]
        around = np.concatenate([edges, np.nextafter(edges.astype("f4"), np.float32(9)), x])
        np.testing.assert_allclose(softmax(scorer(around)), library.predict_proba(around), atol=1e-6)


@pytest.mark.parametrize("windows", [1, 4])
def test_a_table_is_read(tmp_path, windows):
    labelled = read_labelled([write_table(tmp_path / "t.csv", windows=windows)])
    assert labelled.values.shape == (24 * windows, 57)
    assert labelled.window_seconds == (30.0 if windows == 1 else 3.0)
    assert len(set(labelled.tracks)) == 24
    assert labelled.labels[0] == "blues"
    assert labelled.sets == ("gtzan",)


def test_the_table_of_three_seconds_names_windows_of_clips(tmp_path):
    def windows(rows):
        for number, row in enumerate(rows[1:]):
            row[0] = f"blues.{number // 10:05}.{number % 10}.wav"
            row[1], row[-1] = 66_149, "blues"
        return rows

    labelled = read_labelled([write_table(tmp_path / "t.csv", change=windows)])
    assert labelled.tracks[9:11] == ("blues.00000", "blues.00001")
    assert labelled.window_seconds == 3.0


def test_a_table_of_parquet_is_the_same(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = write_table(tmp_path / "t.csv", windows=2)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    words = {"id", "label"}
    columns = {
        name: [row[place] if name in words else float(row[place]) for row in rows]
        for place, name in enumerate(header)
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    one, two = read_labelled([path]), read_labelled([tmp_path / "t.parquet"])
    np.testing.assert_array_equal(one.values, two.values)
    assert (one.tracks, one.labels, one.window_seconds) == (two.tracks, two.labels, two.window_seconds)


def test_several_sets_are_joined_row_by_row(tmp_path):
    names = [f"{genre}/{track}" for genre in GENRES for track in range(4)]
    tables = {}
    for name, order in (("rp", names), ("ssd", names[::-1][:-1])):
        values = np.random.default_rng(0).random((len(order), len(SETS[name].columns)))
        tables[name] = dict(zip(order, values, strict=True))
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [["id", *SETS[name].columns], *([n, *v.tolist()] for n, v in tables[name].items())]
            )
    paths = [tmp_path / "rp.csv", tmp_path / "ssd.csv"]
    labelled = read_labelled(paths, labels_from_ids=True, window_s=6.0)
    assert labelled.sets == ("rp", "ssd")
    assert labelled.tracks == tuple(names[1:])
    assert labelled.labels[0] == "blues"
    assert labelled.window_seconds == 6.0
    expected = np.concatenate([tables["rp"][names[3]], tables["ssd"][names[3]]])
    np.testing.assert_array_equal(labelled.values[2], expected)
    with pytest.raises(UsageError, match="holds rp, and so does another table"):
        read_labelled([paths[0], paths[0]], labels_from_ids=True)
    with pytest.raises(UsageError, match="has no column label"):
        read_labelled(paths)


def without(column):
    return lambda rows: [[v for v, name in zip(row, rows[0], strict=True) if name != column] for row in rows]


def replaced(row, column, value):
    def change(rows):
        rows[row][column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("label"), "has no column label"),
        (without("tempo"), "lacks 1 column of gtzan: 'tempo'"),
        (replaced(0, 5, "loudness"), r"lacks 1 column .*that no set has: 'loudness'"),
        (replaced(2, 7, "nan"), "no finite number in column"),
        (replaced(2, -1, " "), "has ' ' as the label of 'blues.00001.au'"),
        (replaced(2, -1, "x" * 201), "of at most 200 letters"),
        (lambda rows: rows[:1], "has no rows"),
        (lambda rows: rows[:9], "there is one genre, 'blues'"),
        (lambda rows: rows[:10], "the genre 'disco' has one track"),
        (lambda rows: [*rows[:10], ["x.au", *rows[9][1:]]], "of the genre 'disco' are nearly"),
        (lambda rows: [*rows, [*rows[1][:-1], "disco"]], "'blues.00000' is both 'blues' and 'disco'"),
    ],
)  # fmt: skip
def test_a_table_that_nothing_can_be_learnt_from(tmp_path, change, told):
    path = write_table(tmp_path / "t.csv", change=change)
    with pytest.raises(UsageError, match=told):
        prepare(read_labelled([path]))


def test_rows_of_a_track_and_its_doubles_stay_on_one_side(tmp_path):
    def with_doubles(rows):  # disco/0 is blues/0, hardly changed
        double = [[*row] for row in rows[1:4]]
        for number, row in enumerate(double):
            rows[1 + 24 + number][2:-1] = [float(v) * 1.001 for v in row[2:-1]]
        return rows

    labelled = read_labelled([write_table(tmp_path / "t.csv", windows=3, change=with_doubles)])
    material = prepare(labelled)
    assert (material.n_tracks, material.n_groups) == (24, 23)
    group = dict(zip(labelled.tracks, material.groups, strict=True))
    assert group["blues/0"] == group["disco/0"]
    splits = [track_split(material.groups)]
    for repeat in fold_splits(material.genres, material.groups, 3):
        assert np.array_equal(np.sort(np.concatenate([test for _, test in repeat])), np.arange(72))
        splits += repeat
    for train_rows, test in splits:
        assert not set(material.groups[train_rows]) & set(material.groups[test])
        assert set(material.genres[train_rows]) == {0, 1, 2}
    train_rows, test = row_split(72)
    assert set(material.groups[train_rows]) & set(material.groups[test])
    assert len(test) == 22


def test_windows_of_a_track_flatter_what_is_split_by_rows(tmp_path):
    """Genres that mean nothing: whoever tells them has recognised the tracks."""

    def by_chance(rows):
        for number, row in enumerate(rows[1:]):
            row[2:-1] = [*(np.random.default_rng(number // 5).normal(size=57)), *row[2:-1]][:57]
            row[-1] = GENRES[number // 5 % 3]
            row[0] = f"t{number // 5}"
        return rows

    material = prepare(read_labelled([write_table(tmp_path / "t.csv", windows=5, change=by_chance)]))
    (judged,) = judge(["svm"], material.labelled.values, material.genres, material.groups, repeats=1, jobs=1)
    assert min(judged.by_rows) > 0.9
    assert max(judged.by_tracks) < 0.7
    assert judged.accuracy < 0.6


def test_judging_is_the_same_on_any_number_of_processes(comparison):
    material = comparison.material
    again = compare(material, ("bayes", "svm"), repeats=2, keep="svm", jobs=2)
    for one, two in zip(comparison.judged, again.judged, strict=True):
        assert (one.by_rows, one.by_tracks, one.interval) == (two.by_rows, two.by_tracks, two.interval)
        np.testing.assert_array_equal(one.folds, two.folds)
    np.testing.assert_array_equal(comparison.importances, again.importances)


def test_columns_that_tell_the_genre_are_the_important_ones(comparison):
    falls = comparison.importances
    assert falls[:3].mean() > max(0.05, 2 * falls[3:].mean())
    assert comparison.best.accuracy > 0.6


def test_the_interval_of_repeated_folds():
    accuracies = np.random.default_rng(0).random((3, 10))
    low, high = interval(accuracies)
    flat = accuracies.ravel()
    error = np.sqrt(np.var(flat, ddof=1) * (1 / 30 + 1 / 9))
    assert (low + high) / 2 == pytest.approx(flat.mean())
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 29) * error)
    assert interval(np.array([[1.0, 0.9]]))[1] == 1.0


def test_a_genre_that_was_not_trained_on_is_never_named():
    x = np.random.default_rng(0).random((30, 4))
    fitted = fit("logistic", x, np.repeat([0, 2], 15))
    assert set(fitted.predict(x)) <= {0, 2}
    scores = fitted.scores(x, 4)
    assert scores.shape == (30, 4)
    assert softmax(scores)[:, [1, 3]].max() < 1e-10


def test_the_temperature_undoes_what_makes_scores_too_certain():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 3)) * 1.5
    genres = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    found = calibrate(4 * logits, genres, [str(n) for n in range(4000)], 0.8)
    assert found.temperature == pytest.approx(4, rel=0.1)
    assert found.error < 0.03 < found.error_before
    told = found.probability >= found.threshold
    assert found.told == told.mean()
    assert found.told_right == found.right[told].mean() >= 0.8
    more = found.probability >= np.sort(found.probability[~told])[-1]
    assert found.right[more].mean() < 0.8


def test_a_model_that_is_never_right_often_enough_says_nothing():
    scores = np.tile([1.0, 0.0], (40, 1))
    found = calibrate(scores, np.ones(40, int), [str(n) for n in range(40)], 0.8)
    assert (found.threshold, found.told, found.accuracy) == (NEVER, 0, 0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_calibration_error_is_that_of_the_bins(pairs):
    probability = np.array([p for p, _ in pairs])
    right = np.array([r for _, r in pairs])
    expected = 0.0
    for low in range(10):
        inside = [k for k, p in enumerate(probability) if min(int(p * 10), 9) == low]
        if inside:
            apart = abs(right[inside].mean() - probability[inside].mean())
            expected += apart * len(inside) / len(pairs)
    assert calibration_error(probability, right) == pytest.approx(expected)


def test_what_is_unlike_all_is_unfamiliar(comparison, trained):
    model, _ = trained
    assert model.unfamiliar(comparison.material.labelled.values).mean() < 0.1
    strange = comparison.material.labelled.values[:5] * np.logspace(2, -2, 57)
    assert model.unfamiliar(strange).all()


def test_constant_columns_and_more_columns_than_rows_are_no_trouble():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 90))
    x[:, 7] = 3.25
    genres = np.repeat([0, 1], 12)
    familiar = learn_familiar(x, genres, np.arange(24))
    assert np.isfinite(familiar.distances(x)).all()
    assert familiar.distances(x + 40).min() > familiar.limit > familiar.distances(x).max()
    (judged,) = judge(["logistic"], x, genres, groups_of([str(n) for n in range(24)], x), repeats=1, jobs=1)
    assert np.isfinite(judged.folds).all()


def test_a_model_is_the_same_once_written_and_read(comparison, trained, kept, tmp_path):
    model, _ = trained
    read = read_genre_model(kept)
    rows = comparison.material.labelled.values
    np.testing.assert_array_equal(read.probabilities(rows), model.probabilities(rows))
    np.testing.assert_array_equal(read.unfamiliar(rows), model.unfamiliar(rows))
    assert (read.genres, read.set_name, read.window_seconds) == (GENRES, "gtzan", 30.0)
    assert read.columns == COLUMNS
    np.testing.assert_allclose(read.probabilities(rows).sum(axis=1), 1)
    assert read_genre_manifest(kept).licence == "CC0"
    write_genre_model(*train(comparison, licence="CC0", trained_on="made-up tracks"), "card", tmp_path / "n")
    assert manifest_text(kept) == manifest_text(tmp_path / "n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "n"]
    assert "made-up tracks" in (kept / "MODEL_CARD.md").read_text()


def manifest_text(folder):
    return (folder / MANIFEST_FILE).read_bytes()


def test_a_place_that_is_taken_is_refused(trained, kept, tmp_path):
    model, manifest = trained
    with pytest.raises(UsageError, match="is a model already; give --replace"):
        write_genre_model(model, manifest, "card", kept)
    write_genre_model(model, manifest, "another card", kept, replace=True)
    assert (kept / "MODEL_CARD.md").read_text() == "another card"
    assert read_genre_model(kept).genres == GENRES
    (kept / "thesis.txt").touch()
    (tmp_path / "file").touch()
    for place, told in (
        (kept, "is a folder of something else"),
        (tmp_path, "is a folder of something else"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "no" / "m", "in a folder that is not there"),
    ):
        with pytest.raises(UsageError, match=told):
            check_genre_folder(place, replace=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "m"]


def test_a_disk_that_is_full_leaves_the_model_that_was_there(trained, kept, tmp_path, monkeypatch):
    before = manifest_text(kept)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SinkError, match="cannot be written: No space left"):
        write_genre_model(*trained, "card", kept, replace=True)
    assert manifest_text(kept) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


KILLED = """
import os, pathlib, shutil, signal, sys
import numpy as np
from stream_match.catalog.genre_manifest import read_genre_manifest
from stream_match.catalog.genre_models import read_genre_model, write_genre_model

kept, place = map(pathlib.Path, sys.argv[1:])
model, manifest = read_genre_model(kept), read_genre_manifest(kept)
left = 1 << 30

def deadly(function):
    def called(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return called

for where, name in [
    (pathlib.Path, "rename"), (pathlib.Path, "replace"), (pathlib.Path, "mkdir"), (pathlib.Path, "unlink"),
    (pathlib.Path, "write_bytes"), (pathlib.Path, "write_text"), (shutil, "rmtree"), (os, "unlink"),
    (os, "rmdir"),
]:
    setattr(where, name, deadly(getattr(where, name)))

status = None
for moment in range(1000):
    shutil.copytree(kept, place / str(moment) / "m")
    child = os.fork()
    if child == 0:
        left = moment
        write_genre_model(model, manifest, "new card", place / str(moment) / "m", replace=True)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(moment)
"""


def test_files_of_others_beside_a_model_stay(trained, kept):
    for name in (".lock", ".writer"):
        (kept.parent / name).write_text("mine")
    write_genre_model(*trained, "new card", kept, replace=True)
    assert {(kept.parent / name).read_text() for name in (".lock", ".writer")} == {"mine"}
    (kept.parent / ".m.new").mkdir()
    (kept.parent / ".m.new" / "song.flac").touch()
    with pytest.raises(CatalogError, match="is in the way"):
        write_genre_model(*trained, "newest card", kept, replace=True)
    assert (kept.parent / ".m.new" / "song.flac").exists()
    assert read_genre_model(kept)


def test_killed_at_any_step_it_leaves_one_of_both_models_whole(trained, kept, tmp_path):
    command = [sys.executable, "-c", KILLED, str(kept), str(tmp_path / "places")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    steps = int(done.stdout)
    assert steps > 12
    old, away = (kept / "MODEL_CARD.md").read_text(), 0
    for step in range(steps + 1):
        folder = tmp_path / "places" / str(step) / "m"
        assert read_genre_model(folder).genres == GENRES
        away += not folder.exists()
        with pytest.raises(UsageError, match="is a model already"):
            check_genre_folder(folder, replace=False)
        assert (standing_model(folder) / "MODEL_CARD.md").read_text() in (old, "new card")
        write_genre_model(*trained, "newest card", folder, replace=True)
        assert (folder / "MODEL_CARD.md").read_text() == "newest card"
        assert [p.name for p in folder.parent.iterdir()] == ["m"]
    assert away == 1


def test_a_model_that_was_away_is_put_back_where_its_successor_cannot_be_written(trained, kept, monkeypatch):
    before = manifest_text(kept)
    kept.rename(kept.with_name(".m.old"))
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(SinkError, match="cannot be written: full"):
        write_genre_model(*trained, "card", kept, replace=True)
    assert manifest_text(kept) == before
    assert [p.name for p in kept.parent.iterdir()] == ["m"]


def rewritten(folder, **changes):
    """Change a manifest as somebody who knows how would: with its hash."""
    content = json.loads(manifest_text(folder))
    (folder / MANIFEST_FILE).write_bytes(signed({**content, **changes}))


def resaved(folder, name, array, **save):
    """Change an array and what the manifest says of it."""
    import hashlib

    np.save(folder / name, array, **save)
    data = (folder / name).read_bytes()
    files = json.loads(manifest_text(folder))["files"]
    files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewritten(folder, files=files)


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def linked(path):
    path.rename(path.with_name("b")).with_name(path.name).symlink_to("b")


def giant(folder):
    """An array that says that it is far larger than its file."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    import hashlib

    data = b"\x93NUMPY\x01\x00" + len(header + b"\n").to_bytes(2, "little") + header + b"\n"
    (folder / "bias.npy").write_bytes(data)
    files = json.loads(manifest_text(folder))["files"]
    files["bias.npy"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewritten(folder, files=files)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: flip(f / "bias.npy"), r"bias.npy has been altered"),
        (lambda f: (f / "bias.npy").write_bytes(b"x" * 10_000), "bias.npy is too long"),
        (lambda f: (f / "bias.npy").unlink(), "bias.npy is missing"),
        (lambda f: linked(f / "bias.npy"), "bias.npy is missing"),
        (giant, "bias.npy is no array"),
        (lambda f: resaved(f, "bias.npy", np.array([None] * 3), allow_pickle=True), "bias.npy is no array"),
        (lambda f: resaved(f, "bias.npy", np.zeros(2)), "not of all pairs"),
        (lambda f: resaved(f, "bias.npy", np.zeros(1)), "weights is float64"),
        (lambda f: resaved(f, "bias.npy", np.full(3, np.nan)), "bias holds NaN"),
        (lambda f: resaved(f, "scale_least.npy", np.full(57, np.inf)), "an array holds NaN or infinity"),
        (lambda f: resaved(f, "scale_least.npy", np.zeros(56)), "scale_least is float64"),
        (lambda f: resaved(f, "familiar_whitening.npy", np.zeros((57, 57))), "familiar_whitening is float64"),
        (lambda f: rewritten(f, genres=["a", "b"]), "it scores 3 genres"),
        (lambda f: rewritten(f, genres=["a", "b", "a"]), "a genre stands twice"),
        (lambda f: rewritten(f, genres=["a"]), "damaged"),
        (lambda f: rewritten(f, window_seconds=0.01), "takes no windows of 0.01 s"),
        (lambda f: rewritten(f, temperature=0), "field temperature"),
        (lambda f: rewritten(f, files={}), "scale_least"),
        (lambda f: rewritten(f, files={"../../etc/passwd": {"bytes": 1, "sha256": "0" * 64}}), "field files"),
        (lambda f: rewritten(f, scorer="pickle"), "field scorer"),
        (lambda f: rewritten(f, columns=["a"]), "of other columns"),
        (lambda f: rewritten(f, sets=["x"]), "of other columns"),
        (lambda f: rewritten(f, descriptors_version=99), "descriptors of version 99"),
        (lambda f: rewritten(f, format_version=99), "format version 99, .* reads 1"),
        (lambda f: rewritten(f, format="other"), "is no model of genres"),
        (lambda f: (f / MANIFEST_FILE).write_text("{"), "is no model of genres"),
        (lambda f: (f / MANIFEST_FILE).unlink(), "has no manifest.json"),
        (lambda f: flip(f / MANIFEST_FILE), "is no model of genres"),
        (lambda f: (f / MANIFEST_FILE).write_bytes(manifest_text(f).replace(b"CC0", b"CC1")), "been altered"),
    ],
)  # fmt: skip
def test_a_damaged_or_hostile_model_is_refused_in_a_sentence(kept, capfd, damage, told):
    damage(kept)
    with pytest.raises(CatalogError, match=told):
        read_genre_model(kept)
    assert main(["genre", "x.wav", "--model", str(kept)]) == 1
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)


TREES = {
    "roots": np.array([0], "i4"), "genre": np.array([-1], "i4"), "feature": np.array([0, 0, 0], "i4"),
    "left": np.array([1, 1, 2], "i4"), "right": np.array([2, 1, 2], "i4"), "threshold": np.zeros(3),
    "value": np.ones((3, 2), "f4"), "start": np.zeros(2), "columns": np.array([1], "i4"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("left", [0, 1, 2]),  # round in a circle
        ("right", [2, 0, 2]),
        ("right", [9, 1, 2]),
        ("left", [-1, 1, 2]),
        ("feature", [1, 0, 0]),
        ("feature", [-1, 0, 0]),
        ("roots", [3]),
        ("roots", [0, 1]),
        ("genre", [2]),
        ("columns", [0]),
        ("value", [[1.0], [1.0], [1.0]]),
    ],
)
def test_trees_that_lead_nowhere_are_refused(name, array):
    assert SCORERS["trees"].of(TREES)(np.zeros((1, 1))).shape == (1, 2)
    with pytest.raises(ParameterError):
        SCORERS["trees"].of({**TREES, name: np.array(array, TREES[name].dtype)})


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 56)), np.zeros(57), np.full((1, 57), np.nan), np.zeros((0, 57))]
)
def test_rows_that_are_none(trained, rows):
    with pytest.raises(ParameterError, match="rows"):
        trained[0].probabilities(rows)
    with pytest.raises(ParameterError, match="rows"):
        trained[0].unfamiliar(rows)


def test_what_is_told(trained):
    model: GenreModel = trained[0]
    sure = np.array([0.01, 0.98, 0.01])
    told = model.decide(sure, 0.0)
    assert (told.genre, told.likeliest, told.probability, told.reason) == ("disco", "disco", 0.98, None)
    told = model.decide(sure, UNFAMILIAR_SHARE + 0.01)
    assert (told.genre, told.likeliest, told.reason) == (None, "disco", "unfamiliar")
    told = model.decide(np.array([0.33, 0.33, 0.34]), 0.0)
    assert (told.genre, told.likeliest, told.runner_up, told.reason) == (None, "metal", "disco", "unsure")


def test_a_page_holds_no_more_than_words(tmp_path):
    pytest.importorskip("matplotlib")
    names = ("<script>alert(1)</script>", "R&B/soul", "a$b_{c}$ \x1b[31m")
    path = write_table(tmp_path / "<b>.csv", genres=names)
    material = prepare(read_labelled([path]))
    found = compare(material, ("bayes", "logistic"), repeats=1, keep="logistic", jobs=1)
    page = report_page(found)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "R&amp;B/soul" in page
    assert "\x1b" not in page
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 3
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    card = genre_card(found, train(found, licence="a | b", trained_on="x\n# y")[1])
    assert "<script" not in card.replace("\\<", "")
    assert "\n# y" not in card
    assert report_page(found) == page


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Two genres of three clips each: pieces in different order of their halves, and noise."""
    folder = tmp_path_factory.mktemp("genres")
    for genre in ("pieces", "noise"):
        (folder / genre).mkdir()
        for number in range(3):
            rng = np.random.default_rng(number)
            y = render(PIECES[number])[: 14 * SAMPLE_RATE_HZ]
            if genre == "noise":
                y = (rng.normal(size=len(y)) * 0.1 * np.linspace(0.2 + number, 1, len(y))).clip(-1, 1)
            soundfile.write(folder / genre / f"{number}.wav", y.astype("f4"), SAMPLE_RATE_HZ)
    return folder


def test_from_a_folder_to_a_name(music, tmp_path, capfd):
    pytest.importorskip("matplotlib")
    words = [str(music), "--set", "ssd", "--window", "6.5", "--report", str(tmp_path / "r.html")]
    words += [
        "--model",
        str(tmp_path / "m"),
        "--classifiers",
        "knn,logistic",
        "--jobs",
        "1",
        "--licence",
        "CC0",
    ]
    assert train_genre.main(words) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "r.html", "r.ssd.csv"]
    assert "Logistic regression" in capfd.readouterr().out
    model = read_genre_model(tmp_path / "m")
    assert (model.genres, model.set_name, model.window_seconds) == (("noise", "pieces"), "ssd", 6.5)
    soundfile.write(tmp_path / "short.wav", np.zeros(SAMPLE_RATE_HZ, "f4"), SAMPLE_RATE_HZ)
    files = [
        music / "noise" / "1.wav",
        tmp_path / "short.wav",
        tmp_path / "none.wav",
        music / "pieces" / "2.wav",
    ]
    assert main(["genre", *map(str, files), "--model", str(tmp_path / "m"), "--json"]) == 1
    out, err = capfd.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert [line.get("likeliest") for line in told] == ["noise", None, None, "pieces"]
    assert set(told[0]) == {"file", "genre", "probability", "likeliest", "runner_up", "reason", "rows"}
    assert told[0]["rows"] == 2
    assert "has 1.0 s, but a window needs 6.5 s" in told[1]["error"]
    assert err.count("\n") == 2
    assert main(["genre", str(files[3]), "--model", str(tmp_path / "m")]) == 0
    assert "pieces" in capfd.readouterr().out
    assert train_genre.main([*words, "--replace"]) == 0
    assert train_genre.main(words) == 2
    assert "is a model already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("t.csv --classifiers svm,svm", "the classifier is 'svm'; give each of bayes"),
        ("t.csv --classifiers magic", "the classifier is 'magic'"),
        ("t.csv --classifiers knn --model m", "none of knn can be kept"),
        ("t.csv --classifiers knn,svm --keep mlp", "the classifier to keep is 'mlp'; give one of svm"),
        ("t.csv --set ssd --classifiers knn", "--set is for a folder"),
        ("t.csv . --classifiers knn", "give one folder, or tables only"),
        ("t.txt --classifiers knn", "does not end in .csv or .parquet"),
        ("t.csv --classifiers knn --model no/m", "in a folder that is not there"),
        ("t.csv --classifiers knn --report .", "is a folder; name a file in it"),
        ("t.csv --classifiers knn --labels-from-ids", "names a track 'blues.00000.au' that is in no folder"),
        ("none.csv --classifiers knn", "there is no table 'none.csv'"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, monkeypatch, capfd, words, told):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "t.csv")
    assert train_genre.main(["--report", "r.html", *words.split()]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert not (tmp_path / "r.html").exists()


def test_without_the_library_that_boosts_it_says_what_to_install(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(UsageError, match=r"pip install .*\[genre\]'"):
        classifiers.check_classifiers(("boosted",))
    classifiers.check_classifiers(("svm",))


def test_without_a_model_it_says_how_to_make_one(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("stream_match.offline.genre.naming.place_of", lambda _: tmp_path / "genre")
    assert main(["genre", "x.wav"]) == 2
    err = capfd.readouterr().err
    assert "no model of genres comes with stream-match" in err
    assert "scripts/train_genre.py" in err


def test_doubles_in_the_published_table():
    if not PUBLISHED.is_file():
        pytest.skip(f"{PUBLISHED} is not there: the published table is not part of the repository")
    labelled = read_labelled([PUBLISHED])
    material = prepare(labelled)
    group = dict(zip(labelled.tracks, material.groups, strict=True))
    pairs = "disco.98 disco.99 hiphop.39 hiphop.45 hiphop.76 hiphop.78 metal.34 metal.94 metal.40 metal.61 "
    pairs += "metal.41 metal.62 metal.42 metal.63 metal.43 metal.64 metal.44 metal.65 metal.45 metal.66 "
    pairs += "metal.58 rock.16 pop.54 pop.60 pop.67 pop.71 reggae.81 reggae.82"
    names = [f"{genre}.{int(number):05}" for genre, number in (word.split(".") for word in pairs.split())]
    assert all(group[a] == group[b] for a, b in zip(names[::2], names[1::2], strict=True))
    assert (material.n_tracks, material.n_groups, labelled.window_seconds) == (1000, 964, 30.0)
