#!/usr/bin/env python3
"""What `ebb-train` expects users to spend beside what else one would use, on public logs with the future cut off.

    pip install -r benches/value_requirements.txt
    EBB_REAL_DATA=FOLDER benches/value.py [--bin target/release/ebb-train] [--case NAME]... [--more] [--lives]
        [--cache FOLDER] [--json FILE]

Every tool sees a log that ends before the cut-off, and is judged by what the users spent after it: returns are taken off,
users below 0 count with 0. Higher Gini is better, lower deviance is better, and a bias of 0. --more runs cut-offs on which
nothing was chosen, and simulated logs; --lives compares value at risk with what is lost where lives are known. --cache keeps the peers' predictions in a folder, where the next run finds them.

`datasets/fetch.sh FOLDER` downloads the logs.
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

import value_lives
import value_metrics
import value_peers
from quality import CONFIGURATION, data_folder
from quality_logs import Sources
from value_logs import CASES, MORE_CASES

INTERVAL = 0.8
EVER_DAYS = 3650
WEEKS = 9
FEWEST_IN_TIER = 50

VALUE_CONFIGURATION = """
[value]
kinds = [{kinds}]
horizon_days = {value_days}
interval = {interval}
currency = "GBP"
annual_discount = {annual_discount}
residual_years = {residual_years}
tiers = [{{ name = "high", top_share = 0.2 }}, {{ name = "medium", top_share = 0.5 }}, {{ name = "low" }}]
"""


class Ebb:
    """`ebb-train` on one case: the past as a roll-up, a bundle, and scores of any day."""

    def __init__(self, binary, log, case, work, annual_discount=0.1, residual_years=3):
        self.binary, self.case, self.work = binary, case, work
        self.residual = {"annual_discount": annual_discount, "residual_years": residual_years}
        self.kinds = sorted(set(log.kind) & {"purchase", "return"})
        self.configure("ebb.toml", "events.csv", log[log.time < case.at])
        self.configure("later.toml", "later.csv", log)
        self.run("rollup", "--config", work / "ebb.toml", "--out", work / "rollup")
        past = ["--config", work / "ebb.toml", "--events", work / "rollup"]
        # A churn model that is found wanting says nothing of the value.
        self.run("fit", *past, "--as-of", case.cutoff, "--allow-below-baseline", "--out", work / "model")
        self.card = json.loads((work / "model/card.json").read_text())

    def configure(self, name, events, log):
        log = log.sort_values("time", kind="stable")
        log.to_csv(self.work / events, index=False, date_format="%Y-%m-%d %H:%M:%S")
        text = (CONFIGURATION + VALUE_CONFIGURATION).format(
            activity="purchase",
            horizon_days=self.case.churn_days,
            active_days=self.case.active_days or EVER_DAYS,
            kinds=", ".join(f'"{kind}"' for kind in self.kinds),
            value_days=self.case.horizon_days,
            interval=INTERVAL,
            **self.residual,
        )
        (self.work / name).write_text(text.replace("events.csv", events))

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments), "--quiet"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.case.name}: ebb-train {arguments[0]} failed: {done.stderr}")

    def scores(self, day, later=False):
        """A row a user with the columns of value; `later` reads the log with what came after the cut-off too."""
        events = self.work / ("later.csv" if later else "rollup")
        config = self.work / ("later.toml" if later else "ebb.toml")
        shared = ["--model", self.work / "model", "--config", config, "--events", events]
        self.run("score", *shared, "--as-of", day, "--out", self.work / "scores.parquet")
        table = pd.read_parquet(self.work / "scores.parquet")
        return table.drop_duplicates("user_id").set_index("user_id")


def peers(log, case, cache):
    """The users asked about and the peers' predictions, from the cache where they are."""
    kept = cache / f"{case.name}.json" if cache else None
    if kept and kept.is_file():
        found = json.loads(kept.read_text())
        return pd.Index(found["users"], name="user"), {name: np.array(of) for name, of in found["peers"].items()}
    users, found = value_peers.predictions(log, case)
    if kept:
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"users": list(users), "peers": {name: list(of) for name, of in found.items()}}))
    return users, found


def coverage_of_tiers(actual, scores):
    """The coverage of intervals for everyone, and of each tier with enough users."""
    found = {"all": value_metrics.coverage(actual, scores.value_low.to_numpy(), scores.value_high.to_numpy())}
    for tier, rows in scores.reset_index().groupby("value_tier", observed=True).groups.items():
        if len(rows) >= FEWEST_IN_TIER:
            part = scores.iloc[rows]
            found[str(tier)] = value_metrics.coverage(actual[rows], part.value_low.to_numpy(), part.value_high.to_numpy())
    return found


