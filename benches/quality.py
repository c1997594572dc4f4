#!/usr/bin/env python3
"""Predictions of `ebb-train` beside those of what else one would use, on public logs with the future cut off.

    EBB_REAL_DATA=FOLDER benches/quality.py [--bin target/release/ebb-train] [--case NAME]... [--more] [--seasons] [--json FILE]

Every tool sees a log that ends before the cut-off, and is judged by what the users did after it. Lower log loss is
better. `vs best` is ours minus the best peer's, with a paired 95 % bootstrap interval over users. The five cases are
those of the README; --more runs the fourteen others of RESULTS.md, as one table, and --seasons simulated ones with a strong season.

`datasets/fetch.sh FOLDER` downloads the logs. Needs numpy, pandas, scipy and scikit-learn; LightGBM takes part where it
is installed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

import quality_peers
from quality_logs import ACTIVITY, CASES, MORE_CASES, SEASONAL_CASES, Sources

NEEDED = ["online-retail/online_retail.csv.gz", "cdnow/CDNOW_master.txt", "complete-journey/transactions_sample.csv.gz"]

CONFIGURATION = """\
[events]
paths = ["events.csv"]
user = "user"
time = "time"
time_format = "%Y-%m-%d %H:%M:%S"
kind = "kind"
amount = "amount"
timezone = "UTC"

[churn]
activity = ["{activity}"]
horizon_days = [{horizon_days}]
active_within_days = {active_days}
"""


def run(command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def ebb(binary, log, case, work):
    """The probability of churn by user id; `ebb-train` is given a file that ends before the cut-off."""
    past = log[log.time < case.at].sort_values("time")
    past.to_csv(work / "events.csv", index=False, date_format="%Y-%m-%d %H:%M:%S")
    settings = {"horizon_days": case.horizon_days, "active_days": case.active_days}
    (work / "ebb.toml").write_text(CONFIGURATION.format(activity=ACTIVITY, **settings))
    shared = ["--config", work / "ebb.toml", "--as-of", case.cutoff]
    fit = [binary, "fit", *shared, "--out", work / "model"]
    done = run(fit)
    if done.returncode == 2:
        # A model that is found wanting is judged all the same, and that it was is printed.
        print(f"{case.name}: the fit was refused: {done.stderr.strip()}")
        done = run([*fit, "--allow-below-baseline"])
    if done.returncode == 0:
        done = run([binary, "score", *shared, "--model", work / "model", "--out", work / "scores.csv"])
    if done.returncode:
        sys.exit(f"{case.name}: ebb-train failed: {done.stderr}")
    scores = pd.read_csv(work / "scores.csv", dtype={"user_id": str})
    return scores[scores.horizon_days.eq(case.horizon_days)].set_index("user_id").churn_probability


def log_losses(outcome, probability):
    """The log loss of each user; certainty is taken for one in a million."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return -(outcome * np.log(p) + (1 - outcome) * np.log(1 - p))


