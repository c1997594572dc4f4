#!/usr/bin/env python3
"""Who converts: `ebb-train` beside what else one would use, on simulated shops with the future cut off.

    pip install numpy pandas scikit-learn
    benches/conversion.py [--bin target/release/ebb-train] [--seeds 5,6,7] [--visitors N] [--json FILE]

Every model sees the rows before the cut-off alone, and predicts a first purchase in the 30 days from it on, of everybody seen in
the 180 days before who had not bought. The peers learn from recency and counts at earlier dates, every 15 days, whose label
windows end before the cut-off: logistic regression, gradient boosting, and logistic regression on tenure alone. Users are the
same for all. Lower log loss is better. The interval is that of `ebb-train` less the peer over 1,000 resamplings of users.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

DAY = pd.Timedelta(days=1)
HORIZON_DAYS, WITHIN_DAYS, STEP_DAYS = 30, 180, 15
WINDOWS = (7, 15, 30, 60, 120)
KINDS = ("visit", "cart", "sign_up", "email_click")


def run(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ebb-train {arguments[0]} failed: {done.stderr}")


def read(folder):
    log = pd.read_csv(folder / "events.csv.gz", dtype={"user_id": str, "time": str})
    log["time"] = pd.to_datetime(log.time, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    log = log.dropna(subset=["user_id", "time"])
    log["day"] = log.time.dt.normalize()
    return log


def asked_about(log, at):
    """Everybody with another event in the days before `at` that count, and no purchase before."""
    past = log[log.day < at]
    bought = past[past.kind == "purchase"].user_id.unique()
    recent = past[(past.day >= at - WITHIN_DAYS * DAY) & (past.kind != "purchase")]
    return pd.Index(sorted(set(recent.user_id) - set(bought)), name="user")


def converted(log, at, users):
    window = log[(log.day >= at) & (log.day < at + HORIZON_DAYS * DAY) & (log.kind == "purchase")]
    return users.isin(window.user_id.unique()).astype(int)


def features(log, at, users):
    """Recency and counts of every kind, tenure, and active days: what is known before `at`."""
    past = log[(log.day < at) & log.user_id.isin(users)]
    age = (at - past.day).dt.days
    table = pd.DataFrame(index=users)
    table["tenure"] = age.groupby(past.user_id).max()
    table["recency"] = age.groupby(past.user_id).min()
    days = past.assign(age=age)[["user_id", "age"]].drop_duplicates()
    table["active_days"] = days.groupby("user_id").size()
    for window in WINDOWS:
        table[f"active_days_{window}"] = days[days.age <= window].groupby("user_id").size()
    for kind in KINDS:
        of = past[past.kind == kind]
        ages = (at - of.day).dt.days
        table[f"{kind}_recency"] = ages.groupby(of.user_id).min()
        table[kind] = of.groupby("user_id").size()
        for window in WINDOWS:
            table[f"{kind}_{window}"] = of[ages <= window].groupby("user_id").size()
    recencies = [name for name in table if name.endswith("recency")]
    table[recencies] = table[recencies].fillna(9_999)
    return table.fillna(0.0)


def peers(log, cutoff):
    """The predictions of the peers for the users at the cut-off."""
    first = log.day.min() + HORIZON_DAYS * DAY
    dates, date = [], cutoff - HORIZON_DAYS * DAY
    while date >= first:
        dates.append(date)
        date -= STEP_DAYS * DAY
    past = log[log.day < cutoff]
    rows = [(features(past, date, users), converted(past, date, users)) for date in dates for users in [asked_about(past, date)]]
    x, y = pd.concat([row for row, _ in rows]), np.concatenate([label for _, label in rows])
    users = asked_about(past, cutoff)
    at = features(past, cutoff, users)
    scaled = lambda: make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=5_000))
    models = {
        "logistic": (scaled(), list(x)),
        "boosting": (HistGradientBoostingClassifier(learning_rate=0.05, early_stopping=True, random_state=0), list(x)),
        "tenure only": (scaled(), ["tenure"]),
    }
    return users, {
        name: model.fit(x[columns], y).predict_proba(at[columns])[:, 1] for name, (model, columns) in models.items()
    }


def ebb(binary, folder, log, cutoff, work):
    """The probabilities of `ebb-train`, which is given no row of the cut-off or later."""
    rows = pd.read_csv(folder / "events.csv.gz", dtype=str, keep_default_na=False)
    before = rows.time < f"{cutoff:%Y-%m-%d}"
    readable = pd.to_datetime(rows.time, format="%Y-%m-%d %H:%M:%S", errors="coerce").notna()
    rows[before & readable].to_csv(work / "past.csv", index=False)
    (work / "ebb.toml").write_text((folder / "ebb.toml").read_text().replace("events.csv.gz", "past.csv"))
    shared = ["--config", work / "ebb.toml"]
    run(binary, "fit", *shared, "--as-of", f"{cutoff:%Y-%m-%d}", "--allow-below-baseline", "--out", work / "model")
    score = ["--model", work / "model", *shared, "--as-of", f"{cutoff:%Y-%m-%d}", "--allow-empty"]
    run(binary, "score", *score, "--out", work / "scores.csv")
    scores = pd.read_csv(work / "scores.conversion.csv").set_index("user_id")
    return scores[scores.horizon_days == HORIZON_DAYS].conversion_probability


def interval(actual, ours, theirs):
    """The difference in log loss, with its 95 % interval over resampled users."""
    loss = lambda p: -np.log(np.where(actual == 1, p, 1 - p).clip(1e-15))
    difference = loss(ours) - loss(theirs)
    draws = np.random.default_rng(0).integers(0, len(actual), (1_000, len(actual)))
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    return [float(difference.mean()), float(low), float(high)]


def case(binary, seed, visitors, work):
    folder = work / "shop"
    run(binary, "simulate", "--users", 1_000, "--visitors", visitors, "--days", 540, "--seed", seed, "--out", folder)
    log = read(folder)
    cutoff = log.day.max() + DAY - HORIZON_DAYS * DAY
    users, found = peers(log, cutoff)
    ours = ebb(binary, folder, log, cutoff, work)
    if set(users) != set(ours.index):
        sys.exit(f"seed {seed}: {len(users)} users are asked about, and ebb-train answers for {len(ours)}")
    ours = ours.reindex(users).to_numpy()
    actual = converted(log, cutoff, users)
    figures = {
        name: {"log_loss": float(log_loss(actual, p)), "auc": float(roc_auc_score(actual, p))}
        for name, p in {"ebb": ours, **found}.items()
    }
    for name, p in found.items():
        figures[name]["ebb_less_peer"] = interval(actual, ours, p)
    return {"seed": seed, "users": len(users), "converted": int(actual.sum()), "figures": figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="target/release/ebb-train")
    parser.add_argument("--seeds", default="5,6,7")
    parser.add_argument("--visitors", type=int, default=8_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    binary = str(Path(options.bin).resolve())
    results = []
    for seed in map(int, options.seeds.split(",")):
        with tempfile.TemporaryDirectory() as work:
            results.append(case(binary, seed, options.visitors, Path(work)))
        result = results[-1]
        print(f"seed {seed}: {result['users']} potential users, {result['converted']} converted")
        for name, of in result["figures"].items():
            less = of.get("ebb_less_peer")
            less = f"  ebb less it {less[0]:+.5f} [{less[1]:+.5f}, {less[2]:+.5f}]" if less else ""
            print(f"  {name:<12} log loss {of['log_loss']:.5f}  AUC {of['auc']:.4f}{less}")
    best = [min((f["log_loss"], n) for n, f in r["figures"].items())[1] for r in results]
    print(f"best by log loss: {', '.join(best)}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