def changes(tiers, quiet):
    """Of users in all weeks: the share of those without a new record that change within 30 days, and that of a tier left and
    come back to within 60 days."""
    whole = tiers.dropna()
    codes = whole.to_numpy()
    still = whole.index.isin(quiet)
    moved = np.zeros(len(whole), bool)
    for week in range(4):
        moved |= codes[:, week] != codes[:, week + 1]
    back = np.zeros(len(whole), bool)
    for begin in range(WEEKS - 2):
        for middle in range(begin + 1, WEEKS - 1):
            for end in range(middle + 1, WEEKS):
                back |= (codes[:, begin] == codes[:, end]) & (codes[:, begin] != codes[:, middle])
    return {
        "users": len(whole),
        "quiet_users": int(still.sum()),
        "quiet_changed_30_days": float(moved[still].mean()) if still.any() else None,
        "there_and_back_60_days": float(back.mean()) if len(whole) else None,
    }


def stability(ebb, log, case):
    """Tiers over nine weeks from the cut-off on, beside tiers that are quantiles of the same values taken anew every week."""
    ours, control = {}, {}
    days = [case.at + pd.Timedelta(weeks=week) for week in range(WEEKS)]
    for day in days:
        scores = ebb.scores(day.date(), later=True)
        value = scores.value_residual
        ours[day] = scores.value_tier.astype("string")
        rank = value.rank(pct=True, ascending=False, method="first")
        control[day] = pd.cut(rank, [0, 0.2, 0.5, 1], labels=["high", "medium", "low"]).astype("string")
    month = log[(log.time >= case.at) & (log.time < case.at + pd.Timedelta(days=30))]
    quiet = ours[days[0]].index.difference(month.user.unique())
    return {name: changes(pd.DataFrame(tiers), quiet) for name, tiers in [("ebb", ours), ("weekly quantiles", control)]}


def compare(case, sources, cache):
    """All tools' figures on one case, and ours beside each peer's."""
    log = case.read(sources).sort_values("time", kind="stable").reset_index(drop=True)
    users, found = peers(log, case, cache)
    actual = value_peers.spend(log, case.at, case.horizon_days, users)
    result = {"case": case.name, "users": len(users), "mean_spend": float(actual.mean())}
    with tempfile.TemporaryDirectory() as work:
        ebb = Ebb(sources.ebb_train, log, case, Path(work))
        scores = ebb.scores(case.cutoff).reindex(users)
        ours = scores.value_expected_spend.to_numpy(float)
        result["not_scored"] = int(np.isnan(ours).sum())
        found["Ebb"] = np.nan_to_num(ours, nan=np.nanmean(ours))
        result["coverage"] = coverage_of_tiers(actual, scores)
        result["tiers"] = stability(ebb, log, case)
        result["p_times_value"] = counted_twice(scores)
        result["card"] = ebb.card.get("value")
    result["tools"] = {name: value_metrics.figures(actual, of) for name, of in found.items()}
    others = {name: of for name, of in found.items() if name != "Ebb"}
    result["standard_errors"] = value_metrics.standard_errors(actual, found["Ebb"], others)
    return result


def counted_twice(scores):
    """The total of probability times residual value beside the value at risk, which counts what is lost by churn once."""
    known = scores.dropna(subset=["value_residual", "value_at_risk", "churn_probability"])
    naive, ours = (known.churn_probability * known.value_residual).sum(), known.value_at_risk.sum()
    return {"p_times_residual": float(naive), "value_at_risk": float(ours), "residual": float(known.value_residual.sum())}


def lives(sources):
    """What is lost in a simulation whose lives are known, beside what is at risk; residual values are of two years."""
    case, log = value_lives.CASE, value_lives.simulate()
    with tempfile.TemporaryDirectory() as work:
        ebb = Ebb(sources.ebb_train, log, case, Path(work), annual_discount=0, residual_years=2)
        scores = ebb.scores(case.cutoff).dropna(subset=["value_residual", "value_at_risk"])
    return value_lives.realised(log, scores)


def print_lives(found):
    print(f"\n{found['measured_users']} of {found['users']} users are like some that left and some that stayed.")
    print("\n| simulated lives | total | over the realised loss |")
    print("| --- | ---: | ---: |")
    for name in ["realised_loss", "value_at_risk", "p_times_residual", "realised_residual", "residual", "value_at_risk_of_all_users"]:
        print(f"| {name.replace('_', ' ')} | {found[name]:.0f} | {found[name] / found['realised_loss']:.3f} |")


