"""Settings: from arguments, or from a configuration file."""

from __future__ import annotations

import numbers
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ._errors import UsageError
from ._events import Columns, Mapped

#: What a log without kinds holds, in the words of reasons: "last event 12 days ago".
ONLY_KIND = "event"

#: Without another choice, users count as active for so many times the longest horizon.
ACTIVE_HORIZONS = 3


@dataclass(frozen=True)
class Settings:
    """A configuration, and the columns of a frame that it reads.

    Attributes
    ----------
    values : dict
        The sections of ``ebb.toml``.
    columns : Columns
        The columns of a frame.
    """

    values: dict[str, Any]
    columns: Columns

    @classmethod
    def of_file(cls, path: Path) -> Settings:
        """The settings of a configuration file."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from error
        events = values.get("events", {})
        # What else may be wrong with the file is found by the program, which names the key.
        return cls(values, Columns.of_settings(events if isinstance(events, dict) else {}))

    def with_events(self, **changes: Any) -> Settings:
        """The same with other keys of ``[events]``, without those that are None."""
        events = {**self.values.get("events", {}), **changes}
        events = {key: value for key, value in events.items() if value is not None}
        return Settings({**self.values, "events": events}, self.columns)

    @property
    def paths(self) -> list[str]:
        """The files that the configuration names."""
        # One is like a list of one, as for the program.
        return listed(self.values.get("events", {}).get("paths", []))

    def write(self, path: Path) -> None:
        """Write a configuration file."""
        path.write_text(tomli_w.dumps(self.values), encoding="utf-8")


@dataclass(frozen=True)
class EventArguments:
    """The arguments of :func:`ebb.fit` that say what the columns mean."""

    user: Mapped | None
    time: Mapped | None
    kind: Mapped | None
    amount: Mapped | None
    time_format: str | None
    timezone: str | None


@dataclass(frozen=True)
class ChurnArguments:
    """The arguments of :func:`ebb.fit` that say what churn is."""

    activity: str | Sequence[str] | None
    horizon_days: int | Sequence[int] | None
    active_within_days: int | None
    lead_days: int | None
    churn_event: str | None


def settings_of(events: EventArguments, churn: ChurnArguments, sections: Mapping[str, Any]) -> Settings:
    """The settings of a log described by arguments.

    Raises
    ------
    UsageError
        If one is missing that nothing can be assumed for.
    """
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            raise UsageError(
                f"there is no argument `{name}`; settings are sections of ebb.toml, such as model={{'l2': 130.0}} or "
                "events={'on_bad_row': 'fail'}"
            )
    mapped, columns = mappings(events)
    values = {name: dict(section) for name, section in sections.items()}
    formats = {"time_format": events.time_format, "timezone": events.timezone}
    own = {**mapped, **{key: value for key, value in formats.items() if value is not None}}
    values["events"] = {**values.get("events", {}), **own}
    values["churn"] = {**values.get("churn", {}), **churn_section(churn, kind=events.kind is not None)}
    return Settings(values, columns)


def mappings(events: EventArguments) -> tuple[dict[str, Any], Columns]:
    """The keys of ``[events]`` that are mapped, and the columns that they read."""
    given = {"user": events.user, "time": events.time, "kind": events.kind, "amount": events.amount}
    for key in ("user", "time"):
        if given[key] is None:
            raise UsageError(f"which column holds the {key}? Give {key}='...', or a configuration as config='ebb.toml'")
    mapped: dict[str, Any] = {}
    names: dict[str, str] = {}
    functions = {}
    whole = False
    for key, value in given.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            mapped[key] = dict(value)
            whole = True
            continue
        if callable(value):
            functions[key] = value
            value = key
        # pandas also has columns whose names are numbers.
        mapped[key] = names[key] = str(value)
    return mapped, Columns(names=names, whole=whole, functions=functions)


def churn_section(churn: ChurnArguments, *, kind: bool) -> dict[str, Any]:
    """The section ``[churn]``."""
    if churn.horizon_days is None:
        raise UsageError("how soon do you want to know? Give horizon_days=60, or several as horizon_days=[30, 60]")
    horizons = [int(days) for days in listed(churn.horizon_days)]
    if not horizons:
        raise UsageError("horizon_days must hold at least one number of days")
    activity = churn.activity
    if activity is None:
        if kind:
            raise UsageError("which kinds of events mean that a user is still there? Give activity=['purchase']")
        activity = ONLY_KIND
    within = churn.active_within_days
    section = {
        "activity": listed(activity),
        "horizon_days": horizons,
        "active_within_days": ACTIVE_HORIZONS * max(horizons) if within is None else within,
    }
    optional = {"lead_days": churn.lead_days, "churn_event": churn.churn_event}
    return section | {key: value for key, value in optional.items() if value is not None}


def listed(values: Any) -> list[Any]:
    """One value or several as a list; a number may be one of numpy."""
    return [values] if isinstance(values, (str, numbers.Integral)) else list(values)