def calibration_error(outcome, probability, bins=10):
    """The mean distance of deciles' mean probability to their churn rate."""
    bin_of = np.digitize(probability, np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    parts = [bin_of == number for number in range(bins)]
    return sum(abs(outcome[part].mean() - probability[part].mean()) * part.mean() for part in parts if part.any())


def figures(outcome, probability):
    return {
        "log_loss": log_losses(outcome, probability).mean(),
        "auc": roc_auc_score(outcome, probability),
        "brier": brier_score_loss(outcome, probability),
        "ece": calibration_error(outcome, probability),
        "bias": probability.mean() - outcome.mean(),
    }


def interval(differences, draws=2000):
    """The middle 95 % of the mean difference when users are drawn again and again."""
    random = np.random.default_rng(1)
    count = len(differences)
    means = [differences[random.integers(0, count, count)].mean() for _ in range(draws)]
    return np.quantile(means, [0.025, 0.975])


def compare(case, sources):
    """All tools' figures on one case, and ours beside the best peer's."""
    log = case.read(sources).sort_values("time", kind="stable").reset_index(drop=True)
    users, found = quality_peers.predictions(log, case)
    outcome = quality_peers.churned(log, case, case.at, users)
    with tempfile.TemporaryDirectory() as work:
        ours = ebb(sources.ebb_train, log, case, Path(work)).reindex(users)
    # A user without a score counts with what one would have said without a model.
    found["ebb"] = ours.fillna(found["base_rate"][0]).to_numpy()
    rows = {tool: figures(outcome, probability) for tool, probability in found.items()}
    peers = [tool for tool in rows if tool != "ebb"]
    best = min(peers, key=lambda tool: rows[tool]["log_loss"])
    differences = log_losses(outcome, found["ebb"]) - log_losses(outcome, found[best])
    low, high = interval(differences)
    return {
        "case": case.name,
        "cutoff": case.cutoff,
        "horizon_days": case.horizon_days,
        "users": len(users),
        "churn": float(outcome.mean()),
        "not_scored": int(ours.isna().sum()),
        "tools": {tool: {name: float(value) for name, value in row.items()} for tool, row in rows.items()},
        "best_peer": best,
        "log_loss_difference": float(differences.mean()),
        "interval": [float(low), float(high)],
        "auc_difference": float(rows["ebb"]["auc"] - max(rows[tool]["auc"] for tool in peers)),
    }


def difference(result):
    low, high = result["interval"]
    return f"{result['log_loss_difference']:+.4f} [{low:+.4f}, {high:+.4f}]"


def print_case(result):
    missing = f", {result['not_scored']} NOT SCORED" if result["not_scored"] else ""
    question = f"cut-off {result['cutoff']}, horizon {result['horizon_days']} d"
    print(f"\n{result['case']}: {result['users']} users, churn {result['churn']:.3f}, {question}{missing}")
    table = pd.DataFrame(result["tools"]).T
    print(table.to_string(float_format="{:.4f}".format))
    print(f"vs best ({result['best_peer']}): log loss {difference(result)}, AUC {result['auc_difference']:+.4f}", flush=True)


def print_row(result):
    ours = result["tools"]["ebb"]
    cells = [result["case"], result["users"], f"{result['churn']:.3f}", result["horizon_days"], result["best_peer"]]
    cells += [difference(result), f"{result['auc_difference']:+.4f}", f"{ours['ece']:.4f}", f"{ours['bias']:+.4f}"]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parent.parent / "target"))
    parser.add_argument("--bin", type=Path, default=target / "release/ebb-train", help="the program to judge")
    parser.add_argument("--case", action="append", help="a case to run; may be repeated")
    parser.add_argument("--more", action="store_true", help="the fourteen other cases, as a table")
    parser.add_argument("--seasons", action="store_true", help="simulated cases with a season, as a table")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    args = parser.parse_args()
    names = [case.name for case in CASES + MORE_CASES + SEASONAL_CASES]
    for name in args.case or []:
        if name not in names:
            parser.error(f"there is no case {name}; there are {', '.join(names)}")
    return args


def data_folder():
    folder = os.environ.get("EBB_REAL_DATA")
    if not folder:
        sys.exit("EBB_REAL_DATA is not set: it names the folder of the public logs, which datasets/fetch.sh FOLDER downloads")
    missing = [name for name in NEEDED if not (Path(folder) / name).is_file()]
    if missing:
        sys.exit(f"EBB_REAL_DATA is {folder}, where there is no {missing[0]}: datasets/fetch.sh {folder} downloads the logs")
    return Path(folder)


def main():
    args = arguments()
    sources = Sources(folder=data_folder(), ebb_train=args.bin.resolve())
    if not sources.ebb_train.is_file():
        sys.exit(f"there is no {sources.ebb_train}: cargo build --release makes it, or --bin names another")
    if quality_peers.lightgbm is None:
        print("LightGBM cannot be imported and takes no part", file=sys.stderr)
    table = args.more or args.seasons
    cases = MORE_CASES * args.more + SEASONAL_CASES * args.seasons or CASES
    if args.case:
        cases = [case for case in CASES + MORE_CASES + SEASONAL_CASES if case.name in args.case]
    if table:
        print("| cut-off | users | churn | horizon | best peer | log loss, ours minus its | AUC, ours minus the best | ECE | bias |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    results = []
    for case in cases:
        results.append(compare(case, sources))
        (print_row if table else print_case)(results[-1])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
