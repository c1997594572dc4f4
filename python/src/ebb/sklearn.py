"""A classifier for scikit-learn that is fitted by Ebb.

>>> from ebb.sklearn import EbbChurnClassifier
>>> classifier = EbbChurnClassifier(l2=10.0, nonlinear_terms=True).fit(X, y)
>>> classifier.predict_proba(X)[:, 1]
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("the classifier needs scikit-learn: pip install 'ebb[sklearn]'") from error

from ._process import run
from ._work import flags

#: How far the log-odds computed here may be from those of the program, relative to the sum that they are made of.
TOLERANCE = 1e-12

#: The column of the label; features are named by their positions, so none has this name.
LABEL = "label"


class EbbChurnClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression of features that others made, fitted by ``ebb-train fit-matrix``.

    Columns are standardised and clipped to the range of the training rows; a missing value counts as the average.

    Parameters
    ----------
    l2 : float
        The L2 penalty on the summed loss: ``1 / C`` of scikit-learn's own logistic regression.
    nonlinear_terms : bool
        Whether hinges at the quartiles of every column are weighed too.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two classes.
    n_features_in_ : int
        How many features there are.
    model_ : dict
        The fitted model: columns, hinges, intercept and weights.

    Examples
    --------
    >>> table = ebb.features(orders, user="customer_id", time="order_date", horizon_days=60, as_of=days, labels=True)
    >>> known = table[table["churned_60d"].notna()]
    >>> X = known.drop(columns=["user_id", "as_of", "churned_60d", "label_missing_60d"])
    >>> EbbChurnClassifier(l2=100.0).fit(X, known["churned_60d"].astype(bool))
    """

    def __init__(self, *, l2: float = 1.0, nonlinear_terms: bool = False) -> None:
        self.l2 = l2
        self.nonlinear_terms = nonlinear_terms

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any) -> EbbChurnClassifier:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features; NaN is unknown.
        y : array-like of shape (n_samples,)
            The labels, of two classes; the greater one is churn.

        Returns
        -------
        EbbChurnClassifier
            This classifier.

        Raises
        ------
        ValueError
            If the labels are not of two classes, or a feature is infinite.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Classifier can't train when only one class is present: all labels are {self.classes_[0]!r}"
            )
        self.model_ = self._fitted(X, labels)
        return self

    def _fitted(self, X: Any, labels: Any) -> dict[str, Any]:
        columns = {f"x{position}": pa.array(X[:, position]) for position in range(X.shape[1])}
        table = pa.table({**columns, LABEL: pa.array(labels.astype(np.int8))})
        with tempfile.TemporaryDirectory(prefix="ebb-") as folder:
            features, out = Path(folder) / "features.parquet", Path(folder) / "model.json"
            pq.write_table(table, features, compression="none", use_dictionary=False)
            words = flags(
                features=features, label=LABEL, l2=self.l2, nonlinear_terms=bool(self.nonlinear_terms), out=out
            )
            run(["fit-matrix", *words], progress=False, renamed={str(features): "the features"})
            model: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        check_golden(model, X)
        return model

    def decision_function(self, X: Any) -> Any:
        """Compute the log-odds of the second class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features; NaN is unknown.

        Returns
        -------
        ndarray of shape (n_samples,)
            The log-odds.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return log_odds(self.model_, X)

    def predict_proba(self, X: Any) -> Any:
        """Compute the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features; NaN is unknown.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The probabilities, in the order of ``classes_``.
        """
        odds = self.decision_function(X)
        # Of the two forms the one whose exponential cannot overflow.
        small = np.exp(-np.abs(odds))
        churn = np.where(odds >= 0, 1 / (1 + small), small / (1 + small))
        stay = np.where(odds >= 0, small / (1 + small), 1 / (1 + small))
        return np.column_stack([stay, churn])

    def predict(self, X: Any) -> Any:
        """Predict the more probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features; NaN is unknown.

        Returns
        -------
        ndarray of shape (n_samples,)
            A class for each row.
        """
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


def standardised(model: dict[str, Any], X: Any) -> Any:
    """The numbers that the model weighs: the columns and then their hinges, standardised."""
    columns = model["columns"]
    low, high, mean, std_dev = (
        np.array([column[name] for column in columns]) for name in ("clip_min", "clip_max", "mean", "std_dev")
    )
    z = (np.clip(X, low, high) - mean) / std_dev
    z[np.isnan(X)] = 0.0
    hinges = [
        (np.maximum(z[:, hinge["column"]] - hinge["knot"], 0.0) - hinge["mean"]) / hinge["std_dev"]
        for hinge in model["expansion"]["hinges"]
    ]
    return np.column_stack([z, *hinges])


def log_odds(model: dict[str, Any], X: Any) -> Any:
    """The log-odds of rows under a model of ``ebb-train fit-matrix``."""
    return model["intercept"] + standardised(model, X) @ np.array(model["weights"])


def check_golden(model: dict[str, Any], X: Any) -> None:
    """Compare the log-odds of some rows with those that the program computed."""
    rows = X[[golden["row"] for golden in model["golden"]]]
    expected = np.array([golden["log_odds"] for golden in model["golden"]])
    size = abs(model["intercept"]) + np.abs(standardised(model, rows)) @ np.abs(np.array(model["weights"]))
    difference = np.abs(log_odds(model, rows) - expected)
    assert (difference <= TOLERANCE * np.maximum(size, 1.0)).all(), "Python and ebb-train compute the same log-odds"
