"""What can go wrong, by how ``ebb-train`` ended."""

from __future__ import annotations

from typing import Any


class EbbError(Exception):
    """Anything that Ebb cannot do.

    Attributes
    ----------
    message : str
        The problem, as ``ebb-train`` prints it. A flag in it, such as ``--allow-stale``, is an argument of the same
        name here: ``allow_stale=True``.
    exit_code : int or None
        The exit code of ``ebb-train``, negative for a signal; None for an error that was found before it ran.
    """

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class UsageError(EbbError, ValueError):
    """An argument, a setting or a configuration is wrong (exit code 64)."""


class DataError(EbbError):
    """The work failed, nearly always by what the log holds (exit code 1)."""


class VerdictError(EbbError):
    """A model was evaluated and is not good enough (exit code 2).

    Attributes
    ----------
    result : dict
        What the command printed: for a fit, ``card`` and ``horizons_below_baseline``.
    """

    def __init__(self, message: str, *, exit_code: int | None = None, result: dict[str, Any] | None = None) -> None:
        super().__init__(message, exit_code=exit_code)
        self.result = result or {}


class EbbWarning(UserWarning):
    """Something that may make a result wrong, such as users that look silent because their events are missing."""
