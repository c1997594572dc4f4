"""What users are worth: the same from the library, the command line and a server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy
import pandas as pd
import pytest
from conftest import ROOT, SHOP, command, serving

import ebb

COLUMNS = [
    "value_expected_spend",
    "value_low",
    "value_high",
    "value_residual",
    "value_at_risk",
    "value_tier",
    "rfm",
    "value_status",
]


@pytest.fixture(scope="module")
def rollup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A roll-up of the shop's users."""
    folder = tmp_path_factory.mktemp("value") / "rollup"
    command("rollup", "--quiet", "--config", SHOP / "ebb.toml", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def client(model: ebb.Model, rollup: Path) -> Iterator[ebb.Client]:
    """A client of a server whose model has a value part."""
    pytest.importorskip("grpc")
    with (
        serving("--model", model.path, "--rollup", rollup, "--listen", "127.0.0.1:0") as address,
        ebb.Client(address) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def bare(small: pd.DataFrame) -> ebb.Model:
    """A model without a value part."""
    return ebb.fit(
        small, user="customer", time="at", amount="paid", horizon_days=30, allow_below_baseline=True, progress=False
    )


def test_scores_have_the_columns_of_value(model: ebb.Model, bare: ebb.Model) -> None:
    scores = model.score()
    assert [name for name in scores.columns if name in COLUMNS] == COLUMNS
    worth = scores[scores["value_status"] == "estimated"]
    assert len(worth) > 1000
    assert (worth["value_low"] <= worth["value_high"]).all()
    assert (worth[["value_expected_spend", "value_residual", "value_at_risk"]] >= 0.0).all(axis=None)
    assert set(worth["value_tier"]) == {"high", "medium", "low"}
    assert worth["rfm"].str.fullmatch("[1-5]-[1-5]-[1-5]").all()
    assert set(COLUMNS).isdisjoint(bare.score().columns)
    assert "value" not in bare.card


def test_the_card_judges_the_value(model: ebb.Model) -> None:
    card = model.card["value"]
    assert (card["currency"], card["margin"], card["horizon_days"]) == ("GBP", 0.35, 180)
    assert 0.0 < card["evaluation"]["model"]["gini"]["value"] < 1.0


def test_the_top_by_loss_of_a_model_with_value_is_by_value_at_risk(model: ebb.Model, bare: ebb.Model) -> None:
    scores = model.score().sort_values(["value_at_risk", "user_id"], ascending=[False, True])
    top = model.top(by="loss", limit=50, progress=False)
    assert list(top["user_id"]) == list(scores["user_id"].head(50))
    assert list(top["value_at_risk"]) == list(scores["value_at_risk"].head(50))
    high = model.top(by="loss", tier="high", limit=10_000, progress=False)
    assert list(high["user_id"]) == list(scores.loc[scores["value_tier"] == "high", "user_id"])
    with pytest.raises(ebb.UsageError, match="hihg"):
        model.top(by="loss", tier="hihg", progress=False)
    assert "value_at_risk" not in bare.top(by="loss", progress=False).columns


def test_a_server_answers_the_values_of_the_file(client: ebb.Client, model: ebb.Model) -> None:
    file = model.score()
    table = client.score_batch(list(file["user_id"]), as_of=file["as_of"][0])
    for name in COLUMNS:
        assert list(table[name].astype(object)) == list(file[name].astype(object)), name
    row = file.iloc[0]
    value = client.score(row["user_id"], as_of=row["as_of"]).value
    assert value is not None
    assert (value.expected_spend, value.low, value.high) == (
        row["value_expected_spend"],
        row["value_low"],
        row["value_high"],
    )
    assert (value.status, value.tier, value.rfm, value.currency) == (
        row["value_status"],
        row["value_tier"],
        row["rfm"],
        "GBP",
    )
    assert all(reason.factor == pytest.approx(math.exp(reason.contribution), rel=1e-12) for reason in value.reasons)
    assert len(value.reasons) == 3


def test_a_frame_of_scores_has_the_same_columns_whatever_the_answers(client: ebb.Client) -> None:
    full = client.score_batch(["U000053"])
    assert full["value_residual"].notna().all()
    for users in ([], ["nobody"], ["U000001"]):
        other = client.score_batch(users)
        assert list(other.columns) == list(full.columns)
        # Text is read as text also where there is none.
        assert (other.dtypes == full.dtypes)[COLUMNS].all()
        assert other[COLUMNS].isna().all(axis=None)
    assert list(client.list_users(limit=0).columns) == list(full.columns)


def test_users_are_listed_by_value_at_risk_and_tier(client: ebb.Client, model: ebb.Model) -> None:
    scores = model.score().sort_values(["value_at_risk", "user_id"], ascending=[False, True])
    high = scores[scores["value_tier"] == "high"]
    table = client.list_users(order="value_at_risk", value_tiers=["high"], limit=None, page_size=100)
    assert list(table["user_id"]) == list(high["user_id"])
    assert list(table["value_at_risk"]) == list(high["value_at_risk"])
    assert table.attrs["total"] == len(high) > 100


def test_features_without_orders_are_of_unknown_value(client: ebb.Client, model: ebb.Model) -> None:
    table = ebb.features(config=SHOP / "ebb.toml", as_of="2025-06-24", progress=False)
    known = table[table["user_id"].isin(model.score()["user_id"].head(20))]
    scored = client.score_batch(known.drop(columns="as_of"))
    assert set(scored["value_status"]) == {"estimated"}
    orders = ["order_days", "recency_order_days", "order_age_days"]
    lacking = client.score_batch(known.drop(columns=["as_of", *orders]))
    assert set(lacking["value_status"]) == {"unknown"}
    assert lacking["value_expected_spend"].isna().all()
    assert lacking["churn_probability"].equals(scored["churn_probability"]), "churn does not weigh orders"


def test_settings_of_value_that_a_log_cannot_serve_are_errors(small: pd.DataFrame) -> None:
    fit = {"user": "customer", "time": "at", "horizon_days": 30, "progress": False}
    with pytest.raises(ebb.DataError, match="events.amount"):
        ebb.fit(small, **fit, value={"kinds": "event"})
    with pytest.raises(ebb.UsageError, match="value.margin"):
        ebb.fit(small, amount="paid", **fit, value={"kinds": "event", "margin": 35})


def test_a_model_of_before_answers_without_value() -> None:
    pytest.importorskip("grpc")
    old = ROOT / "tests" / "data" / "bundles" / "format-4"
    with serving("--model", old, "--listen", "127.0.0.1:0") as address, ebb.Client(address) as client:
        days = [ebb.client.Event("purchase", pd.Timestamp("2025-01-01").date(), 20.0)]
        assert client.score(history=days, as_of="2025-01-05").value is None


def test_tiers_are_by_residual_value(model: ebb.Model) -> None:
    scores = model.score()
    median = scores.groupby("value_tier")["value_residual"].median()
    assert numpy.all(numpy.diff(median[["low", "medium", "high"]]) > 0)
