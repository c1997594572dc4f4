"""What callers hand over: all give the model of one CSV file, or an error that names the column."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import command

import ebb
from ebb._events import Columns, IdType, Log

duckdb = pytest.importorskip("duckdb")
polars = pytest.importorskip("polars")

CONFIGURATION = """
[events]
paths = ["events.csv"]
user = "customer"
time = "at"
amount = "paid"

[churn]
activity = ["event"]
horizon_days = [30]
active_within_days = 90
"""


#: The day that features are for: some users are gone by then.
AS_OF = "2024-11-15"


def features_of(data: Any, **changes: Any) -> pd.DataFrame:
    """The features of the users of a frame, which may be used up by being read."""
    arguments = {"user": "customer", "time": "at", "amount": "paid", "horizon_days": 30, "as_of": AS_OF}
    return ebb.features(data, progress=False, **(arguments | changes))


def same(table: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Whether two tables of features are the same in every bit, apart from how ids are held."""
    names = [name for name in expected.columns if name not in ("user_id", "as_of")]
    assert list(table["user_id"].map(str)) == list(expected["user_id"].map(str))
    return table[names].equals(expected[names])


@pytest.fixture(scope="module")
def expected(small: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The features that the command line gives for the log as a CSV file."""
    folder = tmp_path_factory.mktemp("csv")
    small.to_csv(folder / "events.csv", index=False)
    (folder / "ebb.toml").write_text(CONFIGURATION)
    command("features", "--config", folder / "ebb.toml", "--as-of", AS_OF, "--out", folder / "features.parquet")
    return pd.read_parquet(folder / "features.parquet")


def polars_of(frame: pd.DataFrame) -> Any:
    return polars.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))


WAYS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "pandas by index": lambda frame: frame.set_index("at"),
    "pandas with more columns": lambda frame: frame.assign(note=[{"any": object()}] * len(frame)),
    "pandas nullable": lambda frame: frame.convert_dtypes(),
    "pandas on Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "pandas categorical": lambda frame: frame.astype({"customer": "category"}),
    "pandas of Python's times": lambda frame: frame.assign(at=frame["at"].dt.to_pydatetime().astype(object)),
    "pandas dates": lambda frame: frame.assign(at=frame["at"].dt.date),
    "pandas periods": lambda frame: frame.assign(at=frame["at"].dt.to_period("D")),
    "pandas seconds": lambda frame: frame.astype({"at": "datetime64[s]"}),
    "Polars": polars_of,
    "Polars lazily": lambda frame: polars_of(frame).lazy(),
    "Polars categorical": lambda frame: polars_of(frame).with_columns(
        polars.col("customer").cast(polars.String).cast(polars.Categorical)
    ),
    "DuckDB": lambda frame: duckdb.sql("SELECT * FROM frame"),
    "DuckDB decimals and dates": lambda frame: duckdb.sql(
        "SELECT customer, CAST(\"at\" AS DATE) AS \"at\", CAST(paid AS DECIMAL(12, 2)) AS paid FROM frame"
    ),
    "pyarrow table": lambda frame: pa.Table.from_pandas(frame),
    "pyarrow batch": lambda frame: pa.RecordBatch.from_pandas(frame),
    "pyarrow reader of small batches": lambda frame: pa.Table.from_pandas(frame).to_reader(max_chunksize=100),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_frame_gives_the_features_of_a_file(small: pd.DataFrame, expected: pd.DataFrame, way: str) -> None:
    table = features_of(WAYS[way](small))
    assert same(table, expected)
    assert pd.api.types.is_integer_dtype(table["user_id"]) == (way != "Polars categorical")


def test_a_path_is_read_by_the_program(small: pd.DataFrame, expected: pd.DataFrame, tmp_path: Path) -> None:
    small[:2000].to_csv(tmp_path / "a.csv.gz", index=False)
    small[2000:].to_parquet(tmp_path / "b.parquet")
    table = features_of([tmp_path / "a.csv.gz", str(tmp_path / "b.parquet")])
    assert same(table, expected)
    assert table["user_id"].dtype == "str", "the ids of a file are text"


def test_ids_keep_their_identity(small: pd.DataFrame) -> None:
    number = small["customer"]
    padded = features_of(small.assign(customer=number.map("{:05d}".format)))
    assert set(padded["user_id"]) == set(number.map("{:05d}".format))
    large = features_of(small.assign(customer=number + (1 << 62)))
    assert set(large["user_id"]) == set(number + (1 << 62))
    halves = features_of(small.assign(customer=number / 2))
    assert set(halves["user_id"]) == set(number / 2)


def test_integers_beside_missing_ids_are_integers(small: pd.DataFrame) -> None:
    # pandas makes floating-point numbers of them.
    missing = pd.concat([small, small.head(3).assign(customer=float("nan"))])
    assert missing["customer"].dtype == "float64"
    table = features_of(missing)
    assert table["user_id"].dtype == "int64"
    assert set(table["user_id"]) == set(small["customer"])


def test_ids_that_are_uuids_are_text(small: pd.DataFrame) -> None:
    ids = [uuid.UUID(int=one) for one in small["customer"]]
    as_arrow = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes for one in ids], pa.binary(16)))
    table = features_of(pa.table({"customer": as_arrow, "at": small["at"], "paid": small["paid"]}))
    assert set(table["user_id"]) == set(map(str, ids))


def test_rows_without_a_user_or_time_are_reported_and_not_dropped(small: pd.DataFrame) -> None:
    broken = pd.concat([small, small.head(5).assign(customer=None), small.head(3).assign(at=pd.NaT)])
    fitted = ebb.fit(
        broken, user="customer", time="at", amount="paid", horizon_days=30, allow_below_baseline=True, progress=False
    )
    quality = fitted.card["data_quality"]
    assert quality["rows"] == len(broken)
    rejected = {reason["reason"]: reason["rows"] for reason in quality["rejected"]}
    assert rejected == {"empty_user": 5, "empty_time": 3}


@pytest.mark.parametrize("way", ["pandas", "Polars", "DuckDB"])
def test_days_are_those_of_the_zone_of_the_times(small: pd.DataFrame, expected: pd.DataFrame, way: str) -> None:
    # 23:00 in New York is the next day in UTC: taken as UTC, every event would move by a day.
    zoned = small.assign(at=small["at"].dt.tz_localize("America/New_York"))
    if way == "Polars":
        data = polars_of(zoned)
    elif way == "DuckDB":
        duckdb.sql("SET TimeZone = 'America/New_York'")
        data = duckdb.sql("SELECT * FROM zoned")
    else:
        data = zoned
    fitted = ebb.fit(
        data, user="customer", time="at", amount="paid", horizon_days=30, allow_below_baseline=True, progress=False
    )
    assert fitted.settings["events"]["timezone"] == "America/New_York"
    assert fitted.card["last_day"] == "2025-02-03"
    assert same(features_of(zoned if way == "pandas" else data), expected)
    assert not same(features_of(zoned, timezone="UTC"), expected)


def test_an_offset_is_no_time_zone(small: pd.DataFrame) -> None:
    offset = small.assign(at=small["at"].dt.tz_localize(datetime.timezone(datetime.timedelta(hours=2))))
    with pytest.raises(ebb.UsageError, match=r"offset \+02:00.*timezone='Europe/London'"):
        features_of(offset)
    assert len(features_of(offset, timezone="Europe/Athens")) > 0


def test_text_and_numbers_are_read_by_their_format(small: pd.DataFrame, expected: pd.DataFrame) -> None:
    text = small.assign(at=small["at"].dt.strftime("%d/%m/%Y %H:%M"))
    assert same(features_of(text, time_format="%d/%m/%Y %H:%M"), expected)
    seconds = small.assign(at=(small["at"] - pd.Timestamp(0)) // pd.Timedelta(seconds=1))
    assert same(features_of(seconds, time_format="epoch_s"), expected)


def test_kinds_may_be_a_function_or_an_expression(small: pd.DataFrame) -> None:
    codes = small.assign(code=numpy.where(small["paid"] < 12, "C1", "P1"))
    choice = {"activity": "purchase"}
    by_expression = features_of(codes, kind={"expr": 'code.startsWith("C") ? "return" : "purchase"'}, **choice)
    for frame in (codes, polars_of(codes), pa.Table.from_pandas(codes)):
        by_function = features_of(frame, kind=kinds, **choice)
        assert same(by_function, by_expression)
    with pytest.raises(ebb.UsageError, match="`kind` is a function"):
        features_of(duckdb.sql("SELECT * FROM codes"), kind=kinds, **choice)
    with pytest.raises(ebb.UsageError, match="the data is a path"):
        features_of("events.csv", kind=kinds, **choice)


def kinds(frame: Any) -> list[str]:
    codes = frame["code"].to_pylist() if isinstance(frame, pa.Table) else frame["code"]
    values = ["return" if code.startswith("C") else "purchase" for code in codes]
    return polars.Series(values) if isinstance(frame, polars.DataFrame) else values


def test_columns_that_cannot_be_sent_are_named(small: pd.DataFrame) -> None:
    mixed = small.assign(customer=[one if one % 2 else str(one) for one in small["customer"]])
    with pytest.raises(ebb.DataError, match=r"`customer` holds values of several types \(int, str\)"):
        features_of(mixed)
    times = small["at"].dt.to_pydatetime().astype(object)
    times[0] = times[0].replace(tzinfo=datetime.UTC)
    with pytest.raises(ebb.DataError, match="`at` holds times with a time zone and times without"):
        features_of(small.assign(at=times))
    twice = pd.concat([small, small[["customer"]]], axis=1)
    with pytest.raises(ebb.UsageError, match="2 columns of the name `customer`"):
        features_of(twice)
    with pytest.raises(ebb.UsageError, match="did you mean `customer`"):
        features_of(pa.Table.from_pandas(small), user="customers")
    with pytest.raises(ebb.UsageError, match="is a builtins.dict"):
        features_of({"customer": [1]})
    with pytest.raises(ebb.UsageError, match="the data: column `at` has the type Duration"):
        features_of(small.assign(at=pd.to_timedelta(1, unit="D")))


def test_columns_may_have_numbers_for_names(small: pd.DataFrame, expected: pd.DataFrame) -> None:
    numbered = small.rename(columns={"customer": 0, "paid": 1, "at": 2})
    assert same(features_of(numbered, user=0, time=2, amount=1), expected)


def test_small_batches_become_large_row_groups(tmp_path: Path) -> None:
    rows = 300_000
    table = pa.table({"u": pa.array(range(rows)), "t": pa.array([datetime.date(2024, 1, 1)] * rows)})
    log = Log.of(table.to_reader(max_chunksize=1000), Columns(names={"user": "u", "time": "t"}), tmp_path)
    assert log.ids is IdType.INTEGER
    written = pq.ParquetFile(tmp_path / "events.parquet")
    assert [written.metadata.row_group(group).num_rows for group in range(written.num_row_groups)] == [1 << 18, rows - (1 << 18)]
