#!/usr/bin/env python3
"""The features of Ebb's catalogue as one would write them for speed in DuckDB or in Polars.

    features_peers.py duckdb|polars LOG_FOLDER --as-of DAY [--as-of DAY ...] --out features.parquet
    features_peers.py duckdb|polars LOG_FOLDER --roll-up-only --out rollup.parquet

LOG_FOLDER is what `ebb-train simulate --bulk` makes: events/part-*.parquet or .csv and ebb.toml, in UTC. One row for
every user with activity before the day, with the columns user_id, as_of and the features by their names in the
catalogue; null where a value cannot be known. EBB_PEER_THREADS (2) threads.
"""

import argparse
import datetime as dt
import math
import os
import sys
import time
import tomllib
from pathlib import Path

THREADS = int(os.environ.get("EBB_PEER_THREADS", "2"))
os.environ["POLARS_MAX_THREADS"] = str(THREADS)
EPOCH = dt.date(1970, 1, 1)
DAY_US = 86_400_000_000
# Kinds, beside activity, with features of their own at most; each needs a hundredth of the users, and ten.
MOST_KINDS = 12


class Log:
    """A folder with a log, and what is asked of it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        config = tomllib.loads((self.folder / "ebb.toml").read_text())
        (self.activity,) = config["churn"]["activity"]
        (self.horizon,) = config["churn"]["horizon_days"]
        self.active_within = config["churn"]["active_within_days"]
        self.parquet = next((self.folder / "events").glob("part-*.parquet"), None) is not None
        self.glob = str(self.folder / "events" / ("part-*.parquet" if self.parquet else "part-*.csv"))

    @property
    def windows(self):
        h = self.horizon
        return sorted({-(-h // 4), -(-h // 2), h, h * 2, h * 4})

    @property
    def half_lives(self):
        h = self.horizon
        return sorted({-(-h // 2), h, h * 2, h * 4})

    def names(self, others):
        """The features in the catalogue's order."""
        h, names = self.horizon, ["recency_days", "recency_any_days", "tenure_days", "active_age_days", "gaps_exceeded"]
        names += ["overdue_ratio", "recency_share", "active_days", "events", "one_active_day"]
        names += [f"{x}_{w}d" for w in self.windows for x in ("active_days", "events")]
        names += ["gap_mean_days", "gap_spread_days", "gap_last_days", "gap_max_days", "weekday_regularity"]
        names += [f"active_days_half_life_{x}d" for x in self.half_lives] + [f"trend_{h}d_over_{4 * h}d"]
        names += ["amount", "amount_mean", "amount_spread", "amount_last", "amount_max"]
        names += [f"amount_{w}d" for w in self.windows]
        return names + [n for k in others for n in (f"{k}_count", f"{k}_recency_days", f"{k}_count_{h}d")]


def number(day):
    return (day - EPOCH).days


