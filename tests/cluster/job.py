"""examples/spark_job.py on a cluster of two executors: whole, with one of them killed, and broken on purpose.

    job.py EBB_TRAIN WORK_DIR

The log and its model are those that engines.py leaves in WORK_DIR.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from checks import REPOSITORY, check, end, run, spark_environment

train, work = map(Path, sys.argv[1:3])
model = work / "model"
config, as_of = work / "bulk/ebb.toml", "2025-06-24"
JOB = REPOSITORY / "examples/spark_job.py"


def submit(job, name, *more):
    """Starts the job with two executors of one processor and 1 GiB each; its log goes to NAME.log."""
    shutil.rmtree(work / name, ignore_errors=True)
    settings = ["spark.ui.enabled=false", "spark.driver.host=127.0.0.1", "spark.sql.shuffle.partitions=8"]
    command = [str(Path(sys.executable).with_name("spark-submit")), "--master", "local-cluster[2,1,1024]"]
    command += [part for setting in settings for part in ("--conf", setting)]
    command += [job, "--ebb-train", train, "--model", model, "--config", config, "--as-of", as_of, "--partitions", "8"]
    command += ["--rollup", work / "rollup", "--out", work / name, *more]
    log = open(work / f"{name}.log", "w")
    return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=spark_environment())


def finish(process, name):
    if process.wait() != 0:
        lines = (work / f"{name}.log").read_text().splitlines()
        last = max((i for i, line in enumerate(lines) if line.startswith("Traceback")), default=max(0, len(lines) - 20))
        print("\n".join(lines[last : last + 20]))
        raise SystemExit(f"FAILED: the job `{name}` ended with {process.returncode}")
    return pa.parquet.read_table(work / name)


def parents():
    """The parent of every process, and its command."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found[int(stat.parent.name)] = (int(stat.read_text().rpartition(")")[2].split()[1]), command)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def executor_at_work(root):
    """An executor below the process `root` that is in the middle of scoring; `None` while there is none."""
    processes = parents()
    for start, (_, command) in processes.items():
        if "ebb-train score" not in command:
            continue
        line, at = [], start
        while at in processes:
            line.append(at)
            at = processes[at][0]
        if root in line:
            executors = [p for p in line if "CoarseGrainedExecutorBackend" in processes[p][1] and "java" in processes[p][1]]
            return executors[0] if executors else None
    return None


def kill_an_executor(process):
    """Kills an executor that is scoring, once others have been finished or begun."""
    for _ in range(6000):
        executor = executor_at_work(process.pid)
        if executor and len(list((work / "killed").rglob("part-*"))) >= 2:
            os.kill(executor, signal.SIGKILL)
            return executor
        if process.poll() is not None:
            break
        time.sleep(0.02)
    return None


def one_machine():
    """What ebb-train writes by itself, in the columns of the job."""
    run(train, "score", "--quiet", "--model", model, "--config", config, "--as-of", as_of, "--out", work / "one.parquet")
    scores = pa.parquet.read_table(work / "one.parquet")
    text = pa.csv.ConvertOptions(column_types={"user_id": pa.string()})
    skipped = pa.csv.read_csv(work / "one.skipped.csv", convert_options=text).rename_columns(["user_id", "not_scored"])
    return pa.concat_tables([scores, skipped], promote_options="default")


def rows(table):
    """All values of all rows; floating-point numbers to the last bit."""
    columns = [table[name].to_pylist() for name in COLUMNS]
    shown = lambda value: value.hex() if isinstance(value, float) else value
    return sorted(tuple(map(repr, map(shown, row))) for row in zip(*columns))


expected = one_machine()
COLUMNS = expected.column_names
reference = rows(expected)
print(f"one machine: {len(reference)} rows of {len(COLUMNS)} columns", flush=True)


def compare(name, table):
    found = rows(table)
    return sorted(table.column_names) == sorted(COLUMNS) and found == reference


check("roll-up and scores on two executors equal one machine's, row by row", compare("whole", finish(submit(JOB, "whole"), "whole")))

process = submit(JOB, "killed", "--keep-rollup")
executor = kill_an_executor(process)
table = finish(process, "killed")
lost = [line.split("ERROR ")[1].strip() for line in (work / "killed.log").open() if "ERROR" in line and "Lost executor" in line]
again = sum("Lost task" in line for line in (work / "killed.log").open())
print(f"killed executor process {executor}; Spark says: {lost[:1]}, {again} tasks lost", flush=True)
check("an executor was killed in the middle of scoring", executor is not None and again > 0)
check("and the scores still equal one machine's", compare("killed", table))

# The control: the same job with the rows of a user torn apart.
broken = work / "broken_job.py"
broken.write_text(JOB.read_text().replace('.repartition(args.partitions, "user")\n', '.repartition(args.partitions, "user", "day")\n'))
check("the control differs from the job", broken.read_text() != JOB.read_text())
table = finish(submit(broken, "broken", "--keep-rollup"), "broken")
check(f"control: {table.num_rows} rows from users torn apart are told apart", not compare("broken", table))
table = pa.parquet.read_table(work / "whole")
check("control: a result that lacks one row is told apart", not compare("whole", table.slice(1)))
end()
