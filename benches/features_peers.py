#!/usr/bin/env python3
"""The features of Ebb's catalogue as one would write them for speed in DuckDB or in Polars.

    features_peers.py duckdb|polars LOG_FOLDER --as-of DAY [--as-of DAY ...] --out features.parquet
    features_peers.py duckdb|polars LOG_FOLDER --roll-up-only --out rollup.parquet

LOG_FOLDER is what `bulk` makes: events/part-*.parquet or .csv and ebb.toml, in UTC. One row for
every user with activity before the day, with the columns user_id, as_of and the features by their names in the
catalogue; null where a value cannot be known. DuckDB makes a folder with a file for each day where there are several.
EBB_PEER_THREADS (2) threads.
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
# More days than a calendar has; users and days are sorted by user * SPAN + day.
SPAN = 1 << 22


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
    """The other kinds with features of their own: the most widespread, in order of their names."""
    widespread = max(users // 100, 10)
    kept = [(-n, k) for k, n in users_by_kind.items() if n >= widespread]
    return sorted(k for _, k in sorted(kept)[:MOST_KINDS])


def note(what, since):
    if os.environ.get("EBB_PEER_VERBOSE"):
        print(f"{time.perf_counter() - since:8.3f} s  {what}", file=sys.stderr)


# --------------------------------------------------------------------------------------------------------------------
# DuckDB


class DuckDb:
    def __init__(self, log):
        import duckdb

        self.log, self.wanted = log, None
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
        self.prepare(as_ofs)
        # As one query (union all) the aggregations of all days would be held at once.
        parts = [out] if len(as_ofs) == 1 else [out / f"{as_of}.parquet" for as_of in as_ofs]
        parts[0].parent.mkdir(parents=True, exist_ok=True)
        for part, as_of, query in zip(parts, as_ofs, self.queries(as_ofs)):
            self.run(f"copy ({query}) to '{part}' (format parquet, compression snappy)", f"features at {as_of}")

    def span(self):
        """The first and the last day."""
        return self.run(f"select min(time)::date, max(time)::date from {self.source()}").fetchone()

    def prepare(self, as_ofs, until=None, thin=None):
        """Rolls up all before the newest day (or `until`). `thin` is given the queries' tables to leave users out."""
        until = until or as_ofs[-1]
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
        self.kept = self.wanted or chosen(dict(zip(self.others, by_kind)), users)
        note("kinds", self.start)
        self.run(
            """create temp table active as
                select user_id, day, n, coalesce(amount, 0) as amount,
                    day - lag(day) over days as gap,
                    coalesce(amount, 0) - first_value(coalesce(amount, 0)) over days as off
                from days where n > 0 window days as (partition by user_id order by day)""",
            "gaps",
        )
        self.newest = number(as_ofs[-1])
        if thin:
            thin()

    def queries(self, as_ofs):
        """One query for each day."""
        return [self.at_once(day) for day in as_ofs] if len(as_ofs) < 4 else list(self.in_parts(as_ofs))

    def ever(self):
        """What is known of a user from all days: name, how it is made from days, how from parts of the past."""
        plus = lambda name, made: (name, made, f"sum({name})")
        yield "last", "max(day)", "max(last)"
        yield "first", "min(day)", "min(first)"
        yield plus("days", "count(*)")
        yield plus("events", "sum(n)::bigint")
        yield plus("gaps_squared", "sum(gap * gap)::bigint")
        yield "gap_max", "max(gap)", "max(gap_max)"
        yield "gap_last", "arg_max(gap, day)", "arg_max(gap_last, last)"
        yield "all_gaps", "list(gap)", "flatten(list(all_gaps))"
        yield plus("total", "sum(amount)")
        # The variance from sums less the first amount: exactly 0 where all are equal.
        yield plus("offs", "sum(off)")
        yield plus("offs_squared", "sum(off * off)")
        yield "amount_max", "max(amount)", "max(amount_max)"
        yield "amount_last", "arg_max(amount, day)", "arg_max(amount_last, last)"
        for i in range(7):
            yield plus(f"weekday_{i}", f"sum(((day + 3) % 7 = {i})::int)::bigint")
        for h in self.log.half_lives:
            yield plus(f"half_life_{h}", f"sum(exp((day - {self.newest}) * {math.log(2) / h!r}e0))")

    def ever_any(self):
        yield "first_any", "min(day)", "min(first_any)"
        yield "last_any", "max(day)", "max(last_any)"
        for k in self.kept:
            n = f"n_{self.others.index(k)}"
            yield f"{k}_count", f"sum({n})::bigint", f"sum({k}_count)"
            yield f"{k}_last", f"max(day) filter ({n} > 0)", f"max({k}_last)"

    def recent(self, today):
        for w in self.log.windows:
            recent = f"(day >= {today - w})::int"
            yield f"sum({recent}) as days_{w}"
            yield f"sum(n * {recent}) as events_{w}"
            yield f"sum(amount * {recent}) as amount_{w}"

    def recent_any(self, today):
        for k in self.kept:
            yield f"sum(n_{self.others.index(k)} * (day >= {today - self.log.horizon})::int) as {k}_recent"

    def at_once(self, as_of):
        """The query for one day: all that can be known of a user in two aggregations."""
        today = number(as_of)
        made = lambda columns: [f"{made} as {name}" for name, made, _ in columns]
        own, more = [*made(self.ever()), *self.recent(today)], [*made(self.ever_any()), *self.recent_any(today)]
        return self.final(
            as_of,
            f"""(select user_id, {', '.join(own)} from active where day < {today} group by user_id)
                join (select user_id, {', '.join(more)} from days where day < {today} group by user_id) using (user_id)""",
        )

    def in_parts(self, as_ofs):
        """The queries for many days: the time between two of them is added up once, and the parts for each day."""
        part = " + ".join(f"(day >= {number(day)})::int" for day in as_ofs)
        made = lambda columns: ", ".join(f"{made} as {name}" for name, made, _ in columns)
        added = lambda columns: ", ".join(f"{added} as {name}" for name, _, added in columns)
        for table, columns in ("active", self.ever()), ("days", self.ever_any()):
            self.run(
                f"create temp table {table}_parts as select user_id, {part} as part, {made(columns)} from {table} group by all",
                f"parts of {table}",
            )
        for k, as_of in enumerate(as_ofs):
            today = number(as_of)
            since = lambda days: f"where day < {today} and day >= {today - days} group by user_id"
            yield self.final(
                as_of,
                f"""(select user_id, {added(self.ever())} from active_parts where part <= {k} group by user_id)
                    join (select user_id, {added(self.ever_any())} from days_parts where part <= {k} group by user_id)
                        using (user_id)
                    left join (select user_id, {', '.join(self.recent(today))} from active {since(max(self.log.windows))})
                        using (user_id)
                    left join (select user_id, {', '.join(self.recent_any(today))} from days {since(self.log.horizon)})
                        using (user_id)""",
            )

    def final(self, as_of, tables):
        log, today, h = self.log, number(as_of), self.log.horizon
        recency, tenure = f"({today} - last)", f"({today} - first_any)"
        part = f"(0.5 / least({4 * h}, {tenure}))"
        rate = lambda w: f"(coalesce(days_{w}, 0)::double / least({w}, {tenure}) + {part})"
        gaps = "(last - first)"
        deviation = lambda n, total, squares: f"sqrt(greatest({squares} - {total} * ({total} / {n}), 0) / ({n} - 1))"
        used = " + ".join(f"(weekday_{i} > 0)::int" for i in range(7))
        entropy = " + ".join(f"coalesce(weekday_{i} * ln(nullif(weekday_{i}, 0) / days), 0)" for i in range(7))
        regularity = f"1 - (-({entropy}) / days + ({used} - 1) / (2 * days)) / ln(7)"
        value = {
            "recency_days": recency,
            "recency_any_days": f"{today} - last_any",
            "tenure_days": tenure,
            "active_age_days": f"{today} - first",
            "gaps_exceeded": f"case when days > 1 then (len(list_filter(all_gaps, lambda g: g < {recency})) + 0.5) / days end",
            "overdue_ratio": f"case when days > 1 then ({recency} + 1) / ({gaps} / (days - 1) + 1) end",
            "recency_share": f"{recency} / {tenure}",
            "active_days": "days",
            "events": "events",
            "one_active_day": "(days = 1)::int",
            "gap_mean_days": f"case when days > 1 then {gaps} / (days - 1) end",
            "gap_spread_days": f"case when days > 2 then {deviation('(days - 1)', gaps, 'gaps_squared')} end",
            "gap_last_days": "gap_last",
            "gap_max_days": "gap_max",
            "weekday_regularity": f"case when days > 1 then greatest(least({regularity}, 1), 0) end",
            f"trend_{h}d_over_{4 * h}d": f"ln({rate(h)} / {rate(4 * h)})",
            "amount": "total",
            "amount_mean": "total / days",
            "amount_spread": f"case when days > 1 then {deviation('days', 'offs', 'offs_squared')} end",
            "amount_last": "amount_last",
            "amount_max": "amount_max",
        }
        for w in log.windows:
            value |= {f"active_days_{w}d": f"coalesce(days_{w}, 0)", f"events_{w}d": f"coalesce(events_{w}, 0)"}
            value[f"amount_{w}d"] = f"coalesce(amount_{w}, 0)"
        for x in log.half_lives:
            value[f"active_days_half_life_{x}d"] = f"half_life_{x} * {2.0 ** ((self.newest - today) / x)!r}e0"
        for k in self.kept:
            value |= {f"{k}_count": f"{k}_count", f"{k}_recency_days": f"{today} - {k}_last"}
            value[f"{k}_count_{h}d"] = f"coalesce({k}_recent, 0)"
        columns = ", ".join(f"({value[name]})::double as {name}" for name in log.names(self.kept))
        return f"select user_id, date '{as_of}' as as_of, {columns} from {tables}"


