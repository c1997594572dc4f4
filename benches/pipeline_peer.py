#!/usr/bin/env python3
"""From an event log to a churn model and everyone's scores, as one would write it with scikit-learn for speed.

    pipeline_peer.py duckdb|polars LOG_FOLDER --out FOLDER [--rows 200000|all]     fits and judges a model
    pipeline_peer.py duckdb|polars LOG_FOLDER --out FOLDER --score                 scores the day after the log's end

LOG_FOLDER as for features_peers.py, which makes the features with the engine named. The dates are those of `ebb-train
fit`: a dozen, half a window apart, the newest with a fully seen window; it is held out. Fitting writes model.joblib,
model.json and report.html to FOLDER, scoring scores.parquet and scores.skipped.csv.
"""

import argparse
import datetime as dt
import html
import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = int(os.environ.setdefault("EBB_PEER_THREADS", "2"))
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
# Independent fits run side by side instead: OpenBLAS' threads spin while they wait, and where anything else runs on
# the machine two of them take five times as long as one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import features_peers as features
from features_peers import Log, note, number

import numpy as np
import polars as pl
from polars import col as c

SNAPSHOTS = 12
PENALTIES = [1.0, 0.1, 0.01, 0.001]
RESAMPLES = 200
SEED = 7
BANDS = {"medium": 0.3, "high": 0.6}
SEGMENT_FEATURES = ["recency_days", "active_days_{}d", "tenure_days", "amount_mean"]
REASONS = 3


# --------------------------------------------------------------------------------------------------------------------
# Rows


class DuckDbRows(features.DuckDb):
    def rows(self, as_ofs, until, horizon=None, most_rows=None):
        """The features of all users to be asked about at each day and, with a horizon, whether they churned."""
        within = self.log.active_within
        self.every = 1

        def thin():
            day = lambda as_of: f"day >= {number(as_of) - within} and day < {number(as_of)}"
            asked = ", ".join(f"count(distinct user_id) filter ({day(as_of)})" for as_of in as_ofs)
            self.every = every_nth(sum(self.run(f"select {asked} from active").fetchone()), most_rows)
            if self.every > 1:
                for table in ("days", "active"):
                    kept = f"select * from {table} where hash(user_id) % {self.every} = 0"
                    self.run(f"create temp table kept as {kept}; drop table {table}; alter table kept rename to {table}")
                note(f"every {self.every}th user", self.start)

        self.prepare(as_ofs, until, thin if most_rows else None)
        frames = []
        for as_of, query in zip(as_ofs, self.queries(as_ofs)):
            rows = f"select * from ({query}) where recency_days <= {within}"
            if horizon:
                today = number(as_of)
                stayed = f"select distinct user_id as stayer from active where day >= {today} and day < {today + horizon}"
                rows = f"select * exclude (stayer), stayer is null as churned from ({rows}) left join ({stayed}) on user_id = stayer"
            frames.append(self.frame(rows))
            note(f"rows at {as_of}", self.start)
        return pl.concat(frames)

    def everyone(self):
        return self.frame("select user_id, max(day) filter (n > 0) is null as never from days group by user_id")

    def frame(self, query):
        return self.db.sql(query).pl()


class PolarsRows(features.Polars):
    def rows(self, as_ofs, until, horizon=None, most_rows=None):
        """The features of all users to be asked about at each day and, with a horizon, whether they churned."""
        within = self.log.active_within
        self.every = 1

        def thin(rolled):
            active = rolled.lazy().filter(c.n > 0)
            day = lambda as_of: c.day.is_between(number(as_of) - within, number(as_of), closed="left")
            asked = pl.collect_all([active.filter(day(a)).select(c.user_id.n_unique()) for a in as_ofs])
            self.every = every_nth(sum(frame.item() for frame in asked), most_rows)
            if self.every > 1:
                rolled = rolled.filter(c.user_id.hash(SEED) % self.every == 0)
                note(f"every {self.every}th user", self.start)
            return rolled

        self.prepare(as_ofs, until, thin if most_rows else None)
        frames = []
        for as_of in as_ofs:
            rows = self.at(as_of, within)
            if horizon:
                today, users = number(as_of), rows["user"].to_numpy()
                ahead = self.active.before(users + (today + horizon)) - self.active.before(users + today)
                rows = rows.with_columns(churned=pl.Series(ahead == 0))
            frames.append(rows.drop("user"))
            note(f"rows at {as_of}", self.start)
        return pl.concat(frames)

    def final(self, as_of, known):
        return super().final(as_of, known).with_columns(user=known["key"])

    def everyone(self):
        never = self.active.before(self.everyone_keys + features.SPAN - 1) == self.first_active
        return self.users.select("user_id", never=pl.Series(never))


