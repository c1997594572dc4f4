"""The classifier for scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy
import pandas as pd
import pytest
from conftest import ARGUMENTS

import ebb

pytest.importorskip("sklearn")

from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import log_loss, roc_auc_score  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from ebb.sklearn import EbbChurnClassifier, check_golden, log_odds  # noqa: E402


@parametrize_with_checks([EbbChurnClassifier(), EbbChurnClassifier(nonlinear_terms=True)])
def test_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def shop_rows(shop: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Features and labels of two dates, and which rows are of the later one."""
    days = ["2025-03-01", "2025-05-01"]
    table = ebb.features(shop, as_of=days, labels=True, **ARGUMENTS, progress=False)
    table = table[table["churned_30d"].notna()]
    features = table.drop(columns=["user_id", "as_of", "churned_30d", "label_missing_30d"])
    return features, table["churned_30d"].astype(bool), table["as_of"] == days[1]


def test_it_is_the_logistic_regression_of_scikit_learn(shop_rows: tuple) -> None:
    X, y, _ = shop_rows
    X = X.fillna(X.mean())
    ours = EbbChurnClassifier(l2=20.0).fit(X, y)
    constant = X.columns[X.max() - X.min() <= 1e-9]
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=1 / 20, tol=1e-12, max_iter=10_000))
    oracle.fit(X.drop(columns=constant), y)
    expected = oracle.predict_proba(X.drop(columns=constant))
    assert numpy.abs(ours.predict_proba(X) - expected).max() < 1e-6
    assert (ours.predict(X) == oracle.predict(X.drop(columns=constant))).all()


def test_it_predicts_a_later_day(shop_rows: tuple) -> None:
    X, y, later = shop_rows
    classifier = EbbChurnClassifier(l2=100.0, nonlinear_terms=True).fit(X[~later], y[~later])
    probability = classifier.predict_proba(X[later])[:, 1]
    assert roc_auc_score(y[later], probability) > 0.77
    assert log_loss(y[later], probability) < 0.58
    assert X.isna().any().any(), "some features are unknown"
    assert cross_val_score(classifier, X, y, scoring="roc_auc", cv=3).min() > 0.75


def test_log_odds_are_those_of_the_program(shop_rows: tuple) -> None:
    X, y, _ = shop_rows
    for nonlinear in (False, True):
        model = EbbChurnClassifier(nonlinear_terms=nonlinear).fit(X, y).model_
        assert len(model["golden"]) == 32
        rows = X.to_numpy()[[golden["row"] for golden in model["golden"]]]
        expected = [golden["log_odds"] for golden in model["golden"]]
        assert numpy.allclose(log_odds(model, rows), expected, rtol=1e-12, atol=1e-12)
        model["weights"][0] += 1e-9
        with pytest.raises(AssertionError, match="the same log-odds"):
            check_golden(model, X.to_numpy())


def test_it_is_pickled_with_its_answers(shop_rows: tuple) -> None:
    X, y, _ = shop_rows
    classifier = EbbChurnClassifier().fit(X, y)
    again = pickle.loads(pickle.dumps(classifier))
    assert (again.predict_proba(X) == classifier.predict_proba(X)).all()


def test_a_wrong_penalty_is_an_error(shop_rows: tuple) -> None:
    X, y, _ = shop_rows
    with pytest.raises(ValueError, match="L2"):
        EbbChurnClassifier(l2=-1.0).fit(X, y)
