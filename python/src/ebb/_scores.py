"""Scores of a server, and subjects to be scored."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ._errors import UsageError
from ._ids import id_text
from ._wire import message, word


@dataclass(frozen=True)
class Event:
    """Something that a user did.

    Attributes
    ----------
    kind : str
        What happened, such as ``"purchase"``.
    time : datetime or date
        When: a time with a time zone, or a day of the model's time zone.
    amount : float
        The amount, in the unit of the model's log; the sum where ``count`` is above 1.
    count : int
        How many such events there were on that day; 1 for a time.
    """

    kind: str
    time: datetime.datetime | datetime.date
    amount: float = 0.0
    count: int = 1


@dataclass(frozen=True)
class Reason:
    """What one group of features adds to the log-odds of churn.

    Attributes
    ----------
    group : str
        Such as ``"recency"``.
    contribution : float
        What all features of the group add; positive raises the churn probability.
    feature : str
        The most influential feature of the group.
    value : float or None
        That feature's value, in ``unit``; None where it is unknown.
    unit : str
        Such as ``"days"``.
    explanation : str
        The reason in plain words.
    """

    group: str | None
    contribution: float
    feature: str
    value: float | None
    unit: str
    explanation: str


@dataclass(frozen=True)
class HorizonScore:
    """The churn probability of one horizon. The base, the reasons and the rest add up to the log-odds.

    Attributes
    ----------
    horizon_days : int
        The horizon in days.
    churn_probability : float
        The probability of churn within it, between 0 and 1.
    risk_band : str
        ``"low"``, ``"medium"`` or ``"high"``.
    log_odds, base_log_odds, other_contribution : float
        The log-odds, those of the average user, and the contributions of all groups beyond the reasons.
    reasons : tuple of Reason
        The groups with the largest effects, largest first.
    """

    horizon_days: int
    churn_probability: float
    risk_band: str | None
    log_odds: float
    base_log_odds: float
    other_contribution: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class ConversionScore:
    """The probability that a potential user converts within one horizon.

    Attributes
    ----------
    horizon_days : int
        The horizon in days.
    probability : float
        The probability of conversion within it, between 0 and 1.
    log_odds, base_log_odds, other_contribution : float
        The log-odds, those of the average potential user, and the contributions of all groups beyond the reasons.
    reasons : tuple of Reason
        The groups with the largest effects, largest first.
    """

    horizon_days: int
    probability: float
    log_odds: float
    base_log_odds: float
    other_contribution: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class ValueReason:
    """What one group of features multiplies a user's expected spend by, by the regression.

    Attributes
    ----------
    group : str
        Such as ``"amount"``.
    factor : float
        1.8 for 80 % more than the average user's.
    contribution : float
        Its natural logarithm.
    feature : str
        The most influential feature of the group.
    value : float or None
        That feature's value, in ``unit``; None where it is unknown.
    unit : str
        Such as ``"days"``.
    explanation : str
        The reason in plain words.
    """

    group: str | None
    factor: float
    contribution: float
    feature: str
    value: float | None
    unit: str
    explanation: str


@dataclass(frozen=True)
class Value:
    """What a user is worth. Amounts are None where the status is ``"unknown"``.

    Attributes
    ----------
    status : str
        ``"estimated"``, ``"no_spend"`` (no order yet: the value of a new customer) or ``"unknown"``.
    expected_spend : float or None
        The spend that is expected within ``horizon_days``.
    low, high : float or None
        The interval that the spend lies in for the share ``interval`` of such users.
    interval : float
        That share, such as 0.8.
    residual_value : float or None
        What is earned with the user from now on: margin times the discounted spend of the months to come.
    value_at_risk : float or None
        The part of it that churn within ``risk_horizon_days`` would cost, times its probability.
    horizon_days, risk_horizon_days : int
        The days of the two horizons.
    p_alive : float or None
        The probability that the user still orders at all, by Pareto/NBD.
    expected_order_days : float or None
        On how many days of the horizon an order is expected.
    tier : str or None
        The tier of value.
    rfm : str or None
        Scores of recency, frequency and monetary value, such as ``"5-4-3"``.
    currency : str or None
        The currency of all amounts, if it was configured.
    reasons : tuple of ValueReason
        The groups of features with the largest effects on the spend, largest first.
    """

    status: str | None
    expected_spend: float | None
    low: float | None
    high: float | None
    interval: float
    residual_value: float | None
    value_at_risk: float | None
    horizon_days: int
    risk_horizon_days: int
    p_alive: float | None
    expected_order_days: float | None
    tier: str | None
    rfm: str | None
    currency: str | None
    reasons: tuple[ValueReason, ...]


@dataclass(frozen=True)
class Score:
    """The score of one user, or why there is none.

    Attributes
    ----------
    status : str
        ``"scored"``, ``"too_new"``, ``"inactive"`` or ``"already_churned"``.
    horizons : tuple of HorizonScore
        One for each horizon, shortest first; empty unless the status is ``"scored"``.
    stage, stage_explanation : str or None
        The lifecycle stage, and why.
    segment : int or None
        The number of the nearest segment.
    segment_name : str or None
        Its name.
    segment_key : str or None
        Its lasting name, such as ``"s07"``.
    recency_days : float or None
        Days since the last activity of a user that is ``"inactive"``.
    as_of : str or None
        The day that the score is for.
    model_version : str
        The model that computed it.
    events_after_as_of : int
        Events of the history that were not used, because they lie on ``as_of`` or later.
    unknown_kinds : tuple of str
        Kinds of the history that the model's log did not have: most often misspellings.
    value : Value or None
        What the user is worth; None without a score, and where the model has no value part.
    conversion : tuple of ConversionScore
        Whether the user converts, by horizon, shortest first; empty for who is no potential user, and where the model has
        no part for them.
    missing_attributes : tuple of str
        Attributes that the model weighs and that were not given: the user was scored as if they were not known.
    """

    status: str | None
    horizons: tuple[HorizonScore, ...]
    stage: str | None
    stage_explanation: str | None
    segment: int | None
    segment_name: str | None
    recency_days: float | None
    as_of: str | None
    model_version: str
    events_after_as_of: int
    unknown_kinds: tuple[str, ...]
    value: Value | None = None
    segment_key: str | None = None
    conversion: tuple[ConversionScore, ...] = ()
    missing_attributes: tuple[str, ...] = ()

    @property
    def churn_probability(self) -> float | None:
        """The churn probability of the shortest horizon; None without a score."""
        return self.horizons[0].churn_probability if self.horizons else None


def score_of(wire: Any) -> Score:
    """A score from its message."""
    segment = wire.segment if wire.HasField("segment") else None
    return Score(
        status=word("ScoreStatus", wire.status),
        horizons=tuple(horizon_of(horizon) for horizon in wire.horizons),
        stage=word("Stage", wire.stage),
        stage_explanation=wire.stage_explanation or None,
        segment=segment.id if segment is not None else None,
        segment_name=segment.name if segment is not None else None,
        recency_days=wire.recency_days if wire.HasField("recency_days") else None,
        as_of=wire.as_of or None,
        model_version=wire.model_version,
        events_after_as_of=wire.events_after_as_of,
        unknown_kinds=tuple(unknown.kind for unknown in wire.unknown_kinds),
        value=value_of(wire.value) if wire.HasField("value") else None,
        segment_key=(segment.key or None) if segment is not None else None,
        conversion=tuple(conversion_of(horizon) for horizon in wire.conversion),
        missing_attributes=tuple(wire.missing_attributes),
    )


def value_of(wire: Any) -> Value:
    """A value from its message."""

    def known(field: str) -> float | None:
        return getattr(wire, field) if wire.HasField(field) else None

    rfm = wire.rfm
    return Value(
        status=word("ValueStatus", wire.status),
        expected_spend=known("expected_spend"),
        low=known("low"),
        high=known("high"),
        interval=wire.interval,
        residual_value=known("residual_value"),
        value_at_risk=known("value_at_risk"),
        horizon_days=wire.horizon_days,
        risk_horizon_days=wire.risk_horizon_days,
        p_alive=known("p_alive"),
        expected_order_days=known("expected_order_days"),
        tier=wire.tier or None,
        rfm=f"{rfm.recency}-{rfm.frequency}-{rfm.monetary}" if wire.HasField("rfm") else None,
        currency=wire.currency or None,
        reasons=tuple(
            ValueReason(
                group=word("FeatureGroup", reason.group),
                factor=reason.factor,
                contribution=reason.contribution,
                feature=reason.feature,
                value=reason.value if reason.HasField("value") else None,
                unit=reason.unit,
                explanation=reason.explanation,
            )
            for reason in wire.reasons
        ),
    )


def horizon_of(wire: Any) -> HorizonScore:
    """A horizon's score from its message."""
    return HorizonScore(
        horizon_days=wire.horizon_days,
        churn_probability=wire.churn_probability,
        risk_band=word("RiskBand", wire.risk_band),
        log_odds=wire.log_odds,
        base_log_odds=wire.base_log_odds,
        other_contribution=wire.other_contribution,
        reasons=tuple(reason_of(reason) for reason in wire.reasons),
    )