def chosen(users_by_kind, users):
    """The other kinds with features of their own, most widespread first."""
    widespread = max(users // 100, 10)
    kept = [(-n, k) for k, n in users_by_kind.items() if n >= widespread]
    return [k for _, k in sorted(kept)[:MOST_KINDS]]


def note(what, since):
    if os.environ.get("EBB_PEER_VERBOSE"):
        print(f"{time.perf_counter() - since:8.3f} s  {what}", file=sys.stderr)


# --------------------------------------------------------------------------------------------------------------------
# DuckDB


class DuckDb:
    def __init__(self, log):
        import duckdb

        self.log = log
        self.db = duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": False})
        self.start = time.perf_counter()

    def run(self, sql, what=None):
        answer = self.db.execute(sql)
        if what:
            note(what, self.start)
        return answer

    def source(self):
        if self.log.parquet:
            return f"read_parquet('{self.log.glob}')"
        columns = "{'user_id': 'VARCHAR', 'time': 'TIMESTAMP', 'kind': 'VARCHAR', 'amount': 'DOUBLE'}"
        return (
            f"read_csv('{self.log.glob}', header = true, delim = ',', quote = '', escape = '', auto_detect = false,"
            f" new_line = '\\n', timestampformat = '%Y-%m-%d %H:%M:%S', columns = {columns})"
        )

    def roll_up_only(self, out):
        self.run(
            f"""copy (
                select user_id, (epoch_us(time) // {DAY_US})::int as day, kind, count(*)::int as count,
                    coalesce(sum(amount), 0) as amount
                from {self.source()} group by all
            ) to '{out}' (format parquet, compression snappy)"""
        )

    def features(self, as_ofs, out):
        queries = self.prepare(as_ofs)
        self.run(f"copy ({' union all '.join(queries)}) to '{out}' (format parquet, compression snappy)", "features")

    def prepare(self, as_ofs, until=None):
        """Rolls up all before the newest day (or `until`) and gives one query for each day."""
        until = until or max(as_ofs)
        kinds = [k for (k,) in self.run(f"select distinct kind from {self.source()}").fetchall()]
        if self.log.activity not in kinds:
            sys.exit(f"{self.log.activity} does not occur in the log")
        self.others = [k for k in kinds if k != self.log.activity]
        time_type, zone = ("timestamptz", "+00") if self.log.parquet else ("timestamp", "")
        counts = ", ".join(f"count(*) filter (kind = '{k}')::int as n_{i}" for i, k in enumerate(self.others))
        a = self.log.activity
        # One row for each user and day with the kinds side by side: a third of the groups of (user, day, kind).
        self.run(
            f"""create temp table days as
                select user_id, (epoch_us(time) // {DAY_US})::int as day,
                    count(*) filter (kind = '{a}')::int as n,
                    sum(amount) filter (kind = '{a}') as amount, {counts}
                from {self.source()} where time < {time_type} '{until} 00:00:00{zone}' group by all""",
            "roll-up",
        )
        seen = ", ".join(f"sum(k_{i})::bigint" for i in range(len(self.others)))
        any_of = ", ".join(f"max((n_{i} > 0)::int) as k_{i}" for i in range(len(self.others)))
        users, *by_kind = self.run(
            f"select count(*), {seen} from (select user_id, {any_of} from days group by user_id)"
        ).fetchone()
        self.kept = chosen(dict(zip(self.others, by_kind)), users)
        note("kinds", self.start)
        self.run(
            """create temp table active as
                select user_id, day, n, coalesce(amount, 0) as amount,
                    day - lag(day) over (partition by user_id order by day) as gap
                from days where n > 0""",
            "gaps",
        )
        return [self.aggregated(day) for day in as_ofs]

    def aggregated(self, as_of):
        """The query for one day: all that can be known of a user in two aggregations."""
        today = number(as_of)
        own = ["max(day) as last", "min(day) as first", "count(*) as days", "sum(n) as events"]
        own += ["sum(gap) as gaps", "sum(gap * gap) as gaps_squared", "max(gap) as gap_max", "arg_max(gap, day) as gap_last"]
        own += ["list(gap) as all_gaps", "sum(amount) as total", "stddev_samp(amount) as amount_spread"]
        own += ["max(amount) as amount_max", "arg_max(amount, day) as amount_last"]
        for w in self.log.windows:
            recent = f"(day >= {today - w})::int"
            own += [f"sum({recent}) as days_{w}", f"sum(n * {recent}) as events_{w}", f"sum(amount * {recent}) as amount_{w}"]
        own += [f"sum(((day + 3) % 7 = {i})::int) as weekday_{i}" for i in range(7)]
        own += [f"sum(exp((day - {today}) * {math.log(2) / h!r})) as half_life_{h}" for h in self.log.half_lives]
        more = ["min(day) as first_any", "max(day) as last_any"]
        for k in self.kept:
            n = f"n_{self.others.index(k)}"
            more += [f"sum({n}) as {k}_count", f"max(day) filter ({n} > 0) as {k}_last"]
            more += [f"sum({n} * (day >= {today - self.log.horizon})::int) as {k}_recent"]
        tables = f"""(select user_id, {', '.join(own)} from active where day < {today} group by user_id)
            join (select user_id, {', '.join(more)} from days where day < {today} group by user_id) using (user_id)"""
        return self.final(as_of, tables)

    def final(self, as_of, tables):
        log, today, h = self.log, number(as_of), self.log.horizon
        recency, tenure = f"({today} - last)", f"({today} - first_any)"
        rate = lambda w: f"((days_{w} + 0.5) / least({w}, {tenure}))"
        spread = "sqrt(((days - 1) * gaps_squared - gaps * gaps) / ((days - 1) * (days - 2)))"
        used = " + ".join(f"(weekday_{i} > 0)::int" for i in range(7))
        entropy = " + ".join(f"coalesce(weekday_{i} * ln(nullif(weekday_{i}, 0) / days), 0)" for i in range(7))
        regularity = f"1 - (-({entropy}) / days + ({used} - 1) / (2 * days)) / ln(7)"
        value = {
            "recency_days": recency,
            "recency_any_days": f"{today} - last_any",
            "tenure_days": tenure,
            "active_age_days": f"{today} - first",
            "gaps_exceeded": f"case when days > 1 then (len(list_filter(all_gaps, lambda g: g < {recency})) + 0.5) / days end",
            "overdue_ratio": f"case when days > 1 then ({recency} + 1) / (gaps / (days - 1) + 1) end",
            "recency_share": f"{recency} / {tenure}",
            "active_days": "days",
            "events": "events",
            "one_active_day": "(days = 1)::int",
            "gap_mean_days": "case when days > 1 then gaps / (days - 1) end",
            "gap_spread_days": f"case when days > 2 then {spread} end",
            "gap_last_days": "gap_last",
            "gap_max_days": "gap_max",
            "weekday_regularity": f"case when days > 1 then greatest(least({regularity}, 1), 0) end",
            f"trend_{h}d_over_{4 * h}d": f"ln({rate(h)} / {rate(4 * h)})",
            "amount": "total",
            "amount_mean": "total / days",
            "amount_spread": "amount_spread",
            "amount_last": "amount_last",
            "amount_max": "amount_max",
        }
        for w in log.windows:
            value |= {f"active_days_{w}d": f"days_{w}", f"events_{w}d": f"events_{w}", f"amount_{w}d": f"amount_{w}"}
        value |= {f"active_days_half_life_{x}d": f"half_life_{x}" for x in log.half_lives}
        for k in self.kept:
            value |= {f"{k}_count": f"{k}_count", f"{k}_recency_days": f"{today} - {k}_last", f"{k}_count_{h}d": f"{k}_recent"}
        columns = ", ".join(f"({value[name]})::double as {name}" for name in log.names(self.kept))
        return f"select user_id, date '{as_of}' as as_of, {columns} from {tables}"


# --------------------------------------------------------------------------------------------------------------------
# Polars


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["duckdb", "polars"])
    parser.add_argument("log", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, action="append", default=[])
    parser.add_argument("--roll-up-only", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    peer = {"duckdb": DuckDb}[args.engine](Log(args.log))
    if args.roll_up_only:
        peer.roll_up_only(args.out)
    elif args.as_of:
        peer.features(sorted(set(args.as_of)), args.out)
    else:
        parser.error("--as-of or --roll-up-only is needed")


if __name__ == "__main__":
    main()
