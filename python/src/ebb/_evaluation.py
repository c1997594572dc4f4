"""A model judged on a later day."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ._page import framed


class Evaluation:
    """How good a model is on a later day, made by :meth:`ebb.Model.evaluate`. In a notebook it shows its page.

    Attributes
    ----------
    data : dict
        All that ``ebb-train evaluate --json`` prints.
    page : str
        The same as one page of HTML that needs no network.
    """

    def __init__(self, data: dict[str, Any], page: str) -> None:
        self.data = data
        self.page = page

    @property
    def as_of(self) -> str:
        """The day at whose start the users were judged."""
        day: str = self.data["as_of"]
        return day

    @property
    def out_of_time(self) -> bool:
        """Whether the model was fitted without the labels that it is judged by."""
        is_out: bool = self.data["out_of_time"]
        return is_out

    @property
    def metrics(self) -> pd.DataFrame:
        """Each metric with its 95 % interval, beside what the card promised, for each horizon."""
        rows = []
        for horizon in self.data["horizons"]:
            for promise in horizon["promises"]:
                row = {"horizon_days": horizon["horizon_days"], "metric": promise["metric"]}
                for name in ("found", "promised", "difference"):
                    row |= figure(name, promise[name])
                rows.append({**row, "standing": promise["standing"]})
        return pd.DataFrame(rows)

    @property
    def baselines(self) -> pd.DataFrame:
        """By how much the model is better than each simple prediction of the same users: paired 95 % intervals."""
        rows = []
        for horizon in self._tested():
            for baseline in horizon["evaluation"]["baselines"]:
                row = {"horizon_days": horizon["horizon_days"], "baseline": baseline["name"]}
                row |= figure("log_loss_difference", baseline["log_loss_difference"])
                rows.append(row | figure("auc_difference", baseline["auc_difference"]))
        return pd.DataFrame(rows)

    @property
    def slices(self) -> pd.DataFrame:
        """The figures of parts of the users: by stage, segment and tenure."""
        rows = []
        for horizon in self._tested():
            for part in horizon["evaluation"]["slices"]:
                row = {"horizon_days": horizon["horizon_days"]}
                row |= {name: value for name, value in part.items() if not isinstance(value, dict)}
                for name, value in (part.get("metrics") or {}).items():
                    row |= figure(name, value)
                rows.append(row)
        return pd.DataFrame(rows)

    def _tested(self) -> list[dict[str, Any]]:
        return [horizon for horizon in self.data["horizons"] if horizon["evaluation"] is not None]

    def __repr__(self) -> str:
        model = self.data["model"]
        how = "" if self.out_of_time else ", which the model has seen"
        lines = [f"<ebb.Evaluation of {model['version']} on {self.as_of}{how}"]
        for horizon in self.data["horizons"]:
            evaluation, days = horizon["evaluation"], horizon["horizon_days"]
            if evaluation is None:
                lines.append(f"  {days} days: not evaluated, {horizon['untested']}")
                continue
            loss, auc = evaluation["model"]["log_loss"], evaluation["model"]["auc"]
            lines.append(
                f"  {days} days: log loss {interval(loss)}, AUC {interval(auc)} on {evaluation['users']:,} users; "
                f"{horizon['standing']} against the card"
            )
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        return framed(self.page, f"Evaluation on {self.as_of}")


def figure(name: str, value: dict[str, float] | None) -> dict[str, float | None]:
    """A figure and the ends of its interval as columns."""
    value = value or {}
    return {name: value.get("value"), f"{name}_low": value.get("low"), f"{name}_high": value.get("high")}


def interval(value: dict[str, float] | None) -> str:
    """A figure with its 95 % interval."""
    if value is None:
        return "unknown"
    return f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"