def conversion_of(wire: Any) -> ConversionScore:
    """The conversion of one horizon from its message."""
    return ConversionScore(
        horizon_days=wire.horizon_days,
        probability=wire.probability,
        log_odds=wire.log_odds,
        base_log_odds=wire.base_log_odds,
        other_contribution=wire.other_contribution,
        reasons=tuple(reason_of(reason) for reason in wire.reasons),
    )


def reason_of(wire: Any) -> Reason:
    """A reason from its message."""
    return Reason(
        group=word("FeatureGroup", wire.group),
        contribution=wire.contribution,
        feature=wire.feature,
        value=wire.value if wire.HasField("value") else None,
        unit=wire.unit,
        explanation=wire.explanation,
    )


def subject(
    user_id: Any = None,
    history: Iterable[Event] | None = None,
    features: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """The message of a subject, from exactly one of the first three."""
    given = [
        name
        for name, value in (("user_id", user_id), ("history", history), ("features", features))
        if value is not None
    ]
    if len(given) != 1:
        raise UsageError(f"give exactly one of user_id, history and features, not {' and '.join(given) or 'none'}")
    wire = message("Subject")()
    if user_id is not None:
        wire.user_id = id_text(user_id)
    elif history is not None:
        # Set also where there are no events: a user without activity has a status.
        wire.history.SetInParent()
        for event in history:
            add_event(wire.history, event)
    else:
        assert features is not None, "one of the three is given"
        wire.features.SetInParent()
        for name, value in features.items():
            if value is not None and not pd.isna(value):
                wire.features.values[str(name)] = float(value)
    for name, value in (attributes or {}).items():
        if value is None or pd.isna(value):
            continue
        if isinstance(value, str):
            wire.attributes.add(name=name, category=value)
        else:
            wire.attributes.add(name=name, number=float(value))
    return wire


def add_event(history: Any, event: Event) -> None:
    """Add an event to a history."""
    if isinstance(event.time, datetime.datetime):
        if event.time.tzinfo is None:
            raise UsageError(
                f"the time {event.time} of an event has no time zone: give one, or the day alone as a datetime.date"
            )
        if event.count != 1:
            raise UsageError("`count` is for days: several events have several times")
        one = history.events.add(kind=event.kind, amount=event.amount)
        one.time.FromDatetime(event.time.astimezone(datetime.UTC))
    else:
        history.days.add(day=event.time.isoformat(), kind=event.kind, count=event.count, amount=event.amount)


def subjects(users: Any) -> tuple[list[Any], Iterator[Any]]:
    """The ids and the messages of many subjects.

    ``users`` is a sequence of ids, a mapping from ids to histories, or a frame of features, whose ids are its column
    ``user_id`` or else its index.
    """
    if isinstance(users, pd.DataFrame):
        if "user_id" in users.columns:
            users = users.set_index("user_id")
        numbers = users.select_dtypes("number")
        rows = numbers.to_dict("records")
        return list(users.index), (subject(features={str(name): value for name, value in row.items()}) for row in rows)
    if isinstance(users, Mapping):
        return list(users), (subject(history=history) for history in users.values())
    if isinstance(users, str):
        raise UsageError(f"{users!r} is one id: give a list of ids, or call score")
    ids = list(users)
    return ids, (subject(user_id=user) for user in ids)


def rows_of(user: Any, result: Any, reasons: int) -> Iterator[dict[str, Any]]:
    """The rows of one result of a batch: one for each horizon, or one that says why there is no score."""
    if result.WhichOneof("result") == "error":
        error = result.error
        yield {"user_id": user, "status": "error", "error_reason": error.reason, "error": error.message}
        return
    yield from rows_of_score(user, score_of(result.score), reasons)


def rows_of_score(user: Any, score: Score, reasons: int) -> Iterator[dict[str, Any]]:
    """The rows of one score."""
    common = {
        "user_id": user,
        "status": score.status,
        "as_of": score.as_of,
        "stage": score.stage,
        "segment": score.segment,
        "segment_name": score.segment_name,
        "segment_key": score.segment_key,
    }
    if score.value is not None:
        common |= value_row(score.value)
    if not score.horizons:
        yield common
    for horizon in score.horizons:
        row = common | {
            "horizon_days": horizon.horizon_days,
            "churn_probability": horizon.churn_probability,
            "risk_band": horizon.risk_band,
        }
        for number, reason in enumerate(horizon.reasons[:reasons], start=1):
            row[f"reason_{number}"] = f"{reason.explanation} ({reason.contribution:+.2f})"
            row[f"reason_{number}_theme"] = reason.group
            row[f"reason_{number}_feature"] = reason.feature
            row[f"reason_{number}_value"] = reason.value
            row[f"reason_{number}_contribution"] = reason.contribution
        yield row


#: The columns of value with their types; empty for users without a score, and of a model without a value part.
VALUE_COLUMNS = {
    "value_expected_spend": "float64",
    "value_low": "float64",
    "value_high": "float64",
    "value_residual": "float64",
    "value_at_risk": "float64",
    "value_tier": "str",
    "rfm": "str",
    "value_status": "str",
}


def value_row(value: Value) -> dict[str, Any]:
    """The columns of a value."""
    return {
        "value_expected_spend": value.expected_spend,
        "value_low": value.low,
        "value_high": value.high,
        "value_residual": value.residual_value,
        "value_at_risk": value.value_at_risk,
        "value_tier": value.tier,
        "rfm": value.rfm,
        "value_status": value.status,
    }


def batch_columns(reasons: int) -> dict[str, str]:
    """The columns of a batch's result with their types: the same for every model, whatever its answers."""
    columns = {
        "user_id": "object",
        "status": "str",
        "as_of": "str",
        "horizon_days": "Int64",
        "churn_probability": "float64",
        "risk_band": "str",
        "stage": "str",
        "segment": "Int64",
        "segment_name": "str",
        "segment_key": "str",
    }
    columns |= VALUE_COLUMNS
    for number in range(1, reasons + 1):
        columns[f"reason_{number}"] = "str"
        columns |= {f"reason_{number}_{part}": "str" for part in ("theme", "feature")}
        columns |= {f"reason_{number}_{part}": "float64" for part in ("value", "contribution")}
    return columns | {"error_reason": "str", "error": "str"}


def frame_of(rows: list[dict[str, Any]], reasons: int) -> pd.DataFrame:
    """Rows as a frame, with all columns also where there are no rows."""
    types = batch_columns(reasons)
    known = {name: kind for name, kind in types.items() if kind != "object"}
    table = pd.DataFrame(rows, columns=list(types)).astype(known)
    table["user_id"] = table["user_id"].infer_objects()
    return table
