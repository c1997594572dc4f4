#!/usr/bin/env bash
# Runs the queries of `ebb-train rollup-sql` in DuckDB and Spark, and the shipped Spark job on a cluster of processes that
# loses one of them; everything must equal what ebb-train does on one machine. The indicators must equal a query in DuckDB.
#
#   tests/cluster/run.sh EBB_TRAIN MODEL_DIR [EVENTS USERS]
#
# Needs python3 and Java 17 or newer. What it downloads and writes stays under the target folder.
set -euo pipefail
exec </dev/null

train=$(realpath "${1:?usage: tests/cluster/run.sh EBB_TRAIN MODEL_DIR [EVENTS USERS]}")
model=$(realpath "${2:?usage: tests/cluster/run.sh EBB_TRAIN MODEL_DIR [EVENTS USERS]}")
events=${3:-5000000} users=${4:-100000}
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/cluster
mkdir -p "$work"

command -v java >/dev/null || { echo "there is no java: install a Java runtime, 17 or newer"; exit 1; }
if [ ! -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pyspark>=4.0,<5' 'duckdb>=1.2' 'pyarrow>=18' 'pandas>=2.2,<3'

started=$SECONDS
"$work/venv/bin/python" tests/cluster/engines.py "$train" "$model" "$work" "$events" "$users"
"$work/venv/bin/python" tests/cluster/kpi.py "$train" "$work"
"$work/venv/bin/python" tests/cluster/job.py "$train" "$work"
echo "cluster: everything equals one machine, in $((SECONDS - started)) s"
