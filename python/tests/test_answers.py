"""Questions about single users and later days, compared with what the command line answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from conftest import ARGUMENTS, ROOT, SHOP, command

import ebb

LOG = ["--model", ROOT / "models" / "shop", "--config", SHOP / "ebb.toml"]


def printed(*words: str | Path) -> dict:
    """The JSON object that a command prints."""
    return json.loads(command("--json", *words).stdout)


@pytest.fixture(scope="module")
def model() -> ebb.Model:
    """The sample model, scoring the sample log."""
    return ebb.load(ROOT / "models" / "shop", config=SHOP / "ebb.toml")


@pytest.fixture(scope="module")
def explanation(model: ebb.Model) -> ebb.Explanation:
    return model.explain("U000053", suppose="purchase today", progress=False)


def test_an_explanation_is_that_of_the_command_line(explanation: ebb.Explanation) -> None:
    assert explanation.data == printed("explain", *LOG, "--user", "U000053", "--if", "purchase today")
    assert "U000053" in explanation.sentences[0]
    assert "Supposed: 1 purchase" in repr(explanation)
    assert explanation._repr_html_().startswith(
        '<iframe sandbox="allow-scripts" title="Explanation of the user U000053"'
    )


@pytest.mark.parametrize("frame", ["reasons", "contributions"])
def test_contributions_add_up_to_the_log_odds(explanation: ebb.Explanation, model: ebb.Model, frame: str) -> None:
    table = getattr(explanation, frame)
    log_odds = table.attrs["base_log_odds"][30] + table["contribution"].sum()
    assert explanation.scores["log_odds"][0] == pytest.approx(log_odds, rel=1e-12)
    scores = model.score().set_index("user_id")
    probability = 1 / (1 + math.exp(-log_odds))
    assert scores.loc["U000053", "churn_probability"] == pytest.approx(probability, rel=1e-12)


def test_supposed_events_stand_beside_the_score(explanation: ebb.Explanation, model: ebb.Model) -> None:
    (row,) = explanation.scores.to_dict("records")
    assert row["churn_probability_after"] < row["churn_probability"]
    assert "churn_probability_after" not in model.explain("U000053", progress=False).scores


def test_the_timeline_is_what_was_known_in_each_week(
    explanation: ebb.Explanation, model: ebb.Model, shop: pd.DataFrame
) -> None:
    weeks = explanation.timeline
    week = weeks.iloc[len(weeks) // 2]
    known = shop[pd.to_datetime(shop["time"], errors="coerce") < week["as_of"]]
    scores = model.score(known, as_of=week["as_of"], allow_stale=True).set_index("user_id")
    assert scores.loc["U000053", "churn_probability"] == week["churn_probability_30d"]


def test_a_log_that_lacks_a_kind_is_explained_if_that_is_allowed(model: ebb.Model, shop: pd.DataFrame) -> None:
    lacking = shop[shop["kind"] != "support_ticket"]
    with pytest.raises(ebb.DataError, match="--allow-missing-kinds"):
        model.explain("U000053", lacking, progress=False)
    assert model.explain("U000053", lacking, allow_missing_kinds=True, progress=False).status == "scored"


def test_an_unknown_user_is_an_error_with_similar_ids(model: ebb.Model) -> None:
    with pytest.raises(ebb.EbbError, match="U00005"):
        model.explain("U00005x", progress=False)
    with pytest.raises(ebb.EbbError, match="--not-a-flag"):
        model.explain("--not-a-flag", progress=False)


def test_the_top_is_the_head_of_the_scores(model: ebb.Model) -> None:
    scores = model.score().sort_values(["churn_probability", "user_id"], ascending=[False, True])
    top = model.top(limit=7, progress=False)
    assert list(top["user_id"]) == list(scores["user_id"].head(7))
    assert list(top["rank"]) == [1, 2, 3, 4, 5, 6, 7]
    assert top.attrs["matching"] == len(scores)
    chosen = scores[(scores["segment"] == 0) & scores["risk_band"].isin(["high", "medium"])]
    some = model.top(segment=0, band=["high", "medium"], limit=10_000, progress=False)
    assert list(some["user_id"]) == list(chosen["user_id"])
    with pytest.raises(ebb.UsageError, match="segment"):
        model.top(segment="nobody", progress=False)


def test_the_top_by_loss_without_a_value_part_is_in_order_of_the_spend_at_risk(shop: pd.DataFrame) -> None:
    churn_alone = {name: value for name, value in ARGUMENTS.items() if name != "value"}
    model = ebb.fit(shop, **churn_alone, progress=False)
    top = model.top(by="loss", progress=False)
    assert top["spend_at_risk"].is_monotonic_decreasing
    assert (top["spend_at_risk"] - top["expected_spend"] * top["churn_probability"]).abs().max() < 1e-9


def test_labels_are_churn_as_the_events_say(shop: pd.DataFrame) -> None:
    day = pd.Timestamp("2025-04-01")
    table = ebb.features(shop, as_of=day, labels=True, **ARGUMENTS, progress=False)
    times = pd.to_datetime(shop["time"], errors="coerce")
    bought = (shop["kind"] == "purchase") & (times >= day) & (times < day + pd.Timedelta(days=30))
    buyers = set(shop.loc[bought, "user_id"].str.strip())
    labelled = table[table["churned_30d"].notna()]
    assert len(labelled) > 900
    assert ((~labelled["user_id"].isin(buyers)) == labelled["churned_30d"].astype(bool)).all()
    assert table.loc[table["churned_30d"].isna(), "label_missing_30d"].notna().all()


def test_an_evaluation_is_that_of_the_command_line(shop: pd.DataFrame, tmp_path: Path) -> None:
    early = ebb.fit(shop, as_of="2025-04-01", **ARGUMENTS, progress=False)
    judged = early.evaluate(progress=False)
    early.save(tmp_path / "early")
    assert judged.data == printed("evaluate", "--model", tmp_path / "early", "--config", SHOP / "ebb.toml")
    assert judged.out_of_time
    loss = judged.metrics.set_index("metric").loc["log_loss"]
    assert loss["found_low"] < loss["found"] < loss["found_high"]
    assert f"{loss['found']:.4f}" in repr(judged)
    assert {"base_rate", "bg_nbd"} <= set(judged.baselines["baseline"])
    assert set(judged.slices["dimension"]) >= {"stage", "segment"}
    scored = early.score(as_of=judged.as_of)
    assert judged.data["horizons"][0]["evaluation"]["users"] == len(scored)


def test_labels_that_the_model_has_seen_are_no_test(model: ebb.Model) -> None:
    with pytest.raises(ebb.EbbError, match="--allow-seen"):
        model.evaluate(progress=False)
    seen = model.evaluate(allow_seen=True, progress=False)
    assert not seen.out_of_time
    assert "has seen" in repr(seen)