def every_nth(asked, most_rows):
    """Of so many rows, every how manieth user makes at most `most_rows`; users are picked by a hash, hence the 2 %."""
    return max(1, math.ceil(asked * 1.02 / most_rows))


def schedule(first, last, horizon):
    """The dates of the fit, oldest first."""
    latest = last + dt.timedelta(1 - horizon)
    dates = [latest - dt.timedelta(k * horizon // 2) for k in range(SNAPSHOTS)]
    return sorted(d for d in dates if (d - first).days >= horizon)


# --------------------------------------------------------------------------------------------------------------------
# The model


LINEAR = ("gaps_exceeded", "recency_share", "one_active_day", "weekday_regularity")


def bent(rows, names):
    """Counts, days and money by their logarithm, row after row, NaN where unknown."""
    one = lambda n: c(n) if n in LINEAR or n.startswith("trend") else (c(n).abs().log1p() * c(n).sign()).alias(n)
    return rows.select(one(n).fill_null(math.nan).cast(pl.Float32) for n in names).to_numpy(order="c")


class Design:
    """Everything standardised, with flags for what is unknown; unknown is average."""

    def __init__(self, x, names):
        self.names = names
        known = ~np.isnan(x)
        count = np.maximum(known.sum(axis=0), 1)
        # Features of one origin are unknown together: one flag for them all.
        gaps = [k for k in range(len(names)) if count[k] < len(x)]
        self.flags = list({known[:, k].tobytes(): k for k in reversed(gaps)}.values())[::-1]
        flags = ~known[:, self.flags]
        self.flag_center, self.flag_spread = flags.mean(axis=0), np.maximum(flags.std(axis=0), 1e-9)
        filled = np.where(known, x, np.float32(0))
        center = filled.sum(axis=0, dtype=np.float64) / count
        self.center = center.astype(np.float32)
        np.subtract(filled, self.center, out=filled, where=known)
        self.spread = np.sqrt(np.square(filled, out=filled).sum(axis=0, dtype=np.float64) / count).astype(np.float32)
        self.spread[self.spread < 1e-9] = 1

    def __call__(self, x):
        z = np.empty((len(x), len(self.names) + len(self.flags)), dtype=np.float32)
        own = z[:, : len(self.names)]
        np.subtract(x, self.center, out=own)
        own /= self.spread
        unknown = np.isnan(own)
        own[unknown] = 0
        z[:, len(self.names) :] = (unknown[:, self.flags] - self.flag_center) / self.flag_spread
        return z

    @property
    def columns(self):
        return self.names + [f"{self.names[k]} is unknown" for k in self.flags]


def fitted(z, y, penalty):
    from sklearn.linear_model import LogisticRegression

    # With far more rows than columns Newton's method takes a handful of passes.
    model = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-5, max_iter=100).fit(z, y)
    return model.coef_[0], model.intercept_[0]


def probability(weights, intercept, z):
    return 1 / (1 + np.exp(-((z @ weights).astype(float) + intercept)))


def losses(p, y):
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -np.where(y, np.log(p), np.log1p(-p))


class Judged:
    """Predictions with what came of them, sorted, so that each resample is a few passes over counts."""

    def __init__(self, p, y):
        order = np.argsort(p, kind="stable")
        self.p, self.y = p[order], y[order].astype(float)
        self.loss, self.brier = losses(self.p, self.y > 0), (self.p - self.y) ** 2
        self.ties = np.flatnonzero(np.r_[True, np.diff(self.p) > 0])
        self.bins = np.linspace(0, len(p), 11).astype(int)[:-1]

    def figures(self, weight):
        n = weight.sum()
        churned = weight * self.y
        positive, negative = churned.sum(), n - churned.sum()
        up, down = np.add.reduceat(churned, self.ties), np.add.reduceat(weight - churned, self.ties)
        auc = (up * (np.cumsum(down) - down / 2)).sum() / (positive * negative)
        off = np.add.reduceat(weight * (self.p - self.y), self.bins)
        return {
            "log_loss": (weight @ self.loss) / n,
            "auc": auc,
            "brier": (weight @ self.brier) / n,
            "ece": np.abs(off).sum() / n,
        }

    def with_intervals(self):
        n = len(self.p)
        random = np.random.default_rng(SEED)
        draws = [self.figures(np.bincount(random.integers(0, n, n), minlength=n).astype(float)) for _ in range(RESAMPLES)]
        value = self.figures(np.ones(n))
        ends = {k: np.quantile([d[k] for d in draws], [0.025, 0.975]) for k in value}
        return {k: {"value": v, "low": ends[k][0], "high": ends[k][1]} for k, v in value.items()}

    def calibration(self):
        parts = zip(np.array_split(self.p, 10), np.array_split(self.y, 10))
        return [{"predicted": p.mean(), "observed": y.mean(), "users": len(p)} for p, y in parts]

    def gains(self):
        found = np.r_[0, np.cumsum(self.y[::-1])] / self.y.sum()
        return found[np.linspace(0, len(self.y), 101).astype(int)].tolist()


def platt(p, y):
    """The line through the log-odds that would have been right: slope 1 and intercept 0 of a calibrated model."""
    from sklearn.linear_model import LogisticRegression

    p = np.clip(p, 1e-9, 1 - 1e-9)
    line = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(np.log(p / (1 - p))[:, None], y)
    return {"slope": float(line.coef_[0, 0]), "intercept": float(line.intercept_[0])}


class Segments:
    """k-means on a few standardised features, the number of segments by silhouette."""

    def __init__(self, z, positions):
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score

        self.positions = positions
        points = np.ascontiguousarray(z[:, positions])
        random = np.random.default_rng(SEED)
        sample = points[random.permutation(len(points))[:10_000]]
        tried = [KMeans(k, n_init=5, random_state=SEED).fit(sample) for k in range(3, 7)]
        score = lambda model: silhouette_score(sample[:1000], model.labels_[:1000])
        self.centers = max(tried, key=score).cluster_centers_
        self.sizes = np.bincount(self.of(z), minlength=len(self.centers)).tolist()
        self.names = [self.name(center) for center in self.centers - points.mean(axis=0)]

    @staticmethod
    def name(center):
        words = [("lapsed", "recent"), ("frequent", "rare"), ("long-standing", "new"), ("high spend", "low spend")]
        strongest = sorted(zip(np.abs(center), center, words), reverse=True)
        return ", ".join(high if x > 0 else low for size, x, (high, low) in strongest if size >= 0.35) or "average"

    def of(self, z):
        """The nearest centers: without the squares of the points, which all centers have in common."""
        return np.argmin((self.centers**2).sum(axis=1) - 2 * z[:, self.positions] @ self.centers.T, axis=1)


# --------------------------------------------------------------------------------------------------------------------
# Fit


def fit(peer, out, most_rows):
    log = peer.log
    first, last = peer.span()
    dates = schedule(first, last, log.horizon)
    rows = peer.rows(dates, last + dt.timedelta(1), log.horizon, most_rows)
    names = log.names(peer.kept)
    x, y = bent(rows, names), rows["churned"].to_numpy()
    date, total = rows["as_of"].to_physical().to_numpy(), len(rows)
    del rows
    note(f"{total} rows", peer.start)

    test = number(dates[-1])
    rehearsal = test - log.horizon
    inner, known, held = date <= rehearsal - log.horizon, date <= rehearsal, date == test
    earlier = date == rehearsal
    design = Design(x[inner], names)
    z_inner, z_earlier = design(x[inner]), design(x[earlier])
    pool = ThreadPoolExecutor(THREADS)

    def trial(penalty):
        p = probability(*fitted(z_inner, y[inner], penalty), z_earlier)
        return losses(p, y[earlier]).mean(), p

    trials = dict(zip(PENALTIES, pool.map(trial, PENALTIES)))
    penalty = min(trials, key=lambda k: trials[k][0])
    calibration = platt(trials[penalty][1], y[earlier])
    note("penalty", peer.start)

    design = Design(x, names)
    z = design(x)
    final = pool.submit(fitted, z, y, penalty)
    before = Design(x[known], names)
    judged = fitted(before(x[known]), y[known], penalty)
    judgement = Judged(probability(*judged, before(x[held])), y[held])
    evaluation = judgement.with_intervals()
    note("judged", peer.start)
    weights, intercept = final.result()
    note("fitted", peer.start)
    axes = [n.format(max(log.windows)) for n in SEGMENT_FEATURES]
    segments = Segments(z[held], [names.index(n) for n in axes])
    note("segments", peer.start)

    effects = sorted(zip(design.columns, weights.tolist()), key=lambda e: -abs(e[1]))
    card = {
        "rows": total,
        "every_nth_user": peer.every,
        "churn_rate": y.mean(),
        "dates": [str(d) for d in dates],
        "penalty": penalty,
        "trials": {k: loss for k, (loss, _) in trials.items()},
        "calibration_check": calibration,
        "evaluation": evaluation,
        "calibration_curve": judgement.calibration(),
        "gains": judgement.gains(),
        "segments": [{"name": n, "users": s} for n, s in zip(segments.names, segments.sizes)],
        "effects": effects,
        "intercept": intercept,
        "columns": design.columns,
        "kinds": peer.kept,
    }
    out.mkdir(parents=True, exist_ok=True)
    import joblib

    # Without scikit-learn's own objects: loading those takes longer than scoring a small log.
    stored = {"design": design, "weights": weights, "intercept": intercept, "segments": segments, "kinds": peer.kept}
    joblib.dump(stored, out / "model.joblib")
    (out / "model.json").write_text(json.dumps(card, indent=1, default=float))
    (out / "report.html").write_text(report(card))
    note("written", peer.start)
    figures = ", ".join(f"{k} {v['value']:.4f} [{v['low']:.4f}, {v['high']:.4f}]" for k, v in evaluation.items())
    print(f"{total} rows, churn {y.mean():.3f}, C {penalty}: {figures}")


def curve(title, points, x, y):
    """A line in a unit square, as SVG."""
    line = " ".join(f"{40 + 240 * a:.1f},{260 - 240 * b:.1f}" for a, b in points)
    return f"""<figure><figcaption>{title}</figcaption><svg viewBox="0 0 300 300" width="300">
<rect x="40" y="20" width="240" height="240" fill="none" stroke="#999"/>
<line x1="40" y1="260" x2="280" y2="20" stroke="#ccc"/><polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>
<text x="160" y="285" text-anchor="middle" font-size="11">{x}</text>
<text x="20" y="140" text-anchor="middle" font-size="11" transform="rotate(-90 20 140)">{y}</text></svg></figure>"""


def table(head, rows):
    row = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{html.escape(str(x))}</{tag}>" for x in cells) + "</tr>"
    return "<table>" + row(head, "th") + "".join(row(r, "td") for r in rows) + "</table>"


def report(card):
    figures = [(k, *(f"{v[x]:.4f}" for x in ("value", "low", "high"))) for k, v in card["evaluation"].items()]
    calibration = [(p["predicted"], p["observed"]) for p in card["calibration_curve"]]
    gains = [(i / 100, g) for i, g in enumerate(card["gains"])]
    check = card["calibration_check"]
    return f"""<!doctype html><meta charset="utf-8"><title>Churn model</title>
<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}}td,th{{padding:2px 10px;text-align:left}}figure{{display:inline-block}}</style>
<h1>Churn model</h1><p>{card['rows']} rows at {len(card['dates'])} dates, {card['churn_rate']:.1%} churned; C = {card['penalty']}.
On an earlier date the log-odds had slope {check['slope']:.3f} and intercept {check['intercept']:.3f}.</p>
<h2>On {card['dates'][-1]}</h2>{table(["figure", "value", "low", "high"], figures)}
{curve("Calibration", calibration, "predicted", "observed")}{curve("Gains", gains, "users", "churners found")}
<h2>Segments</h2>{table(["segment", "users"], [(s["name"], s["users"]) for s in card["segments"]])}
<h2>Effects</h2>{table(["column", "log-odds for one standard deviation"], [(n, f"{e:+.3f}") for n, e in card["effects"]])}"""


# --------------------------------------------------------------------------------------------------------------------
# Score


def score(peer, out):
    import joblib

    stored = joblib.load(out / "model.joblib")
    design, weights, segments = stored["design"], stored["weights"], stored["segments"]
    _, last = peer.span()
    as_of = last + dt.timedelta(1)
    peer.wanted = stored["kinds"]
    rows = peer.rows([as_of], as_of)
    z = design(bent(rows, design.names))
    p = probability(weights, stored["intercept"], z)
    note(f"{len(rows)} scored", peer.start)

    # What each feature adds to the log-odds, with its flag.
    share = z * weights
    own, flags = share[:, : len(design.names)], share[:, len(design.names) :]
    own[:, design.flags] += flags
    size = np.abs(own)
    top = np.argpartition(size, -REASONS, axis=1)[:, -REASONS:]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(size, top, axis=1), axis=1), axis=1)
    raw = rows.select(c(design.names).fill_null(math.nan)).to_numpy()
    words = pl.Series([n.replace("_", " ") for n in design.names])
    reasons = {}
    for k in range(REASONS):
        at = top[:, [k]]
        value = pl.Series(np.take_along_axis(raw, at, axis=1)[:, 0]).round(2).cast(pl.String)
        adds = pl.Series(np.take_along_axis(own, at, axis=1)[:, 0]).round(2)
        parts = pl.DataFrame({"what": words.gather(at[:, 0]), "value": value, "adds": adds})
        known = pl.when(c.value == "NaN").then(pl.lit("unknown")).otherwise(c.value)
        sign = pl.when(c.adds >= 0).then(pl.lit("+")).otherwise(pl.lit(""))
        reasons[f"reason_{k + 1}"] = parts.select(pl.format("{} {} ({}{})", "what", known, sign, "adds")).to_series()
    note("reasons", peer.start)

    segment = segments.of(z)
    band = np.searchsorted([BANDS["medium"], BANDS["high"]], p, side="right")
    scores = rows.select(
        "user_id",
        "as_of",
        pl.lit(peer.log.horizon).cast(pl.UInt16).alias("horizon_days"),
        churn_probability=pl.Series(p),
        risk_band=pl.Series(["low", *BANDS]).gather(band),
        segment=pl.Series(segment, dtype=pl.UInt16),
        segment_name=pl.Series(segments.names).gather(segment),
        **reasons,
    )
    scores.write_parquet(out / "scores.parquet", compression="snappy")
    skipped = peer.everyone().join(scores.select("user_id"), on="user_id", how="anti")
    why = pl.when("never").then(pl.lit("no_activity")).otherwise(pl.lit("inactive"))
    skipped.select("user_id", reason=why).write_csv(out / "scores.skipped.csv")
    note("written", peer.start)
    print(f"{len(scores)} scored, {len(skipped)} skipped, mean {p.mean():.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["duckdb", "polars"])
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", default="200000", help="rows that are fitted at most, or all")
    parser.add_argument("--score", action="store_true")
    args = parser.parse_args()
    peer = {"duckdb": DuckDbRows, "polars": PolarsRows}[args.engine](Log(args.log))
    if args.score:
        score(peer, args.out)
    else:
        fit(peer, args.out, None if args.rows == "all" else int(args.rows))


if __name__ == "__main__":
    main()
