"""The classifiers that are compared, with the settings of the article that they are taken from.

Wongvorachan, "Applying Machine Learning to Audio Data" (2021). Where it leaves a seed to chance, it is 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stream_match.errors import UsageError, install_command


@dataclass(frozen=True)
class Classifier:
    """A classifier.

    Parameters
    ----------
    title : str
        What people call it.
    make : callable (n_rows, n_genres) -> object
        One that is not trained yet, with scikit-learn's methods, for so many rows to train on.
    """

    title: str
    make: Callable[[int, int], Any]


def _bayes(*_: int) -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


def _sgd(*_: int) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(max_iter=5000, random_state=0)


def _knn(n_rows: int, _: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=min(19, n_rows))


def _tree(*_: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0)


def _forest(*_: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=1000, max_depth=10, random_state=0)


def _svm(*_: int) -> Any:
    from sklearn.svm import SVC

    return SVC(decision_function_shape="ovo")


def _logistic(*_: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(random_state=0, solver="lbfgs")  # multinomial, by now always


def _mlp(*_: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(solver="lbfgs", alpha=1e-5, hidden_layer_sizes=(5000, 10), random_state=1)


def _boosted(*_: int) -> Any:
    return _xgboost().XGBClassifier(n_estimators=1000, learning_rate=0.05, random_state=0, n_jobs=1)


def _boosted_forest(_: int, n_genres: int) -> Any:
    return _xgboost().XGBRFClassifier(
        objective="multi:softmax" if n_genres > 2 else "binary:logistic",  # the former needs three at least
        random_state=0,
        n_jobs=1,
    )


CLASSIFIERS: Mapping[str, Classifier] = {
    "bayes": Classifier("Naive Bayes", _bayes),
    "sgd": Classifier("Stochastic gradient descent", _sgd),
    "knn": Classifier("k nearest neighbours", _knn),
    "tree": Classifier("Decision tree", _tree),
    "forest": Classifier("Random forest", _forest),
    "svm": Classifier("Support vector machine", _svm),
    "logistic": Classifier("Logistic regression", _logistic),
    "mlp": Classifier("Multilayer perceptron", _mlp),
    "boosted": Classifier("Boosted trees (XGBoost)", _boosted),
    "boosted-forest": Classifier("Boosted random forest (XGBoost)", _boosted_forest),
}

BOOSTED = ("boosted", "boosted-forest")

KEPT = ("sgd", "tree", "forest", "svm", "logistic", "mlp", *BOOSTED)
"""Those that can be written into a model folder."""


def check_classifiers(names: tuple[str, ...]) -> None:
    """Refuse classifiers that are not known, or whose library is not there.

    Parameters
    ----------
    names : tuple of str

    Raises
    ------
    UsageError
        If one is unknown or stands twice, there is none, or XGBoost is needed and not there.
    """
    for name in names:
        if name not in CLASSIFIERS or names.count(name) > 1:
            raise UsageError(f"the classifier is {name!r}; give each of {', '.join(CLASSIFIERS)} once.")
    if not names:
        raise UsageError(f"no classifier is given; give some of {', '.join(CLASSIFIERS)}.")
    if set(names) & set(BOOSTED):
        _xgboost()


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise UsageError(
            f"Boosted trees need XGBoost, which is not installed: {install_command('genre')}, "
            "or leave them out with --classifiers."
        ) from error
    return xgboost
