"""What the benchmarks against DuckDB, Polars and scikit-learn have in common."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TRAIN = TARGET / "release" / "ebb-train"
BULK = TRAIN.with_name("bulk")
WORK = TARGET / "bench"
PEERS = ROOT / "benches"


def arguments(description, parts):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is run; medians are printed")
    parser.add_argument("--events", type=int, default=50_000_000, help="events of the Parquet log")
    parser.add_argument("--users", type=int, help="its users [default: one for every 50 events]")
    parser.add_argument("--only", action="append", choices=parts, help="a part to run; may be repeated")
    parser.add_argument("--tool", action="append", choices=["ebb", "duckdb", "polars"], help="a tool to run; may be repeated")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the peers")
    parser.add_argument("--no-build", action="store_true", help="take ebb-train and bulk as they were built")
    return parser


def prepare(args, parts):
    args.only = args.only or parts
    args.tool = args.tool or ["ebb", "duckdb", "polars"]
    if not args.no_build:
        programs = ["-p", "ebb", "-p", "ebb-benches", "--bin", "ebb-train", "--bin", "bulk"]
        subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", *programs], cwd=ROOT, check=True)
    WORK.mkdir(parents=True, exist_ok=True)


def log(events, users, form):
    """The folder of a bulk log, made if it is missing."""
    users = users or events // 50
    folder = WORK / f"log-{events}-{users}-{form}"
    if not (folder / "ebb.toml").exists():
        made = folder.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        size = [str(events), "--users", str(users), "--format", form]
        subprocess.run([BULK, "--quiet", *size, "--out", made], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return folder


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def measured(command):
    """Runs a process of its own: wall and processor seconds, peak memory in MiB, and what it printed.

    The system adds the processor time of a process' children to its own, and takes the largest of their peaks. None of
    the tools has any: they all use threads.
    """
    printed = TARGET / "bench" / "printed"
    with printed.open("w") as out:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit code {process.returncode}: {' '.join(map(str, command))}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed.read_text().strip()


class Table:
    """Measurements, and their medians as Markdown."""

    def __init__(self):
        self.runs = {}

    def add(self, work, tool, run):
        self.runs.setdefault(work, {}).setdefault(tool, []).append(run[:3])
        print(f"  {work}, {tool}: {run[0]:.2f} s, processor {run[1]:.2f} s, {run[2]:.0f} MiB", file=sys.stderr, flush=True)

    def show(self):
        print("\n| work | tool | wall s | processor s | peak MiB | wall over the faster peer's |")
        print("| --- | --- | --- | --- | --- | --- |")
        for work, tools in self.runs.items():
            medians = {tool: [statistics.median(part) for part in zip(*runs)] for tool, runs in tools.items()}
            peers = [wall for tool, (wall, _, _) in medians.items() if tool != "ebb"]
            for tool, (wall, processor, peak) in medians.items():
                ratio = f"{wall / min(peers):.2f}" if peers else ""
                print(f"| {work} | {tool} | {wall:.2f} | {processor:.2f} | {peak:.0f} | {ratio} |")
        print(f"\nMedians of {max(len(r) for t in self.runs.values() for r in t.values())}; load {os.getloadavg()[0]:.1f}.")
