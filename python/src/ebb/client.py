"""A client of ebb-serve.

>>> import ebb
>>> with ebb.Client("127.0.0.1:50051") as client:
...     client.score("U000053").churn_probability
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

import pandas as pd

from ._channel import RpcError, Tls, channel
from ._days import Day, day
from ._errors import UsageError
from ._scores import (
    ConversionScore,
    Event,
    HorizonScore,
    Reason,
    Score,
    Value,
    ValueReason,
    frame_of,
    rows_of,
    rows_of_score,
    score_of,
    subject,
    subjects,
)
from ._server_error import ServerError, server_error
from ._wire import message, number, word

__all__ = [
    "Client",
    "ConversionScore",
    "Event",
    "HorizonScore",
    "ModelStatus",
    "Reason",
    "Score",
    "ServerError",
    "Tls",
    "Value",
    "ValueReason",
]

#: The longest duration of a call with all its attempts, in seconds.
TIMEOUT_SECONDS = 5.0

#: Subjects of one call of :meth:`Client.score_batch`. The first answers come soon, and no message is large.
BATCH_SIZE = 500


#: The figures of an indicator.
KPI_FIGURES = ["value", "numerator", "denominator", "low", "high"]

#: The columns of :meth:`Client.kpis`.
KPI_COLUMNS = ["kpi", "period", "from", "until", "slice", *KPI_FIGURES, "complete", "problem"]


def kpi_row(kpi: Any) -> dict[str, Any]:
    """An indicator as a row; a figure that the server left out is None."""
    row = {name: getattr(kpi, name) for name in KPI_COLUMNS}
    missing = {name: None for name in KPI_FIGURES if not kpi.HasField(name)}
    return row | missing | {"problem": kpi.problem or None}


@dataclass(frozen=True)
class ModelStatus:
    """A model of a server.

    Attributes
    ----------
    name : str
        Its name, that of its folder.
    state : str
        ``"loading"``, ``"active"``, ``"unloading"`` or ``"failed"``.
    version : str or None
        What identifies it; None where it could not be loaded.
    labels : tuple of str
        ``"stable"``, ``"canary"`` or ``"shadow"``.
    reason : str or None
        Why it cannot be used.
    """

    name: str
    state: str | None
    version: str | None
    labels: tuple[str, ...]
    reason: str | None


class Client:
    """A connection to ebb-serve, for any number of threads.

    Every call has a deadline. Calls that the server could not take (UNAVAILABLE, RESOURCE_EXHAUSTED) are tried again by
    gRPC, at most three times, when the server says so, and less when many fail.

    Parameters
    ----------
    address : str
        ``HOST:PORT``.
    key : str, optional
        The API key. Over an unencrypted connection it is sent to this machine alone.
    tls : bool, path or Tls, optional
        True encrypts with the usual authorities; a path names a file of authorities; :class:`ebb.client.Tls` also has
        the client's own certificate. Without it nothing is encrypted.
    model : str, optional
        The model that scores: ``"canary"``, or the name of a loaded model; by default the one labelled stable.
    timeout : float
        The longest duration of a call in seconds, with all its attempts.

    Examples
    --------
    >>> with ebb.Client("ebb.example:50051", tls="ca.crt", key=key) as client:
    ...     client.score_batch(["U000053", "U000007"])
    """

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        tls: bool | str | os.PathLike[str] | Tls | None = None,
        model: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        if timeout <= 0:
            raise UsageError("timeout must be above 0: it is the longest duration of a call in seconds")
        self._channel = channel(address, key, tls)
        self._model = model
        self._timeout = timeout
        self._score_user = self._method("ScoringService", "ScoreUser")
        self._batch_score_users = self._method("ScoringService", "BatchScoreUsers")
        self._list_users = self._method("ScoringService", "ListUsers")
        self._list_models = self._method("ModelService", "ListModels")
        self._get_kpis = self._method("InsightService", "GetKpis")

    def _method(self, service: str, name: str) -> Any:
        return self._channel.unary_unary(
            f"/churn.v1.{service}/{name}",
            request_serializer=message(f"{name}Request").SerializeToString,
            response_deserializer=message(f"{name}Response").FromString,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in progress fail."""
        self._channel.close()

    def score(
        self,
        user_id: str | int | None = None,
        *,
        history: Iterable[Event] | None = None,
        features: Mapping[str, float | None] | None = None,
        attributes: Mapping[str, str | float | None] | None = None,
        as_of: Day | None = None,
        reasons: int = 3,
        horizon_days: Sequence[int] = (),
        model: str | None = None,
        timeout: float | None = None,
    ) -> Score:
        """Score one user, given by exactly one of ``user_id``, ``history`` and ``features``.

        Parameters
        ----------
        user_id : str or int
            A user of the server's roll-up.
        history : iterable of Event
            What the user did, back to the first event.
        features : mapping of str to float
            The user's features by name; one that is left out, None or NaN is unknown.
        attributes : mapping of str to str or float
            What is known of the user beside events, by name, with ``user_id`` or ``history``: categories as text, numbers;
            one that is left out, None or NaN is unknown.
        as_of : str or date, optional
            The day that the score is for. Required with a history.
        reasons : int
            How many reasons each horizon has.
        horizon_days : sequence of int
            The horizons to return; all of the model's when empty.
        model : str, optional
            The model that scores, instead of the client's.
        timeout : float, optional
            The longest duration of the call in seconds, instead of the client's.

        Returns
        -------
        Score
            The score. A user without activity, or who left long ago, has a status instead of a probability.

        Raises
        ------
        ServerError
            If the call fails, such as with the reason ``"USER_UNKNOWN"``.
        """
        request = message("ScoreUserRequest")(
            subject=subject(user_id, history, features, attributes),
            **self._options(as_of, reasons, horizon_days, model),
        )
        return score_of(self._call(self._score_user, request, timeout).score)

    def score_batch(
        self,
        users: Iterable[str | int] | Mapping[str | int, Iterable[Event]] | pd.DataFrame,
        *,
        as_of: Day | None = None,
        reasons: int = 3,
        horizon_days: Sequence[int] = (),
        model: str | None = None,
        timeout: float | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> pd.DataFrame:
        """Score many users, in several calls where they are many.

        Parameters
        ----------
        users : iterable of ids, mapping of ids to histories, or pandas.DataFrame
            Users of the server's roll-up, histories by user, or a frame of features with the ids in its column
            ``user_id`` or else in its index.
        as_of, reasons, horizon_days, model
            As for :meth:`score`.
        timeout : float, optional
            The longest duration of each call in seconds.
        batch_size : int
            Users in one call, at most the server's ``limits.max_batch_size``.

        Returns
        -------
        pandas.DataFrame
            One row for each user and horizon, in the order given; one row for a user without a score, whose ``status``
            says why, and for one that is not legal, with the status ``"error"``, ``error_reason`` and ``error``.

        Raises
        ------
        ServerError
            If a call as a whole fails.
        """
        if batch_size < 1:
            raise UsageError("batch_size must be at least 1")
        ids, wires = subjects(users)
        options = self._options(as_of, reasons, horizon_days, model)
        rows: list[dict[str, Any]] = []
        waiting = iter(ids)
        while batch := list(islice(wires, batch_size)):
            request = message("BatchScoreUsersRequest")(subjects=batch, **options)
            answer = self._call(self._batch_score_users, request, timeout)
            for user, result in zip(islice(waiting, len(batch)), answer.results, strict=True):
                rows.extend(rows_of(user, result, reasons))
        return frame_of(rows, reasons)

    def list_users(
        self,
        *,
        limit: int | None = 100,
        order: str = "risk",
        horizon_days: int | None = None,
        risk_bands: Sequence[str] = (),
        stages: Sequence[str] = (),
        segments: Sequence[int | str] = (),
        value_tiers: Sequence[str] = (),
        reasons: int = 3,
        model: str | None = None,
        page_size: int = BATCH_SIZE,
    ) -> pd.DataFrame:
        """List the users of the server's roll-up that have a score.

        Parameters
        ----------
        limit : int, optional
            Users that are listed at most; None for all.
        order : str
            ``"risk"``, by falling churn probability, ``"value_at_risk"``, or ``"user_id"``.
        horizon_days : int, optional
            The horizon that decides the order and the risk band; by default the model's shortest.
        risk_bands, stages, segments, value_tiers : sequence
            Only users of these risk bands, of these lifecycle stages, of these segments by number or key, and of these tiers of
            value by name.
        reasons, model
            As for :meth:`score`.
        page_size : int
            Users in one call, at most 1,000.

        Returns
        -------
        pandas.DataFrame
            One row for each user and horizon, as from :meth:`score_batch`. ``attrs["total"]`` is how many users there
            are without the limit.

        Raises
        ------
        ServerError
            If a call fails, such as with the reason ``"NO_ROLLUP"``.
        """
        options = {
            "order": number("UserOrder", order),
            "horizon_days": horizon_days or 0,
            "risk_bands": [number("RiskBand", band) for band in risk_bands],
            "stages": [number("Stage", stage) for stage in stages],
            "segment_ids": [segment for segment in segments if not isinstance(segment, str)],
            "segment_keys": [segment for segment in segments if isinstance(segment, str)],
            "value_tiers": list(value_tiers),
            "reason_count": reasons,
            "model": model or self._model or "",
        }
        rows: list[dict[str, Any]] = []
        listed, total, token = 0, 0, ""
        while limit is None or listed < limit:
            size = page_size if limit is None else min(page_size, limit - listed)
            request = message("ListUsersRequest")(page_size=size, page_token=token, **options)
            page = self._call(self._list_users, request, None)
            for user in page.users:
                rows.extend(rows_of_score(user.user_id, score_of(user.score), reasons))
            listed, total, token = listed + len(page.users), page.total_size, page.next_page_token
            if not token:
                break
        table = frame_of(rows, reasons)
        table.attrs["total"] = total
        return table

    def kpis(
        self,
        *,
        period: str = "month",
        by: Sequence[str] = (),
        since: Day | None = None,
        until: Day | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Compute the key performance indicators of the users of the server's roll-up.

        Parameters
        ----------
        period : str
            How long periods are: ``"week"``, ``"month"`` or ``"quarter"``.
        by : sequence of str
            What users are grouped by beside everybody: ``"stage"``, ``"tier"``, ``"segment"``, ``"cohort"``.
        since, until : date, optional
            A day of the first period, and the day after a day of the last one; by default all days of the roll-up.
        model : str, optional
            The model whose definitions, tiers and segments count, as for :meth:`score`.
        timeout : float, optional
            The longest duration of the call in seconds; by default that of the client.

        Returns
        -------
        pandas.DataFrame
            One row for each period, indicator and slice. A figure is missing where ``problem`` says why.
            ``attrs["withheld"]`` is how many count too few users to be shown, ``attrs["bad_answers"]`` how many days have
            an answer outside of 0 to 10, and ``attrs["model_version"]`` the model.

        Raises
        ------
        ServerError
            If the call fails, such as with the reason ``"NO_ROLLUP"``.
        """
        if isinstance(by, str):
            raise UsageError("by is a list of groupings, such as by=['stage']")
        days = {"from": since, "to": until}
        request = message("GetKpisRequest")(
            period=number("KpiPeriod", period),
            by=[number("KpiGrouping", grouping) for grouping in by],
            model=model or self._model or "",
            **{name: day(value) for name, value in days.items() if value is not None},
        )
        answer = self._call(self._get_kpis, request, timeout)
        table = pd.DataFrame([kpi_row(kpi) for kpi in answer.kpis], columns=KPI_COLUMNS)
        figures = {name: "float64" for name in KPI_FIGURES} | {"complete": "bool"}
        table = table.astype(figures)
        for name in ("from", "until"):
            table[name] = pd.to_datetime(table[name])
        table.attrs.update(withheld=answer.withheld, bad_answers=answer.bad_answers, model_version=answer.model_version)
        return table

    def list_models(self) -> list[ModelStatus]:
        """List the server's models, in order of their names.

        Returns
        -------
        list of ModelStatus
            All models that are loaded, are loading or could not be loaded.
        """
        models: list[ModelStatus] = []
        for page in self._pages():
            models.extend(model_status(model) for model in page.models)
        return models

    def _pages(self) -> Iterator[Any]:
        token = ""
        while True:
            page = self._call(self._list_models, message("ListModelsRequest")(page_size=100, page_token=token), None)
            yield page
            token = page.next_page_token
            if not token:
                return

    def _options(
        self, as_of: Day | None, reasons: int, horizon_days: Sequence[int], model: str | None
    ) -> dict[str, Any]:
        return {
            "as_of": day(as_of) or "",
            "reason_count": reasons,
            "horizon_days": list(horizon_days),
            "model": model or self._model or "",
        }

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        try:
            return method(request, timeout=self._timeout if timeout is None else timeout)
        except RpcError as error:
            raise server_error(error) from error


def model_status(wire: Any) -> ModelStatus:
    """A model from its message."""
    return ModelStatus(
        name=wire.name,
        state=word("ModelState", wire.state),
        version=wire.version or None,
        labels=tuple(filter(None, (word("ModelLabel", label) for label in wire.labels))),
        reason=wire.reason or None,
    )
