"""Rolls an event log up with Spark and scores its users on all of the cluster's machines with ebb-train.

    spark-submit examples/spark_job.py --ebb-train target/release/ebb-train --model models/shop --config ebb.toml \\
        --as-of 2025-06-24 --rollup s3a://lake/rollup --out s3a://lake/scores

The query comes from `ebb-train rollup-sql --dialect spark`. Each task then has all rows of its users, hands them to
ebb-train as Parquet, and returns the scores; the binary, the model and the configuration travel with the job, so the
machines need nothing but Spark, Python, pyarrow, and the pandas that Spark asks for. The result has the columns of
scores.parquet and `not_scored`: the reason for users without a score. It equals what one machine would write, in no
order.
"""

import argparse
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pyspark import SparkFiles, TaskContext
from pyspark.sql import SparkSession

ARCHIVE = "ebb.tar.gz"
REASONS = [
    (f"reason_{k}_{column}", kind)
    for k in (1, 2, 3)
    for column, kind in [
        ("theme", pa.string()),
        ("feature", pa.string()),
        ("value", pa.float64()),
        ("contribution", pa.float64()),
    ]
]
SCHEMA = pa.schema([
    ("user_id", pa.string()),
    ("as_of", pa.date32()),
    ("horizon_days", pa.int32()),
    ("churn_probability", pa.float64()),
    ("risk_band", pa.string()),
    ("stage", pa.string()),
    ("segment", pa.int32()),
    ("segment_name", pa.string()),
    ("segment_key", pa.string()),
    ("reason_1", pa.string()),
    ("reason_2", pa.string()),
    ("reason_3", pa.string()),
    *REASONS,
    ("not_scored", pa.string()),
])
SPARK_NAMES = {
    pa.string(): "string",
    pa.date32(): "date",
    pa.int32(): "int",
    pa.float64(): "double",
}
SPARK_SCHEMA = ", ".join(f"{field.name} {SPARK_NAMES[field.type]}" for field in SCHEMA)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebb-train", required=True, type=Path, help="the binary, built for the cluster's machines")
    parser.add_argument("--model", required=True, type=Path, help="the bundle's folder")
    parser.add_argument("--config", required=True, type=Path, help="ebb.toml")
    parser.add_argument("--as-of", required=True, help="score as known at the start of this day")
    parser.add_argument("--table", help="the table that holds the log, instead of the configured files")
    parser.add_argument("--time-type", help="what the table's time column is: text, local or instant")
    parser.add_argument("--rollup", required=True, help="the folder for the roll-up, which fits and servers read too")
    parser.add_argument("--keep-rollup", action="store_true", help="score from the roll-up that is there already")
    parser.add_argument("--partitions", type=int, default=200, help="how many parts of the users, each scored by a task")
    parser.add_argument("--out", required=True, help="the folder for the scores")
    return parser.parse_args()


def roll_up(spark, args):
    """Writes the daily roll-up, each user's rows in one file."""
    ask = [args.ebb_train, "rollup-sql", "--dialect", "spark", "--config", args.config, "--as-of", args.as_of]
    ask += ["--table", args.table] if args.table else []
    ask += ["--time-type", args.time_type] if args.time_type else []
    query = subprocess.run(ask, check=True, stdout=subprocess.PIPE, text=True).stdout
    spark.sql(query).repartition(args.partitions, "user").write.mode("overwrite").parquet(args.rollup)


def scorer(as_of):
    """A function that scores the users whose roll-up rows it is given."""

    def score(batches):
        # Below a folder of Spark's, which is removed even where this process is killed.
        local = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
        with tempfile.TemporaryDirectory(prefix="ebb-", dir=local) as folder:
            rows, scores = Path(folder, "rollup.parquet"), Path(folder, "scores.parquet")
            writer = None
            for batch in batches:
                writer = writer or pa.parquet.ParquetWriter(rows, batch.schema)
                writer.write_batch(batch)
            if writer is None:
                return
            writer.close()
            shipped = Path(SparkFiles.get(ARCHIVE))
            command = [shipped / "ebb-train", "score", "--quiet", "--model", shipped / "model"]
            command += ["--config", shipped / "ebb.toml", "--events", rows, "--as-of", as_of, "--out", scores]
            # As many threads as Spark gave the task.
            threads = {"RAYON_NUM_THREADS": str(TaskContext.get().cpus())}
            done = subprocess.run(command, env=os.environ | threads, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"ebb-train score: exit code {done.returncode}: {done.stderr}")
            table = pa.parquet.read_table(scores)
            yield from complete(table).to_batches(max_chunksize=10_000)
            text = pa.csv.ConvertOptions(column_types={"user_id": pa.string(), "reason": pa.string()})
            skipped = pa.csv.read_csv(scores.with_suffix(".skipped.csv"), convert_options=text)
            skipped = skipped.rename_columns(["user_id", "not_scored"])
            yield from complete(skipped).to_batches(max_chunksize=10_000)

    return score


def complete(table):
    """The table with all columns of the result, empty where it has none."""
    columns = [table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type) for f in SCHEMA]
    return pa.table(columns, schema=SCHEMA)


def pack(args, folder):
    """One archive with all that a task needs. Spark unpacks it on every machine; it must outlive the job."""
    path = Path(folder, ARCHIVE)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(args.ebb_train.resolve(), "ebb-train")
        archive.add(args.model.resolve(), "model")
        archive.add(args.config.resolve(), "ebb.toml")
    return str(path)


def main():
    args = arguments()
    spark = SparkSession.builder.appName("ebb").getOrCreate()
    if not args.keep_rollup:
        roll_up(spark, args)
    with tempfile.TemporaryDirectory(prefix="ebb-") as folder:
        spark.sparkContext.addArchive(pack(args, folder))
        users = spark.read.parquet(args.rollup).repartition(args.partitions, "user")
        scores = users.mapInArrow(scorer(args.as_of), SPARK_SCHEMA)
        scores.write.mode("overwrite").parquet(args.out)
        spark.stop()


if __name__ == "__main__":
    main()
