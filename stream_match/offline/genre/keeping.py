"""What a classifier of scikit-learn or XGBoost has learnt, as arrays that need neither."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.scorers import Layers, Scorer, Trees, Vectors

Float64 = npt.NDArray[np.float64]


def scorer_of(name: str, trained: Any, n_columns: int) -> Scorer:
    """Return the scores of a trained classifier.

    Parameters
    ----------
    name : str
        One of `stream_match.offline.genre.classifiers.KEPT`.
    trained : object
        Trained on genres 0, 1, ….
    n_columns : int
    """
    if name in ("sgd", "logistic"):
        return _layers([trained.coef_.T], [trained.intercept_])
    if name == "mlp":
        return _layers(trained.coefs_, trained.intercepts_)
    if name == "svm":
        return _vectors(trained)
    if name == "tree":
        return _voting([trained], n_columns)
    if name == "forest":
        return _voting(trained.estimators_, n_columns)
    return _boosted(trained, n_columns)


def _layers(weights: Any, biases: Any) -> Layers:
    weights, biases = ([np.asarray(part, np.float64) for part in parts] for parts in (weights, biases))
    if len(biases[-1]) == 1:  # of two genres, only the second is scored
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.array([0.0, biases[-1][0]])
    return Layers(tuple(weights), tuple(biases))


def _vectors(trained: Any) -> Vectors:
    counts = trained.n_support_
    n_genres = len(counts)
    ends = np.cumsum(counts)
    weights = np.zeros((len(trained.support_vectors_), n_genres * (n_genres - 1) // 2))
    dual, bias = trained.dual_coef_, trained.intercept_
    if n_genres == 2:  # where scikit-learn turns the sign
        dual, bias = -dual, -bias
    for pair, (i, j) in enumerate(zip(*np.triu_indices(n_genres, 1), strict=True)):
        of_i, of_j = (slice(ends[genre] - counts[genre], ends[genre]) for genre in (i, j))
        weights[of_i, pair] = dual[j - 1, of_i]
        weights[of_j, pair] = dual[i, of_j]
    vectors = np.asarray(trained.support_vectors_, np.float64)
    return Vectors(vectors, weights, np.asarray(bias, np.float64), float(trained._gamma))


def _voting(trees: Any, n_columns: int) -> Trees:
    n_genres = trees[0].n_classes_
    roots, parts, values = [], [], []
    n_nodes = 0
    for grown in (tree.tree_ for tree in trees):
        roots.append(n_nodes)
        parts.append(
            _nodes(n_nodes, grown.children_left, grown.children_right, grown.feature, grown.threshold)
        )
        shares = grown.value[:, 0, :]
        values.append(shares / shares.sum(axis=1, keepdims=True))
        n_nodes += grown.node_count
    genre = np.full(len(roots), -1)
    return _trees(roots, genre, parts, np.concatenate(values), np.zeros(n_genres), n_columns)


def _boosted(trained: Any, n_columns: int) -> Trees:
    learner = json.loads(bytes(trained.get_booster().save_raw("json")))["learner"]
    model = learner["gradient_booster"]["model"]
    n_genres = len(trained.classes_)
    roots, parts, values = [], [], []
    n_nodes = 0
    for tree in model["trees"]:
        roots.append(n_nodes)
        conditions = np.array(tree["split_conditions"], np.float32)
        # There, less than the threshold goes left; here, at most the number before it.
        before = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
        left, right, column = (
            np.array(tree[key]) for key in ("left_children", "right_children", "split_indices")
        )
        parts.append(_nodes(n_nodes, left, right, column, before))
        values.append(conditions[:, np.newaxis])
        n_nodes += len(conditions)
    genre = np.array(model["tree_info"])
    start = np.broadcast_to(_start(learner, n_genres), (n_genres if n_genres > 2 else 1,))
    if n_genres == 2:
        genre, start = np.ones_like(genre), np.array([0.0, start[0]])
    return _trees(roots, genre, parts, np.concatenate(values), np.array(start, np.float64), n_columns)


def _start(learner: Any, n_genres: int) -> Float64:
    """Return what XGBoost adds to the sums; for two genres it is kept as a probability."""
    told = np.atleast_1d(np.array(json.loads(learner["learner_model_param"]["base_score"]), np.float64))
    if n_genres > 2:
        return told
    return np.asarray(np.log(told / (1 - told)))


def _nodes(first: int, left: Any, right: Any, column: Any, threshold: Any) -> tuple[Any, ...]:
    """Return the nodes of a tree, numbered from `first` on, whose leaves are followed by themselves."""
    own = np.arange(len(left)) + first
    leaf = left < 0
    return (
        np.where(leaf, 0, column),
        np.where(leaf, own, left + first),
        np.where(leaf, own, right + first),
        np.where(leaf, 0.0, threshold),
    )


def _trees(
    roots: list[int], genre: Any, parts: list[tuple[Any, ...]], values: Any, start: Float64, n_columns: int
) -> Trees:
    feature, left, right, threshold = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Trees(
        roots=np.array(roots, np.int32),
        genre=np.asarray(genre, np.int32),
        feature=feature.astype(np.int32),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        threshold=threshold.astype(np.float64),
        value=values.astype(np.float32),
        start=start,
        columns=n_columns,
    )
