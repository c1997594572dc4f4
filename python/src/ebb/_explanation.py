"""The explanation of one user's score."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ._page import framed


class Explanation:
    """Why a user has this score, made by :meth:`ebb.Model.explain`. In a notebook it shows its page.

    Attributes
    ----------
    data : dict
        All that ``ebb-train explain --json`` prints.
    page : str
        The same as one page of HTML that needs no network.
    """

    def __init__(self, data: dict[str, Any], page: str) -> None:
        self.data = data
        self.page = page

    @property
    def status(self) -> str:
        """``"scored"``, or why the user has no score."""
        status: str = self.data["status"]
        return status

    @property
    def sentences(self) -> list[str]:
        """The answer in words; with supposed events also what they would change."""
        supposed = self.data.get("what_if") or {}
        return [*self.data["sentences"], *supposed.get("sentences", [])]

    @property
    def reasons(self) -> pd.DataFrame:
        """What each group of features adds to the log-odds, largest effect first, for each horizon.

        With the base log-odds, in ``attrs["base_log_odds"]`` by horizon, the contributions add up to the log-odds.
        """
        return self._contributions("reasons")

    @property
    def contributions(self) -> pd.DataFrame:
        """What each single feature adds to the log-odds, largest effect first, for each horizon."""
        return self._contributions("contributions")

    def _contributions(self, key: str) -> pd.DataFrame:
        rows = [
            {"horizon_days": horizon["horizon_days"], **contribution}
            for horizon in self.data["horizons"]
            for contribution in horizon[key]
        ]
        columns = ["horizon_days", "group", "feature", "value", "unit", "contribution", "description"]
        table = pd.DataFrame(rows, columns=columns)
        table.attrs["base_log_odds"] = {one["horizon_days"]: one["base_log_odds"] for one in self.data["horizons"]}
        return table

    @property
    def scores(self) -> pd.DataFrame:
        """The score for each horizon; with supposed events also the one after them, in columns that end in ``_after``."""
        names = ["horizon_days", "churn_probability", "risk_band", "log_odds", "base_log_odds", "base_rate"]
        table = pd.DataFrame(self.data["horizons"], columns=names)
        supposed = self.data.get("what_if")
        if supposed is not None:
            after = pd.DataFrame(supposed["after"]["horizons"], columns=names[:4])
            table = table.merge(after, on="horizon_days", how="left", suffixes=("", "_after"))
        return table

    @property
    def timeline(self) -> pd.DataFrame:
        """The user's activity in each week, and the score as of its end, computed from what was known by then."""
        rows = []
        for week in self.data["timeline"]:
            row = {name: value for name, value in week.items() if name != "horizons"}
            for horizon in week["horizons"]:
                row[f"churn_probability_{horizon['horizon_days']}d"] = horizon["churn_probability"]
            rows.append(row)
        table = pd.DataFrame(rows)
        for name in table.columns.intersection(["from", "as_of"]):
            table[name] = pd.to_datetime(table[name])
        return table

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return framed(self.page, f"Explanation of the user {self.data['user_id']}")
