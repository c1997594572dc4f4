"""Models from a log, and from a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._days import Day, day
from ._errors import UsageError
from ._events import Columns, IdType, Mapped
from ._model import Model, settings_file
from ._settings import ChurnArguments, EventArguments, Settings, settings_of
from ._work import Work, flags


def fit(
    data: Any = None,
    *,
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
    as_of: Day | None = None,
    allow_below_baseline: bool = False,
    random_forest_baseline: bool = False,
    sample_users: float | None = None,
    progress: bool = True,
    **settings: Any,
) -> Model:
    """Fit churn models, one for each horizon, on a log of events.

    Parameters
    ----------
    data : path, sequence of paths or frame, optional
        The events, one row each: a frame of pandas, Polars, DuckDB or pyarrow, anything else with
        ``__arrow_c_stream__``, or files that ``ebb-train`` reads. Without it, the files that the configuration names.
    config : path, optional
        A configuration file, instead of the arguments from ``user`` to ``timezone`` and of ``settings``.
    user, time : str, dict or callable
        The column of the user's id, and of the time. ``{"expr": "..."}`` is an expression in the Common Expression
        Language, and a function gets the frame and returns the values.
    amount, kind : str, dict or callable, optional
        The column of the amount, and of the kind of event; without ``kind`` all events are of one.
    activity : str or sequence of str, optional
        The kinds of events that count as staying. Required with ``kind``.
    horizon_days : int or sequence of int
        The horizons in days. Churn is no activity in as many days from the as-of day on.
    active_within_days : int, optional
        Users with activity in the last so many days are described and scored; by default three times the longest
        horizon.
    lead_days : int, optional
        Days between the as-of day and the start of the horizon.
    churn_event : str, optional
        The kind of event that is churn, such as ``"cancellation"``, instead of silence.
    time_format : str, optional
        How times that are text or numbers are written: ``"rfc3339"``, ``"epoch_s"``, ``"epoch_ms"``, or a pattern of
        strftime; ISO 8601 by default.
    timezone : str, optional
        The time zone whose days are counted; by default that of the times, or UTC where they have none.
    as_of : str or date, optional
        No event on this day or later is seen; by default the day after the last one that the log covers.
    allow_below_baseline : bool
        Return the model even if it does not beat the baseline that uses recency alone.
    random_forest_baseline : bool
        Also fit a random forest, and put its figures among the baselines of the card.
    sample_users : float, optional
        Fit on this share of the users, between 0 and 1, chosen by a hash of their ids.
    progress : bool
        Whether progress is shown, where tqdm is installed.
    **settings : dict
        Further sections of ``ebb.toml``, such as ``model={"l2": 130.0}`` or ``events={"on_bad_row": "fail"}``.

    Returns
    -------
    Model
        The model, which shows its report in a notebook.

    Raises
    ------
    UsageError
        If an argument or setting is wrong.
    DataError
        If no model can be fitted on the log.
    VerdictError
        If a model does not beat the baseline that uses recency alone.

    Examples
    --------
    >>> m = ebb.fit(orders, user="customer_id", time="order_date", amount="total", horizon_days=60)
    >>> m.score().sort_values("churn_probability", ascending=False).head()
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
    work = Work(data, chosen, file)
    try:
        bundle = work.folder / "model"
        words = flags(
            as_of=day(as_of),
            allow_below_baseline=allow_below_baseline,
            random_forest_baseline=random_forest_baseline,
            sample_users=sample_users,
            out=bundle,
        )
        work.run("fit", *words, progress=progress)
    except BaseException:
        work.close()
        raise
    return Model(bundle, work.settings, file, work=work, ids=work.ids)


def chosen_settings(
    config: str | os.PathLike[str] | None, events: EventArguments, churn: ChurnArguments, sections: dict[str, Any]
) -> tuple[Settings, Path | None]:
    """The settings of a file or of arguments, and the file."""
    if config is None:
        return settings_of(events, churn, sections), None
    arguments = {**vars(events), **vars(churn), **sections}
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise UsageError(
            f"`config` and `{given[0]}` are both given: write what differs into the configuration, or leave it out"
        )
    file = Path(os.path.abspath(config))
    return Settings.of_file(file), file


def load(path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None) -> Model:
    """Load a model that :meth:`Model.save` or ``ebb-train fit`` has written.

    Parameters
    ----------
    path : path
        The folder of the bundle.
    config : path, optional
        The configuration that says what the columns of a log mean; by default ``path.toml`` beside the bundle, which
        :meth:`Model.save` writes. Without any, the model can be looked at, and not score.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    UsageError
        If the folder holds no bundle.
    """
    bundle = Path(os.path.abspath(path))
    if not (bundle / "bundle.json").is_file():
        raise UsageError(f"{bundle} holds no bundle: there is no bundle.json")
    file = settings_file(bundle) if config is None else Path(os.path.abspath(config))
    if config is None and not file.is_file():
        return Model(bundle, Settings({}, Columns()), None, work=None, ids=IdType.TEXT)
    return Model(bundle, Settings.of_file(file), file, work=None, ids=IdType.TEXT)