def verdict(result):
    """What is asked of Ebb on one case: each figure beside the peers'."""
    tools = dict(result["tools"])
    ours = tools.pop("Ebb")
    best_gini = max(of["gini"] for of in tools.values())
    least_bias = min(abs(of["bias"]) for of in tools.values())
    return {
        "gini_minus_best": ours["gini"] - best_gini,
        "bias": ours["bias"],
        "bias_allowed": max(0.15, least_bias + 0.05),
        "deviance_over_best": ours["deviance"] / min(of["deviance"] for of in tools.values()),
    }


def print_case(result):
    print(f"\n**{result['case']}**: {result['users']} users, mean spend {result['mean_spend']:.2f}, {result['not_scored']} not scored\n")
    print("| tool | bias | Gini | deviance | MAE | decile MAPE | top tenth | Ebb's Gini minus its | Ebb's deviance minus its |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    ours = result["tools"]["Ebb"]
    for name, of in result["tools"].items():
        cells = [name, f"{of['bias']:+.3f}"]
        cells += [f"{of[figure]:.3f}" for figure in ["gini", "deviance", "mae", "decile_mape", "top_tenth_share"]]
        errors = result["standard_errors"].get(name)
        for figure in ["gini", "deviance"]:
            cells.append(f"{ours[figure] - of[figure]:+.3f} (s.e. {errors[figure]:.3f})" if errors else "")
        print("| " + " | ".join(cells) + " |")
    shares = ", ".join(f"{tier} {share:.3f}" for tier, share in result["coverage"].items() if share is not None)
    print(f"\nCoverage of {INTERVAL:.0%} intervals: {shares}", flush=True)


def print_summary(results):
    print("\n| case | Gini minus the best peer's | bias | bias allowed | deviance over the best peer's | coverage |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for result in results:
        found = verdict(result)
        cells = [result["case"], f"{found['gini_minus_best']:+.3f}", f"{found['bias']:+.3f}", f"{found['bias_allowed']:.3f}"]
        cells += [f"{found['deviance_over_best']:.3f}", f"{result['coverage']['all'] or float('nan'):.3f}"]
        print("| " + " | ".join(cells) + " |")
    print("\n| case | tiers of | users without a record that change in 30 days | there and back in 60 days |")
    print("| --- | --- | ---: | ---: |")
    for result in results:
        for name, of in result["tiers"].items():
            figures = [of["quiet_changed_30_days"], of["there_and_back_60_days"]]
            print(f"| {result['case']} | {name} | " + " | ".join("" if f is None else f"{f:.3f}" for f in figures) + " |")
    print("\n| case | residual value | p x residual value | value at risk |")
    print("| --- | ---: | ---: | ---: |")
    for result in results:
        of = result["p_times_value"]
        print(f"| {result['case']} | {of['residual']:.0f} | {of['p_times_residual']:.0f} | {of['value_at_risk']:.0f} |")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parent.parent / "target"))
    parser.add_argument("--bin", type=Path, default=target / "release/ebb-train", help="the program to judge")
    parser.add_argument("--case", action="append", help="a case to run; may be repeated")
    parser.add_argument("--more", action="store_true", help="the other cut-offs too")
    parser.add_argument("--lives", action="store_true", help="only the simulation whose lives are known")
    parser.add_argument("--cache", type=Path, help="a folder that keeps the peers' predictions")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    args = parser.parse_args()
    names = [case.name for case in CASES + MORE_CASES]
    for name in args.case or []:
        if name not in names:
            parser.error(f"there is no case {name}; there are {', '.join(names)}")
    return args


def main():
    args = arguments()
    folder = Path() if args.lives else data_folder()
    sources = Sources(folder=folder, ebb_train=args.bin.resolve())
    if not sources.ebb_train.is_file():
        sys.exit(f"there is no {sources.ebb_train}: cargo build --release makes it, or --bin names another")
    if args.lives:
        found = lives(sources)
        print_lives(found)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
        return
    cases = CASES + MORE_CASES * args.more
    if args.case:
        cases = [case for case in CASES + MORE_CASES if case.name in args.case]
    results = []
    for case in cases:
        results.append(compare(case, sources, args.cache))
        print_case(results[-1])
        if args.json:
            args.json.write_text(json.dumps(results, indent=1, default=float) + "\n")
    print_summary(results)


if __name__ == "__main__":
    main()