# --------------------------------------------------------------------------------------------------------------------
# Polars


class Polars:
    """Days are sorted by user once and added up along the way: what a user did between two days is the difference of
    two running totals, found by a binary search. What has no exact difference is folded between the days asked for."""

    def __init__(self, log):
        import polars

        global np, pl, c
        import numpy as np

        pl, c = polars, polars.col
        self.log, self.wanted = log, None
        self.start = time.perf_counter()

    def source(self):
        """The log with its days as numbers."""
        if self.log.parquet:
            return pl.scan_parquet(self.log.glob).with_columns(day=(c.time.to_physical() // DAY_US).cast(pl.Int32))
        schema = {"user_id": pl.String, "time": pl.String, "kind": pl.String, "amount": pl.Float64}
        log = pl.scan_csv(self.log.glob, schema=schema, quote_char=None)
        return log.with_columns(day=c.time.str.head(10).str.to_date("%Y-%m-%d").to_physical())

    def roll_up_only(self, out):
        rolled = self.source().group_by("user_id", "day", "kind").agg(pl.len().alias("count"), c.amount.sum())
        rolled.sink_parquet(out, compression="snappy", engine="streaming")

    def features(self, as_ofs, out):
        self.prepare(as_ofs)
        if len(as_ofs) == 1:
            self.at(as_ofs[0]).write_parquet(out, compression="snappy")
        else:
            from polars.io.plugins import register_io_source

            def frames(*_):
                for as_of in as_ofs:
                    yield self.at(as_of)
                    note(f"features at {as_of}", self.start)

            lazy = register_io_source(frames, schema=self.schema())
            lazy.sink_parquet(out, compression="snappy", engine="streaming")
        note("written", self.start)

    def schema(self):
        return {"user_id": pl.String, "as_of": pl.Date} | dict.fromkeys(self.log.names(self.kept), pl.Float64)

    def span(self):
        """The first and the last day."""
        days = self.source().select(c.day.min(), last=c.day.max()).collect(engine="streaming").row(0)
        return tuple(EPOCH + dt.timedelta(day) for day in days)

    def prepare(self, as_ofs, until=None, thin=None):
        """Rolls up all before the newest day (or `until`), sorts it by user and day, and adds it up. `thin` is given
        the roll-up to leave users out."""
        until = until or as_ofs[-1]
        source, activity = self.source(), self.log.activity
        kinds = source.select(c.kind.unique()).collect(engine="streaming")["kind"].to_list()
        if activity not in kinds:
            sys.exit(f"{activity} does not occur in the log")
        others = sorted(k for k in kinds if k != activity)
        midnight = dt.datetime(until.year, until.month, until.day, tzinfo=dt.timezone.utc)
        mine = c.kind == activity
        rolled = (
            source.filter(c.time < midnight if self.log.parquet else c.day < number(until))
            # Made to be added up, so that grouping has only sums to make; kinds side by side make a third of the
            # groups of (user, day, kind).
            .select(
                "user_id",
                "day",
                mine.cast(pl.Int32).alias("n"),
                pl.when(mine).then(c.amount).otherwise(0.0).alias("amount"),
                *[(c.kind == k).cast(pl.Int32).alias(f"n_{k}") for k in others],
            )
            .group_by("user_id", "day")
            .sum()
            .collect(engine="streaming")
        )
        note("roll-up", self.start)
        if thin:
            # The kinds are chosen by all users.
            seen = rolled.lazy().group_by("user_id").agg((c(f"n_{k}") > 0).any() for k in others)
            users, *users_by_kind = seen.select(pl.len(), c("^n_.*$").sum()).collect(engine="streaming").row(0)
            self.wanted = self.wanted or chosen(dict(zip(others, users_by_kind)), users)
            rolled = thin(rolled)
        self.users = rolled.lazy().select("user_id").unique().with_row_index("user").collect(engine="streaming")
        # One number to sort by and to search.
        days = (
            rolled.lazy()
            .join(self.users.lazy(), on="user_id")
            .select((c.user.cast(pl.Int64) * SPAN + c.day).alias("key"), c("^n.*$"), "amount")
            .collect(engine="streaming")
        )
        del rolled
        days = days.sort("key")
        note("sorted", self.start)
        active = days.lazy().filter(c.n > 0).select("key", "n", "amount").collect()
        with_day = [c.key.mod(SPAN).cast(pl.Int32).alias("day"), c.key.floordiv(SPAN).cast(pl.Int32).alias("user")]
        last = [pl.when(c(f"n_{k}") > 0).then(c.key).forward_fill().alias(f"last_{k}") for k in others]
        self.days = Running(days, days.select(*with_day, *last), days.select(c(f"n_{k}") for k in others))
        del days
        active = active.with_columns(with_day)
        new = c.user != c.user.shift(fill_value=-1)
        new = c.user != c.user.shift(fill_value=-1)
        active = active.with_columns(
            gap=pl.when(~new).then(c.day - c.day.shift()),
            # The variance from sums less the first amount: exactly 0 where all are equal.
            off=c.amount - pl.when(new).then(c.amount).forward_fill(),
        )
        added = active.select(
            events=c.n,
            total=(c.amount * 1e6).round().cast(pl.Int64),
            gaps_squared=(c.gap * c.gap).fill_null(0),
            **{f"weekday_{i}": ((c.day + 3) % 7 == i) for i in range(7)},
        )
        self.active = Running(active, active.select("user", "day", "gap", "amount"), added)
        note("running totals", self.start)
        self.everyone_keys = pl.int_range(self.users.height, dtype=pl.Int64, eager=True).to_numpy() * SPAN
        self.first_active, self.first_day = self.active.before(self.everyone_keys), self.days.before(self.everyone_keys)
        if not self.wanted:
            counts = self.days.between(self.first_day, self.days.before(self.everyone_keys + SPAN - 1))
            users_by_kind = counts.select((pl.all() > 0).sum()).row(0)
            self.wanted = chosen(dict(zip(others, users_by_kind)), self.users.height)
        self.kept = self.wanted
        note("kinds", self.start)
        self.as_ofs, self.newest = as_ofs, number(as_ofs[-1])
        self.ends = [self.active.before(self.everyone_keys + number(day)) for day in sorted({*as_ofs, until})]
        fold = Fold(self.first_active, self.ends)
        self.folded = {
            "gap_max": fold(np.maximum, active["gap"].fill_null(0)),
            "amount_max": fold(np.maximum, active["amount"]),
            "offs": fold(np.add, active["off"]),
            "offs_squared": fold(np.add, active["off"] * active["off"]),
        }
        for h in self.log.half_lives:
            weight = active.select(((c.day - self.newest) * (math.log(2) / h)).exp()).to_series()
            self.folded[f"half_life_{h}"] = fold(np.add, weight)
        note("folds", self.start)

    def at(self, as_of, within=None):
        """The features of all users at one day, or of those active in so many days before."""
        log, today, h = self.log, number(as_of), self.log.horizon
        active, days = self.active, self.days
        k = self.as_ofs.index(as_of)
        end = self.ends[k]
        since = self.first_active if within is None else active.before(self.everyone_keys + (today - within))
        known = (end > since).nonzero()[0]
        users, first, end = self.everyone_keys[known], self.first_active[known], end[known]
        first_any, end_any = self.first_day[known], days.before(users + today)
        recency = today - active.along["day"].gather(end - 1)
        # A gap is compared with the recency of its user at this day.
        of_all = recency.new_from_index(0, self.users.height).scatter(known, recency)
        shorter = (active.along["gap"] < of_all.gather(active.along["user"])).fill_null(False)
        shorter = prefix(shorter.cast(pl.Int32).to_frame("shorter"))
        columns = [
            self.users.select(c.user_id.gather(known)),
            pl.DataFrame({name: parts[k][known] for name, parts in self.folded.items()}),
            active.between(first, end),
            difference(shorter, first, end),
            pl.DataFrame({"recency": recency, "days": end - first}),
            active.along.select(c.gap.gather(end - 1), c.amount.gather(end - 1), first=c.day.gather(first)),
            days.along.select(first_any=c.day.gather(first_any), last_any=c.day.gather(end_any - 1)),
            days.along.select(c(f"last_{k}").gather(end_any - 1) for k in self.kept),
            days.between(first_any, end_any),
        ]
        for w in log.windows:
            # At least the first: days before it belong to another user.
            since = active.before(users + (today - w)).clip(first)
            inside = active.between(since, end).select(c.events.alias(f"events_{w}"), c.total.alias(f"amount_{w}"))
            columns += [inside, pl.DataFrame({f"days_{w}": end - since})]
        since = days.before(users + (today - h)).clip(first_any)
        columns.append(days.between(since, end_any).select(pl.all().name.prefix("recent_")))
        columns.append(pl.DataFrame({"key": users}))
        return self.final(as_of, pl.concat(columns, how="horizontal"))

    def final(self, as_of, known):
        log, today, h = self.log, number(as_of), self.log.horizon
        n = c.days.cast(pl.Float64)
        often, gaps = pl.when(c.days > 1), today - c.recency - c.first
        tenure = today - c.first_any
        deviation = lambda n, total, squares: ((squares - total * (total / n)).clip(0) / (n - 1)).sqrt()
        part = 0.5 / pl.min_horizontal(pl.lit(4 * h), tenure)
        rate = lambda w: c(f"days_{w}") / pl.min_horizontal(pl.lit(w), tenure) + part
        weekdays = [c(f"weekday_{i}") for i in range(7)]
        entropy = -pl.sum_horizontal(pl.when(x > 0).then(x * (x / n).log()).otherwise(0) for x in weekdays) / n
        used = pl.sum_horizontal(x > 0 for x in weekdays)
        value = {
            "recency_days": c.recency,
            "recency_any_days": today - c.last_any,
            "tenure_days": tenure,
            "active_age_days": today - c.first,
            "gaps_exceeded": often.then((c.shorter + 0.5) / n),
            "overdue_ratio": often.then((c.recency + 1) / (gaps / (n - 1) + 1)),
            "recency_share": c.recency / tenure,
            "active_days": c.days,
            "events": c.events,
            "one_active_day": c.days == 1,
            "gap_mean_days": often.then(gaps / (n - 1)),
            "gap_spread_days": pl.when(c.days > 2).then(deviation(n - 1, gaps, c.gaps_squared)),
            "gap_last_days": c.gap,
            "gap_max_days": often.then(c.gap_max),
            "weekday_regularity": often.then((1 - (entropy + (used - 1) / (2 * n)) / math.log(7)).clip(0, 1)),
            f"trend_{h}d_over_{4 * h}d": (rate(h) / rate(4 * h)).log(),
            "amount": c.total / 1e6,
            "amount_mean": c.total / 1e6 / n,
            "amount_spread": often.then(deviation(n, c.offs, c.offs_squared)),
            "amount_last": c.amount,
            "amount_max": c.amount_max,
        }
        for w in log.windows:
            value |= {f"active_days_{w}d": c(f"days_{w}"), f"events_{w}d": c(f"events_{w}")}
            value[f"amount_{w}d"] = c(f"amount_{w}") / 1e6
        for x in log.half_lives:
            value[f"active_days_half_life_{x}d"] = c(f"half_life_{x}") * 2.0 ** ((self.newest - today) / x)
        for k in self.kept:
            # The last of a kind among all users' days up to here; it may be another user's.
            last = pl.when(c(f"last_{k}") >= c.key).then(today - c(f"last_{k}") + c.key)
            value |= {f"{k}_count": c(f"n_{k}"), f"{k}_recency_days": last, f"{k}_count_{h}d": c(f"recent_n_{k}")}
        columns = (value[name].cast(pl.Float64).alias(name) for name in log.names(self.kept))
        return known.select("user_id", pl.lit(as_of).alias("as_of"), *columns)


class Running:
    """Rows sorted by a key, what holds up to each of them, and what adds up over them."""

    def __init__(self, rows, along, added):
        self.key, self.along, self.sums = rows["key"].to_numpy(), along, prefix(added)

    def before(self, keys):
        """How many rows have smaller keys."""
        return self.key.searchsorted(keys)

    def between(self, first, end):
        """What the rows from `first` to before `end` add up to."""
        return difference(self.sums, first, end)


class Fold:
    """Folds the rows of each user from the first to before each of several ends."""

    def __init__(self, first, ends):
        self.starts = np.stack([first, *ends[:-1]], axis=1).ravel()
        self.some = self.starts < np.stack(ends, axis=1).ravel()
        self.shape = (len(first), len(ends))

    def __call__(self, ufunc, values):
        """One array over the users for each end."""
        # Rows lie side by side, so each part ends where the next starts. The last may start beyond the last row.
        parts = ufunc.reduceat(np.append(values.to_numpy(), 0), self.starts)
        parts = np.where(self.some, parts, 0 if ufunc is np.add else -np.inf)
        # Accumulated over the users side by side: along them, a dozen numbers at a time, takes many times longer.
        return ufunc.accumulate(np.ascontiguousarray(parts.reshape(self.shape).T), axis=0)


def prefix(added):
    """Running totals that start with 0."""
    none = added.select(pl.all().cast(pl.Int64)).clear(1).select(pl.all().fill_null(0))
    return pl.concat([none, added.select(pl.all().cast(pl.Int64).cum_sum())])


def difference(sums, first, end):
    return sums.select(pl.all().gather(end) - pl.all().gather(first))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["duckdb", "polars"])
    parser.add_argument("log", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, action="append", default=[])
    parser.add_argument("--roll-up-only", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    peer = {"duckdb": DuckDb, "polars": Polars}[args.engine](Log(args.log))
    if args.roll_up_only:
        peer.roll_up_only(args.out)
    elif args.as_of:
        peer.features(sorted(set(args.as_of)), args.out)
    else:
        parser.error("--as-of or --roll-up-only is needed")


if __name__ == "__main__":
    main()
