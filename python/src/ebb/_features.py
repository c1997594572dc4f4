"""Features and labels for models that others make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pandas as pd

from ._days import Day, days
from ._events import Mapped
from ._fit import chosen_settings
from ._frames import read_result
from ._settings import ChurnArguments, EventArguments
from ._work import Work, flags


def features(
    data: Any = None,
    *,
    as_of: Day | Sequence[Day],
    labels: bool = False,
    config: str | os.PathLike[str] | None = None,
    user: Mapped | None = None,
    time: Mapped | None = None,
    amount: Mapped | None = None,
    kind: Mapped | None = None,
    activity: str | Sequence[str] | None = None,
    horizon_days: int | Sequence[int] | None = None,
    active_within_days: int | None = None,
    lead_days: int | None = None,
    churn_event: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Describe every user as of some days, in the features that Ebb's own models see.

    Parameters
    ----------
    as_of : str, date or sequence of them
        Features as known at the start of each of these days.
    labels : bool
        Whether each row also has its label for each horizon, as a fit would give it.
    data, config, user, time, amount, kind, activity, horizon_days, active_within_days, lead_days, churn_event, \
time_format, timezone, progress, **settings
        As for :func:`ebb.fit`.

    Returns
    -------
    pandas.DataFrame
        One row for each user and day before which the user was active: ``user_id``, ``as_of``, and the features by
        their names, missing where a value cannot be known. With ``labels``, for a horizon of 60 days also
        ``churned_60d``, missing where a row has no label, and ``label_missing_60d`` with the reason.

    Raises
    ------
    UsageError
        If an argument or setting is wrong.
    DataError
        If the log cannot be read.

    Examples
    --------
    >>> table = ebb.features(orders, user="customer_id", time="order_date", horizon_days=60,
    ...                      as_of=["2025-03-01", "2025-04-01"], labels=True)
    """
    events = EventArguments(user=user, time=time, kind=kind, amount=amount, time_format=time_format, timezone=timezone)
    churn = ChurnArguments(
        activity=activity,
        horizon_days=horizon_days,
        active_within_days=active_within_days,
        lead_days=lead_days,
        churn_event=churn_event,
    )
    chosen, file = chosen_settings(config, events, churn, settings)
    with closing(Work(data, chosen, file)) as work:
        out = work.folder / "features.parquet"
        work.run("features", *flags(as_of=days(as_of), labels=labels, out=out), progress=progress)
        return read_result(out, work.ids)
