"""Public logs: a fit from a frame has the figures of the command line with the same configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import command

import ebb

RETAIL = """
[events]
paths = ["{folder}/online-retail/online_retail.csv.gz"]
user = "CustomerID"
time = "InvoiceDate"
time_format = "%Y-%m-%d %H:%M:%S"
kind = {{ expr = 'InvoiceNo.startsWith("C") ? "return" : "purchase"' }}
amount = {{ expr = 'double(Quantity) * double(UnitPrice)' }}
timezone = "Europe/London"

[churn]
activity = ["purchase"]
horizon_days = [60]
active_within_days = 180
"""


@pytest.fixture(scope="module")
def retail(real_logs: Path) -> pd.DataFrame:
    """The log of Online Retail as pandas reads it, with ids and numbers of invoices as text."""
    path = real_logs / "online-retail" / "online_retail.csv.gz"
    return pd.read_csv(path, dtype={"CustomerID": str, "InvoiceNo": str}, parse_dates=["InvoiceDate"])


@pytest.fixture(scope="module")
def by_command(real_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and the scores of the command line."""
    folder = tmp_path_factory.mktemp("retail")
    (folder / "ebb.toml").write_text(RETAIL.format(folder=real_logs))
    command("fit", "--quiet", "--config", folder / "ebb.toml", "--as-of", "2011-10-10", "--out", folder / "model")
    command(
        "score", "--config", folder / "ebb.toml", "--model", folder / "model", "--as-of", "2011-10-10",
        "--out", folder / "scores.parquet",
    )  # fmt: skip
    return folder


def kinds(frame: pd.DataFrame) -> Any:
    return frame["InvoiceNo"].str.startswith("C").map({True: "return", False: "purchase"})


@pytest.fixture(scope="module")
def model(retail: pd.DataFrame) -> ebb.Model:
    """A model of the frame, with functions for what the configuration has expressions for."""
    return ebb.fit(
        retail,
        user="CustomerID",
        time="InvoiceDate",
        kind=kinds,
        amount=lambda frame: frame["Quantity"] * frame["UnitPrice"],
        activity="purchase",
        horizon_days=60,
        active_within_days=180,
        timezone="Europe/London",
        as_of="2011-10-10",
        progress=False,
    )


def test_figures_of_online_retail_equal_those_of_the_command_line(model: ebb.Model, by_command: Path) -> None:
    expected = json.loads((by_command / "model" / "card.json").read_text())
    assert model.card["horizons"] == expected["horizons"]
    assert model.card["segments"] == expected["segments"]
    rows = {"rows", "events", "users", "rejected", "without_user_share"}
    quality, of_file = model.card["data_quality"], expected["data_quality"]
    assert {name: quality[name] for name in rows - {"rejected"}} == {
        name: of_file[name] for name in rows - {"rejected"}
    }
    counts = [{one["reason"]: one["rows"] for one in each["rejected"]} for each in (quality, of_file)]
    assert counts[0] == counts[1]


def test_scores_of_online_retail_equal_those_of_the_command_line(model: ebb.Model, by_command: Path) -> None:
    expected = pq.read_table(by_command / "scores.parquet").to_pandas(date_as_object=False)
    scores = model.score(as_of="2011-10-10")
    assert (scores["user_id"] == expected["user_id"]).all()
    assert (scores["churn_probability"] == expected["churn_probability"]).all()
    assert (scores["reason_1"] == expected["reason_1"]).all()


def test_ids_that_pandas_makes_numbers_of_are_the_same_users(model: ebb.Model, retail: pd.DataFrame) -> None:
    numbers = retail.assign(CustomerID=retail["CustomerID"].astype("float64"))
    assert numbers["CustomerID"].isna().mean() > 0.2
    scores, text = model.score(numbers, as_of="2011-10-10"), model.score(as_of="2011-10-10")
    assert scores["user_id"].dtype == "int64"
    assert list(scores["user_id"]) == list(text["user_id"].astype("float64").astype("int64"))
    assert scores["churn_probability"].equals(text["churn_probability"])


@pytest.mark.parametrize("library", ["polars", "duckdb"])
def test_other_libraries_give_the_same_scores(model: ebb.Model, retail: pd.DataFrame, library: str) -> None:
    module = pytest.importorskip(library)
    frame = retail.assign(kind=kinds(retail), amount=retail["Quantity"] * retail["UnitPrice"])
    frame = frame[["CustomerID", "InvoiceDate", "kind", "amount"]]
    data = module.from_pandas(frame) if library == "polars" else module.from_df(frame)
    loaded = ebb.Model(model.path, without_functions(model), None, work=None, ids=model._ids)
    assert loaded.score(data, as_of="2011-10-10").equals(model.score(as_of="2011-10-10"))


def without_functions(model: ebb.Model) -> Any:
    """The settings as a saved model has them."""
    from ebb._events import Columns
    from ebb._settings import Settings

    return Settings(model.settings, Columns.of_settings(model.settings["events"]))


def test_instants_of_complete_journey_are_those_of_the_file(real_logs: Path, tmp_path: Path) -> None:
    path = real_logs / "complete-journey" / "transactions_sample.csv.gz"
    (tmp_path / "ebb.toml").write_text(
        f'[events]\npaths = ["{path}"]\nuser = "household_id"\ntime = "transaction_timestamp"\namount = "sales_value"\n'
        '[churn]\nactivity = ["event"]\nhorizon_days = [28]\nactive_within_days = 90\n'
    )
    command(
        "features", "--config", tmp_path / "ebb.toml", "--as-of", "2017-10-01", "--out", tmp_path / "features.parquet"
    )
    frame = pd.read_csv(path)
    frame["transaction_timestamp"] = pd.to_datetime(frame["transaction_timestamp"], utc=True)
    table = ebb.features(
        frame, user="household_id", time="transaction_timestamp", amount="sales_value", horizon_days=28,
        active_within_days=90, as_of="2017-10-01", progress=False,
    )  # fmt: skip
    expected = pd.read_parquet(tmp_path / "features.parquet")
    assert list(table["user_id"].astype(str)) == list(expected["user_id"])
    pd.testing.assert_frame_equal(
        table.drop(columns=["user_id", "as_of"]), expected.drop(columns=["user_id", "as_of"]), rtol=0, atol=0
    )
