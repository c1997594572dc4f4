#!/usr/bin/env python3
"""How long ebb-serve takes, on one core, until it knows the users of a roll-up: with the index and from the Parquet files, in turn.

    benches/ready.py [--rounds N] [--events N] [--users N] [--core N] [--no-build]

Makes a log of `bulk` and its roll-up below the target folder, reads all files once so that they are in the page cache, and prints
for both ways the median and range of the seconds from the start of the process to its line `ready`, and its peak memory.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import time

import measure

SERVE = measure.TRAIN.with_name("ebb-serve")
INDEX = "_users.index"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts of each way")
    parser.add_argument("--events", type=int, default=50_000_000, help="events of the log")
    parser.add_argument("--users", type=int, default=1_070_000, help="its users, of whom some have no event")
    parser.add_argument("--core", type=int, default=1, help="the processor that the server runs on")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they were built")
    return parser.parse_args()


def rollups(args):
    """A roll-up with its index, and the same Parquet files without."""
    log = measure.log(args.events, args.users, "parquet")
    folders = {way: log.with_name(f"{log.name}-rollup-{way}") for way in ("index", "parquet")}
    command = [measure.TRAIN, "rollup", "--quiet", "--config", log / "ebb.toml", "--out", folders["index"]]
    subprocess.run(command, check=True)
    shutil.rmtree(folders["parquet"], ignore_errors=True)
    folders["parquet"].mkdir()
    for file in folders["index"].iterdir():
        file.read_bytes()
        if file.name != INDEX:
            os.link(file, folders["parquet"] / file.name)
    return folders


def start(folder, core):
    """Seconds from the start to `ready`, users known then, and peak memory in MiB until then."""
    command = ["taskset", "-c", str(core), SERVE, "--model", measure.ROOT / "models" / "shop"]
    command += ["--rollup", folder, "--listen", "127.0.0.1:0"]
    began = time.monotonic()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        ready = next(line for line in server.stdout if line.startswith("ready"))
        seconds = time.monotonic() - began
        status = open(f"/proc/{server.pid}/status").read()
    finally:
        server.terminate()
        server.wait()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
    return seconds, int(re.search(r"(\d+) known users", ready)[1]), peak


def main():
    args = arguments()
    if not args.no_build:
        programs = ["-p", "ebb", "-p", "ebb-benches", "--bin", "ebb-train", "--bin", "ebb-serve", "--bin", "bulk"]
        subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", *programs], cwd=measure.ROOT, check=True)
    measure.WORK.mkdir(parents=True, exist_ok=True)
    folders = rollups(args)
    starts = {way: [] for way in folders}
    for _ in range(args.rounds):
        for way, folder in folders.items():
            starts[way].append(start(folder, args.core))
    megabytes = lambda folder: sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    print(f"{megabytes(folders['parquet']):.0f} MB of Parquet, {megabytes(folders['index']):.0f} MB with the index")
    print("| users from | known users | seconds to ready: median (least to most) | peak MiB |")
    print("| --- | --- | --- | --- |")
    for way, found in starts.items():
        seconds, users, peaks = zip(*found)
        spread = f"{statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})"
        print(f"| {way} | {users[0]:,} | {spread} | {statistics.median(peaks):.0f} |")


if __name__ == "__main__":
    main()
