#!/usr/bin/env python3
"""`ebb-train fit` and `score` beside the same steps in scikit-learn on features by DuckDB or Polars.

    benches/pipeline.py [--rounds N] [--events N --users N] [--only fit|all|score] [--tool ebb|duckdb|polars]

Builds ebb-train, makes the log in target/bench if it is missing, runs the tools one after another, each as a process
of its own, and prints medians as Markdown. `fit` fits on 200,000 rows at most, `all` lets the peers take all rows
(without ebb-train, which thins users), `score` scores everyone with reasons. Needs Python with duckdb, polars,
pyarrow and scikit-learn.
"""

import datetime as dt
import json
import sys

import polars as pl
from polars import col as c

import measure
from measure import PEERS, TRAIN, WORK, measured

PARTS = ["fit", "all", "score"]


def command(args, log, tool, part):
    out = WORK / f"pipeline-{tool}"
    if tool != "ebb":
        rows = {"fit": ["--rows", 200_000], "all": ["--rows", "all"], "score": ["--score"]}[part]
        return [args.python, PEERS / "pipeline_peer.py", tool, log, "--out", out, *rows]
    if part == "fit":
        return [TRAIN, "fit", "--quiet", "--config", log / "ebb.toml", "--out", out]
    last = pl.scan_parquet(log / "events" / "part-*.parquet").select(c.time.max()).collect().item().date()
    as_of, scores = last + dt.timedelta(1), WORK / "pipeline-ebb-scores.parquet"
    return [TRAIN, "score", "--quiet", "--model", out, "--config", log / "ebb.toml", "--as-of", as_of, "--out", scores]


def quality(tool):
    """What a fitted model's card says of it on the newest date."""
    if tool == "ebb":
        horizon = json.loads((WORK / "pipeline-ebb" / "card.json").read_text())["horizons"][0]
        rows, figures = horizon["rows"], horizon["evaluation"]["model"]
    else:
        card = json.loads((WORK / f"pipeline-{tool}" / "model.json").read_text())
        rows, figures = card["rows"], card["evaluation"]
    return rows, [figures[k] for k in ("log_loss", "auc", "brier", "ece")]


def scored(args):
    """Everyone that the tools scored is the same, and how alike the scores are."""
    read = lambda tool: pl.read_parquet(
        WORK / ("pipeline-ebb-scores.parquet" if tool == "ebb" else f"pipeline-{tool}/scores.parquet"),
        columns=["user_id", "churn_probability"],
    ).sort("user_id")
    ours = read("ebb")
    for tool in args.tool:
        if tool == "ebb":
            continue
        theirs = read(tool)
        if not ours["user_id"].equals(theirs["user_id"]):
            sys.exit(f"{tool} scored {len(theirs)} users, ebb {len(ours)}: not the same")
        alike = pl.select(pl.corr(ours["churn_probability"], theirs["churn_probability"])).item()
        print(f"  ebb and {tool} scored the same {len(ours)} users; correlation {alike:.4f}", file=sys.stderr)


def main():
    args = measure.arguments(__doc__.split("\n")[0], PARTS).parse_args()
    measure.prepare(args, PARTS)
    log = measure.log(args.events, args.users, "parquet")
    table, models = measure.Table(), {}
    for round in range(args.rounds):
        # Models that score are those fitted on the fewer rows.
        for part in [p for p in ("all", "fit", "score") if p in args.only]:
            for tool in args.tool:
                if (part, tool) != ("all", "ebb"):
                    work = {"fit": "fit", "all": "fit on all rows", "score": "score"}[part]
                    table.add(work, tool, measured(command(args, log, tool, part)))
                    if part != "score":
                        models[work, tool] = quality(tool)
        if "score" in args.only and round == 0 and "ebb" in args.tool:
            scored(args)
    if models:
        print("\n| work | tool | rows | log loss | AUC | Brier | ECE |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for (work, tool), (rows, figures) in models.items():
            cells = [f"{f['value']:.4f} [{f['low']:.4f}, {f['high']:.4f}]" for f in figures]
            print(f"| {work} | {tool} | {rows} | {' | '.join(cells)} |")
    table.show()


if __name__ == "__main__":
    main()
