"""Fits of Pareto/NBD and gamma-gamma, Ebb's beside those of the Python package lifetimes. See orders.sh."""

import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

AS_OF = "1997-10-01"


def customers(log):
    """Repeat orders, days from the first order to the last and to the as-of day, total amount and mean amount of repeat
    orders, for each customer of CDNOW."""
    columns = ["user", "day", "discs", "amount"]
    events = pd.read_csv(log, sep=r"\s+", skiprows=1, names=columns)
    events["day"] = pd.to_datetime(events["day"].astype(str), format="%Y%m%d")
    days = events[events["day"] < AS_OF].groupby(["user", "day"], as_index=False)["amount"].sum()
    first = days.groupby("user")["day"].transform("min")
    repeats = days[days["day"] > first].groupby("user")["amount"].mean().rename("repeat_mean")
    table = days.groupby("user").agg(
        first=("day", "min"), last=("day", "max"), orders=("day", "size"), total=("amount", "sum")
    )
    table = table.join(repeats).fillna({"repeat_mean": 0.0})
    since_first = lambda day: (day - table["first"]).dt.days
    return np.column_stack([
        table["orders"] - 1,
        since_first(table["last"]),
        since_first(pd.Timestamp(AS_OF)),
        table["total"],
        table["repeat_mean"],
    ]).astype("<f8")


def peer(data):
    """One fit by lifetimes, in a process of its own."""
    from lifetimes import GammaGammaFitter, ParetoNBDFitter

    warnings.simplefilter("ignore")
    x, last, age, _, mean = np.fromfile(data / "customers.f64", "<f8").reshape(-1, 5).T
    paid = (x > 0) & (mean > 0)
    start = time.perf_counter()
    orders = ParetoNBDFitter().fit(x, last, age)
    orders_seconds = time.perf_counter() - start
    spend = GammaGammaFitter().fit(x[paid], mean[paid])
    seconds = time.perf_counter() - start
    print(json.dumps({
        "seconds": seconds,
        "orders_seconds": orders_seconds,
        "customers": len(x),
        "pareto_nbd": orders.params_.to_dict(),
        "gamma_gamma": spend.params_.to_dict(),
    }))


def main():
    if sys.argv[1] == "peer":
        return peer(Path(sys.argv[2]))
    fitters, log, work, rounds = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    work.mkdir(parents=True, exist_ok=True)
    customers(log).tofile(work / "customers.f64")
    commands = {
        "ebb": [fitters, "orders", "--data", work],
        "lifetimes": [sys.executable, __file__, "peer", work],
    }
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            output = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True).stdout
            runs[name].append(json.loads(output))
    print("| fitter | customers | fit s: median | range | Pareto/NBD | gamma-gamma |\n|" + " --- |" * 6)
    for name, theirs in runs.items():
        seconds = [run["seconds"] for run in theirs]
        parameters = lambda kind: " ".join(f"{key} {value:.4f}" for key, value in theirs[0][kind].items())
        cells = [name, theirs[0]["customers"], f"{statistics.median(seconds):.3f}"]
        cells += [f"{min(seconds):.3f} to {max(seconds):.3f}", parameters("pareto_nbd"), parameters("gamma_gamma")]
        print("| " + " | ".join(map(str, cells)) + " |")
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(runs["ebb"], runs["lifetimes"])]
    print(f"\nlifetimes takes {statistics.median(ratios):.0f} times as long ({min(ratios):.0f} to {max(ratios):.0f})")
    if statistics.median(ratios) < 20:
        sys.exit("the fit is not 20 times as fast")


if __name__ == "__main__":
    main()
