#!/usr/bin/env python3
"""The features of `ebb-train features` and the roll-up of `ebb-train rollup` beside DuckDB's and Polars'.

    benches/features.py [--rounds N] [--events N --users N] [--only one|twelve|csv] [--tool ebb|duckdb|polars]

Builds ebb-train, makes the logs in target/bench if they are missing, runs the tools one after another, each as a
process of its own, compares all values, and prints medians as Markdown. Needs Python with duckdb, polars and pyarrow.
"""

import sys

import polars as pl
from polars import col as c

import measure
from measure import PEERS, TRAIN, WORK, measured
from pipeline_peer import schedule

PARTS = ["one", "twelve", "csv"]
RELATIVE, ABSOLUTE = 1e-9, 1e-12


def frame(path, as_of):
    source = path / f"{as_of}.parquet" if path.is_dir() else path
    return pl.scan_parquet(source).filter(c.as_of == as_of).collect().sort("user_id")


def compare(ours, theirs, as_ofs):
    """How many values were compared; ends the run at the first feature that differs."""
    values = 0
    for as_of in as_ofs:
        a, b = frame(ours, as_of), frame(theirs, as_of)
        if a.columns != b.columns or not a["user_id"].equals(b["user_id"]):
            sys.exit(f"{theirs} at {as_of}: other columns or users than {ours}")
        for name in a.columns[2:]:
            x, y = a[name].cast(pl.Float64).fill_nan(None), b[name].cast(pl.Float64).fill_nan(None)
            off = (x - y).abs() > pl.select(pl.max_horizontal(x.abs(), y.abs())).to_series() * RELATIVE + ABSOLUTE
            wrong = off.fill_null(False) | (x.is_null() != y.is_null())
            if wrong.any():
                at = wrong.arg_true()[0]
                sys.exit(f"{theirs}: {name} of {a['user_id'][at]} at {as_of} is {y[at]}, in {ours} {x[at]}")
            values += len(x)
    return values


def features(args, table, part):
    log = measure.log(args.events, args.users, "parquet")
    times = pl.scan_parquet(log / "events" / "part-*.parquet").select(c.time.min(), last=c.time.max()).collect()
    first, last = (time.date() for time in times.row(0))
    as_ofs = schedule(first, last, 30)
    as_ofs = as_ofs[-1:] if part == "one" else as_ofs
    days = [word for day in as_ofs for word in ("--as-of", str(day))]
    out = {tool: WORK / f"features-{tool}.parquet" for tool in args.tool}
    for round in range(args.rounds):
        for tool in args.tool:
            measure.remove(out[tool])
            command = [args.python, PEERS / "features_peers.py", tool, log]
            if tool == "ebb":
                command = [TRAIN, "features", "--quiet", "--config", log / "ebb.toml"]
            table.add(f"features, {len(as_ofs)} day{'s'[: len(as_ofs) - 1]}", tool, measured([*command, *days, "--out", out[tool]]))
        for tool in args.tool if round == 0 and "ebb" in args.tool else []:
            if tool != "ebb":
                values = compare(out["ebb"], out[tool], as_ofs)
                print(f"  {values} values of {tool} agree to {RELATIVE:g}", file=sys.stderr)
    for path in out.values():
        measure.remove(path)


def rolled(path):
    """A roll-up's rows, events and money for each day and kind."""
    rows = pl.scan_parquet(path / "*.parquet" if path.is_dir() else path)
    money = c.amount.fill_null(0).sum().round(4)
    parts = rows.group_by(c.day.to_physical().cast(pl.Int32), "kind").agg(pl.len(), c.count.sum().cast(pl.Int64), money)
    return parts.sort("day", "kind").collect()


def csv(args, table):
    log = measure.log(args.csv_events, args.csv_users, "csv")
    out = {tool: WORK / f"rollup-{tool}" for tool in args.tool}
    for round in range(args.rounds):
        for tool in args.tool:
            measure.remove(out[tool])
            command = [args.python, PEERS / "features_peers.py", tool, log, "--roll-up-only", "--out", out[tool]]
            if tool == "ebb":
                command = [TRAIN, "rollup", "--quiet", "--config", log / "ebb.toml", "--out", out[tool], "--partitions", 4]
            table.add("roll-up of CSV", tool, measured(command))
        if round == 0 and "ebb" in args.tool:
            ours = rolled(out["ebb"])
            for tool in args.tool:
                theirs = rolled(out[tool])
                same = ours.drop("amount").equals(theirs.drop("amount"))
                if not same or (ours["amount"] - theirs["amount"]).abs().max() > 1e-3:
                    sys.exit(f"{out[tool]}: another roll-up than {out['ebb']}")
            print(f"  the roll-ups agree on each of {len(ours)} days and kinds", file=sys.stderr)
    for path in out.values():
        measure.remove(path)


def main():
    parser = measure.arguments(__doc__.split("\n")[0], PARTS)
    parser.add_argument("--csv-events", type=int, help="events of the CSV log [default: 10 million, --events at most]")
    parser.add_argument("--csv-users", type=int, help="its users [default: one for every 50 events]")
    args = parser.parse_args()
    args.csv_events = args.csv_events or min(10_000_000, args.events)
    measure.prepare(args, PARTS)
    table = measure.Table()
    for part in args.only:
        csv(args, table) if part == "csv" else features(args, table, part)
    table.show()


if __name__ == "__main__":
    main()
