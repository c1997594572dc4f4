"""More cut-offs for the comparison with other tools, at other dates and horizons and in other shapes of the same logs.

    EBB_TRAIN=target/release/ebb-train PYTHON quality.py --bin target/release/ebb-train --cases-from benches/quality_cases.py

`quality.py` is the script that `EBB_QUALITY` names for `just quality`; its own module `datasets` reads the logs.
"""
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import ROOT, Case, cdnow, complete_journey, online_retail


def products():
    """Online Retail with its articles as the users: does an article sell again?"""
    d = pd.read_csv(ROOT / "online-retail/online_retail.csv.gz", dtype={"InvoiceNo": str, "StockCode": str})
    kind = np.where(d.InvoiceNo.str.startswith("C"), "return", "purchase")
    d = d.assign(user=d.StockCode.str.upper(), kind=kind, amount=d.Quantity * d.UnitPrice, ts=pd.to_datetime(d.InvoiceDate))
    d = d[d.kind.eq("return") | (d.Quantity > 0)].assign(day=lambda d: d.ts.dt.normalize())
    d = d.groupby(["user", "day", "kind"], as_index=False).agg(ts=("ts", "min"), amount=("amount", "sum"))
    return d[["user", "ts", "kind", "amount"]]


def without_amounts():
    return online_retail().assign(amount=0.0)


def several_kinds():
    """Complete Journey with coupons that were redeemed and campaigns that were mailed."""
    folder = ROOT / "complete-journey"
    event = lambda d, day, kind: pd.DataFrame(
        dict(user=d.household_id.astype(str), ts=pd.to_datetime(d[day]), kind=kind, amount=0.0)
    )
    coupons = pd.read_csv(folder / "coupon_redemptions.csv")
    mailings = pd.read_csv(folder / "campaigns.csv").merge(pd.read_csv(folder / "campaign_descriptions.csv"), on="campaign_id")
    parts = [complete_journey(), event(coupons, "redemption_date", "coupon"), event(mailings, "start_date", "mailing")]
    return pd.concat(parts, ignore_index=True)


def simulated():
    """The made-up shop, read without its unusable rows."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "log"
        made = [os.environ["EBB_TRAIN"], "simulate", "--users", "8000", "--days", "540", "--seed", "5", "--out", out, "--quiet"]
        subprocess.run([str(part) for part in made], check=True)
        d = pd.read_csv(out / "events.csv.gz")
    ts = pd.to_datetime(d.time, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    amount = pd.to_numeric(d.amount, errors="coerce").fillna(0.0)
    d = pd.DataFrame(dict(user=d.user_id.astype(str), ts=ts, kind=d.kind, amount=amount))
    return d.dropna(subset=["ts", "user", "kind"]).drop_duplicates()


CASES = [
    Case("retail_september", online_retail, "2011-09-01", 30, 120),
    Case("retail_november", online_retail, "2011-11-10", 14, 90),
    Case("retail_august", online_retail, "2011-08-15", 90, 180),
    Case("retail_without_amounts", without_amounts, "2011-08-01", 45, 150),
    Case("cdnow_october", cdnow, "1997-10-01", 30, 120),
    Case("cdnow_february", cdnow, "1998-02-01", 120, 180),
    Case("cdnow_half_year", cdnow, "1998-01-01", 180, 300),
    Case("journey_fortnight", complete_journey, "2017-11-15", 14, 60),
    Case("journey_two_months", complete_journey, "2017-10-25", 60, 120),
    Case("journey_several_kinds", several_kinds, "2017-11-01", 30, 90),
    Case("products_september", products, "2011-09-01", 30, 120),
    Case("products_june", products, "2011-06-15", 60, 180),
    Case("products_november", products, "2011-11-10", 14, 60),
    Case("simulated", simulated, "2025-05-01", 45, 120),
]
