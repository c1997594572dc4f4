"""Public logs as tables of events, and the questions asked of them.

A log is a frame with a row an event: `user`, `time` (no zone), `kind`, `amount`. The folder with the logs is laid out as
`datasets/fetch.sh` leaves it.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import pandas as pd

COLUMNS = ["user", "time", "kind", "amount"]
ACTIVITY = "purchase"


@dataclass(frozen=True)
class Sources:
    """Where logs come from: the folder of public ones, and the program that simulates one."""

    folder: Path
    ebb_train: Path


@dataclass(frozen=True)
class Case:
    """Who of those that bought in the `active_days` before `cutoff` buys nothing in the `horizon_days` from it on?"""

    name: str
    read: Callable[[Sources], pd.DataFrame]
    cutoff: str
    horizon_days: int
    active_days: int

    @property
    def at(self):
        return pd.Timestamp(self.cutoff)

    def days(self, number):
        return pd.Timedelta(days=number)


def retail_lines(sources):
    file = sources.folder / "online-retail/online_retail.csv.gz"
    lines = pd.read_csv(file, dtype={"InvoiceNo": str, "StockCode": str})
    # An invoice number that starts with C cancels goods.
    lines["kind"] = np.where(lines.InvoiceNo.str.startswith("C"), "return", ACTIVITY)
    lines["amount"] = lines.Quantity * lines.UnitPrice
    lines["time"] = pd.to_datetime(lines.InvoiceDate)
    return lines


def one_event(lines, keys):
    """Lines that belong together as one event: at the time of the first of them, worth their sum."""
    return lines.groupby(keys, as_index=False).agg(time=("time", "min"), amount=("amount", "sum"))


def online_retail(sources):
    lines = retail_lines(sources).dropna(subset=["CustomerID"])
    lines["user"] = lines.CustomerID.astype(int).astype(str)
    return one_event(lines, ["user", "InvoiceNo", "kind"])[COLUMNS]


def online_retail_without_amounts(sources):
    return online_retail(sources).assign(amount=0.0)


def retail_articles(sources):
    """The articles of Online Retail as users: is an article sold again?"""
    lines = retail_lines(sources)
    lines = lines[lines.kind.eq("return") | (lines.Quantity > 0)]
    lines = lines.assign(user=lines.StockCode.str.upper(), day=lines.time.dt.normalize())
    return one_event(lines, ["user", "day", "kind"])[COLUMNS]


def cdnow(sources):
    names = ["user", "date", "discs", "amount"]
    log = pd.read_csv(sources.folder / "cdnow/CDNOW_master.txt", sep=r"\s+", header=0, names=names, dtype={"user": str})
    return log.assign(time=pd.to_datetime(log.date.astype(str)), kind=ACTIVITY)[COLUMNS]


def complete_journey(sources):
    lines = pd.read_csv(sources.folder / "complete-journey/transactions_sample.csv.gz")
    lines["user"] = lines.household_id.astype(str)
    lines["time"] = pd.to_datetime(lines.transaction_timestamp)
    baskets = one_event(lines.rename(columns={"sales_value": "amount"}), ["user", "basket_id"])
    return baskets.assign(kind=ACTIVITY)[COLUMNS]


def complete_journey_kinds(sources):
    """Complete Journey with coupons that were redeemed and campaigns that were mailed."""
    folder = sources.folder / "complete-journey"
    coupons = pd.read_csv(folder / "coupon_redemptions.csv")
    campaigns = pd.read_csv(folder / "campaign_descriptions.csv")
    mailings = pd.read_csv(folder / "campaigns.csv").merge(campaigns, on="campaign_id")
    parts = [complete_journey(sources)]
    for table, day, kind in [(coupons, "redemption_date", "coupon"), (mailings, "start_date", "mailing")]:
        users, times = table.household_id.astype(str), pd.to_datetime(table[day])
        parts.append(pd.DataFrame({"user": users, "time": times, "kind": kind, "amount": 0.0}))
    return pd.concat(parts, ignore_index=True)


def read_simulated(sources, options):
    """A simulated log, without the rows that cannot be used."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sources.ebb_train, "simulate", "--quiet", *options, "--out", f"{work}/log"], check=True)
        raw = pd.read_csv(f"{work}/log/events.csv.gz")
    log = pd.DataFrame({"user": raw.user_id, "kind": raw.kind})
    log["time"] = pd.to_datetime(raw.time, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    log["amount"] = pd.to_numeric(raw.amount, errors="coerce").fillna(0.0)
    return log.dropna(subset=["user", "time"]).drop_duplicates()[COLUMNS]


def simulated(sources):
    """The simulated shop."""
    return read_simulated(sources, ["--users", "8000", "--days", "540", "--seed", "5"])


def seasonal(season, users="5000"):
    """Four years of a simulated business with a season."""
    options = ["--season", season, "--users", users, "--days", "1461", "--start", "2021-01-01", "--seed", "7"]
    return lambda sources: read_simulated(sources, options)


# The five of the README.
CASES = [
    Case("online_retail", online_retail, "2011-10-10", 60, 180),
    Case("online_retail_june", online_retail, "2011-07-01", 45, 180),
    Case("cdnow", cdnow, "1998-04-01", 90, 180),
    Case("cdnow_early", cdnow, "1997-12-01", 60, 180),
    Case("complete_journey", complete_journey, "2017-12-03", 28, 90),
]

# The same logs at other dates and horizons and in other shapes, and a simulated one.
MORE_CASES = [
    Case("retail_september", online_retail, "2011-09-01", 30, 120),
    Case("retail_november", online_retail, "2011-11-10", 14, 90),
    Case("retail_august", online_retail, "2011-08-15", 90, 180),
    Case("retail_without_amounts", online_retail_without_amounts, "2011-08-01", 45, 150),
    Case("cdnow_october", cdnow, "1997-10-01", 30, 120),
    Case("cdnow_february", cdnow, "1998-02-01", 120, 180),
    Case("cdnow_half_year", cdnow, "1998-01-01", 180, 300),
    Case("journey_fortnight", complete_journey, "2017-11-15", 14, 60),
    Case("journey_two_months", complete_journey, "2017-10-25", 60, 120),
    Case("journey_several_kinds", complete_journey_kinds, "2017-11-01", 30, 90),
    Case("products_september", retail_articles, "2011-09-01", 30, 120),
    Case("products_june", retail_articles, "2011-06-15", 60, 180),
    Case("products_november", retail_articles, "2011-11-10", 14, 60),
    Case("simulated", simulated, "2025-05-01", 45, 120),
]

# Simulated businesses with a season, asked before and after it turns, and one without a season as a control.
SEASONAL_CASES = [
    Case(f"{season}_{month}_{horizon_days}", seasonal(season, users), f"2024-{month}-{day}", horizon_days, active_days)
    for season, users, horizon_days, active_days in [
        ("yearly", "5000", 30, 400),
        ("yearly", "5000", 60, 400),
        ("term", "10000", 30, 180),
        ("closing", "5000", 60, 150),
        ("none", "5000", 30, 150),
    ]
    for month, day in [("03", "01"), ("06", "15"), ("09", "01"), ("11", "01")]
]
