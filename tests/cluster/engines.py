"""The printed queries in DuckDB and Spark: roll-ups and scores must have the bytes of the raw log's.

    engines.py EBB_TRAIN MODEL_DIR WORK_DIR EVENTS USERS
"""

import os
import shutil
import sys
from pathlib import Path

import duckdb

import logs
from checks import REPOSITORY, check, end, run, same_bytes, spark_environment

train, model, work, events, users = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5]


def query(dialect, config):
    return run(train, "rollup-sql", "--dialect", dialect, "--config", config)


def rolled_up(config, out, *source):
    """A roll-up's only file and how many rows it holds, from the log or from an engine's roll-up."""
    shutil.rmtree(out, ignore_errors=True)
    run(train, "rollup", "--quiet", "--config", config, *source, "--partitions", "1", "--out", out)
    file = out / "part-00000-of-00001.parquet"
    return file, duckdb.execute(f"SELECT COUNT(*) FROM '{file}'").fetchone()[0]


def scored(by, config, as_of, out, *source):
    # Some of these logs are of other kinds than the model's, or end long before.
    others = ["--allow-missing-kinds", "--allow-stale"]
    run(train, "score", "--quiet", "--model", by, "--config", config, *source, "--as-of", as_of, *others, "--out", out)
    return out, out.with_suffix(".skipped.csv")


def in_duckdb(config, out):
    out.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"COPY ({query('duckdb', config)}) TO '{out}/rollup.parquet' (FORMAT parquet)")
    return out


def in_spark(session, config, out):
    session.sql(query("spark", config)).write.mode("overwrite").parquet(str(out))
    return out


def compare_scores(name, config, as_of, by=model):
    folder = work / "scores" / name
    shutil.rmtree(folder, ignore_errors=True)
    made = in_duckdb(config, folder / "duckdb")
    raw = scored(by, config, as_of, folder / "raw.csv")
    rolled = scored(by, config, as_of, folder / "rolled.csv", "--events", made)
    counts = [sum(1 for _ in file.open()) - 1 for file in raw]
    equal = all(same_bytes(one, other) for one, other in zip(raw, rolled))
    check(f"DuckDB, {name}: {counts[0]} scores and {counts[1]} users without one have the raw log's bytes", equal and counts[0] > 0)


def spark():
    os.environ.update(spark_environment())
    from pyspark.sql import SparkSession

    # A session elsewhere than the log: days must not follow it.
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    }
    return SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()


shutil.rmtree(work / "logs", ignore_errors=True)
folders = logs.make(work / "logs")
session = spark()
session.sparkContext.setLogLevel("ERROR")
for folder in folders:
    config = folder / "ebb.toml"
    expected, rows = rolled_up(config, folder / "own")
    for name, made in [("DuckDB", in_duckdb(config, folder / "duckdb")), ("Spark", in_spark(session, config, folder / "spark"))]:
        found, _ = rolled_up(config, folder / f"{name}-read", "--events", made)
        check(f"{name}, log `{folder.name}`: the {rows} rows of the roll-up have the raw log's bytes", same_bytes(expected, found))
session.stop()

# The control: a roll-up with one row less must not pass.
config = work / "logs/dates/ebb.toml"
less = work / "logs/dates/less.parquet"
duckdb.execute(f"COPY (FROM '{work}/logs/dates/duckdb/rollup.parquet' OFFSET 1) TO '{less}' (FORMAT parquet)")
found, _ = rolled_up(config, work / "logs/dates/less", "--events", less)
check("control: a roll-up that lacks one row is told apart", not same_bytes(work / "logs/dates/own/part-00000-of-00001.parquet", found))

compare_scores("sample log", REPOSITORY / "datasets/shop/ebb.toml", "2025-06-24")
# Days are counted as the model counts them; this log's times are local.
local = work / "logs/returns/local.toml"
local.write_text((work / "logs/returns/ebb.toml").read_text().replace("[churn]", 'timezone = "Europe/London"\n[churn]', 1))
compare_scores("expressions", local, "2024-07-01")
if not (work / "bulk/ebb.toml").exists():
    run(train.with_name("bulk"), events, "--users", users, "--out", work / "bulk")
run(train, "fit", "--quiet", "--allow-below-baseline", "--sample-users", "0.1", "--config", work / "bulk/ebb.toml", "--out", work / "model")
compare_scores(f"{events} events", work / "bulk/ebb.toml", "2025-06-24", work / "model")
end()
