"""Days that callers give, as the command line takes them."""

from __future__ import annotations

import datetime
from typing import Any

from ._errors import UsageError

#: A day: ``"2025-06-24"``, a date, or a timestamp of pandas at midnight.
Day = str | datetime.date


def day(value: Day | None) -> str | None:
    """A day as ``YYYY-MM-DD``.

    Raises
    ------
    UsageError
        If it is a time of the day: an as-of day begins at midnight, and nothing of it is used.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime.datetime):
        if value.time() != datetime.time():
            raise UsageError(f"{value} is a time within a day: give the day itself, such as '{value:%Y-%m-%d}'")
        return f"{value:%Y-%m-%d}"
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise UsageError(f"{value!r} is no day: give one such as '2025-06-24' or datetime.date(2025, 6, 24)")


def days(values: Any) -> list[str]:
    """One day or several."""
    if isinstance(values, (str, datetime.date)):
        values = [values]
    return [text for text in map(day, values) if text is not None]
