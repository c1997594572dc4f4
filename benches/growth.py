"""How cost grows with a log: wall time and peak memory of roll-up, fit and score by events and users.

    python3 benches/growth.py target/release/ebb-train [WORK_FOLDER]

Makes the logs (Parquet) where they are missing with `bulk`, which lies beside ebb-train, and prints a Markdown table:

    cargo build --release -p ebb -p ebb-benches --bin ebb-train --bin bulk
"""

import os
import shutil
import sys
import time
from pathlib import Path

# Events and users: more events of as many users, and more users with as many events each.
LOGS = [
    (1_000_000, 20_000),
    (5_000_000, 20_000),
    (5_000_000, 100_000),
    (10_000_000, 200_000),
    (25_000_000, 500_000),
    (50_000_000, 1_000_000),
    (50_000_000, 4_000_000),
]


def run(*command):
    """Seconds of wall time, seconds of processor time, MiB at the peak."""
    start = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    train = os.path.realpath(sys.argv[1])
    bulk = os.path.join(os.path.dirname(train), "bulk")
    work = Path(sys.argv[2] if len(sys.argv) > 2 else "target/bench/growth")
    work.mkdir(parents=True, exist_ok=True)
    print("| events | users | roll-up | fit | score | peak of roll-up / fit / score |")
    print("| --- | --- | --- | --- | --- | --- |")
    for events, users in LOGS:
        log = work / f"log-{events}-{users}"
        if not (log / "ebb.toml").exists():
            run(bulk, "--quiet", str(events), "--users", str(users), "--out", str(log))
        config = ("--quiet", "--config", str(log / "ebb.toml"))
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        done = [
            run(train, "rollup", *config, "--out", str(out / "rollup")),
            run(train, "fit", *config, "--out", str(out / "model")),
            run(train, "score", *config, "--model", str(out / "model"), "--as-of", "2025-06-24", "--out", str(out / "s.parquet")),
        ]
        seconds = " | ".join(f"{wall:.1f} s ({cpu:.1f})" for wall, cpu, _ in done)
        print(f"| {events:,} | {users:,} | {seconds} | {' / '.join(f'{peak:,.0f}' for *_, peak in done)} MiB |", flush=True)


if __name__ == "__main__":
    main()
