"""The questions of `value.py`: what will these users spend in the days from the cut-off on?"""

from dataclasses import dataclass
from typing import Callable

import pandas as pd

from quality_logs import Sources, cdnow, complete_journey, online_retail, read_simulated


@dataclass(frozen=True)
class Case:
    """What users that bought in the `active_days` before `cutoff` (0: ever) will spend in the `horizon_days` from it on."""

    log: str
    read: Callable[[Sources], pd.DataFrame]
    cutoff: str
    horizon_days: int
    active_days: int
    # The horizon of the churn model beside it.
    churn_days: int

    @property
    def at(self):
        return pd.Timestamp(self.cutoff)

    @property
    def name(self):
        return f"{self.log}_{self.cutoff}_{self.horizon_days}"


def simulated(season):
    options = ["--season", season, "--users", "4000", "--days", "1100", "--start", "2021-01-01", "--seed", "11"]
    return lambda sources: only_orders(read_simulated(sources, options))


def only_orders(log):
    """The log without the prices of what was looked at or put into a cart: those are no money."""
    return log.assign(amount=log.amount.where(log.kind.isin(["purchase", "return"]), 0.0))


def cdnow_case(cutoff, days):
    return Case("cdnow", cdnow, cutoff, days, 0, 90)


def retail_case(cutoff, days):
    return Case("online_retail", online_retail, cutoff, days, 365, 60)


def journey_case(cutoff, days):
    return Case("complete_journey", complete_journey, cutoff, days, 365, 30)


def simulated_case(season, cutoff, days):
    return Case(f"simulated_{season}", simulated(season), cutoff, days, 365, 45)


CASES = [
    cdnow_case("1997-10-01", 273),
    cdnow_case("1998-01-01", 180),
    retail_case("2011-06-10", 182),
    retail_case("2011-09-10", 90),
    journey_case("2017-09-01", 90),
]

# The same logs at dates on which nothing was chosen, and simulated ones.
MORE_CASES = [
    cdnow_case("1997-07-01", 180),
    cdnow_case("1997-12-01", 90),
    cdnow_case("1998-03-01", 120),
    retail_case("2011-05-01", 90),
    retail_case("2011-07-15", 120),
    retail_case("2011-08-01", 120),
    journey_case("2017-06-01", 90),
    journey_case("2017-07-15", 120),
    journey_case("2017-10-01", 90),
    simulated_case("none", "2023-01-01", 180),
    simulated_case("mild", "2022-10-01", 180),
    simulated_case("mild", "2023-06-01", 180),
    simulated_case("yearly", "2023-09-01", 120),
]
