"""Bars of progress from the lines that ``ebb-train --progress json`` writes."""

from __future__ import annotations

import json
from typing import Any


class Bars:
    """One bar for each phase, by tqdm; nothing where tqdm is not installed.

    Parameters
    ----------
    shown : bool
        Whether bars are drawn.
    """

    def __init__(self, *, shown: bool) -> None:
        self._make = bar_of_tqdm() if shown else None
        self._phase: str | None = None
        self._bar: Any = None

    def take(self, line: str) -> bool:
        """Show a line of progress; whether it is one."""
        if not line.startswith("{"):
            return False
        try:
            step = json.loads(line)
        except ValueError:
            return False
        if not isinstance(step, dict) or "phase" not in step:
            return False
        if self._make is not None:
            self._show(step)
        return True

    def _show(self, step: dict[str, Any]) -> None:
        assert self._make is not None
        if step["phase"] != self._phase:
            self.close()
            self._phase = step["phase"]
            unit = step.get("unit") or "steps"
            self._bar = self._make(
                desc=self._phase,
                total=step.get("total"),
                unit="B" if unit == "bytes" else f" {unit}",
                unit_scale=True,
                # Hidden where nobody watches: tqdm's own rule for standard error that is no terminal.
                disable=None,
            )
        if self._bar.total != step.get("total"):
            self._bar.total = step.get("total")
        self._bar.update(step.get("done", 0) - self._bar.n)

    def close(self) -> None:
        """End the bar of the last phase."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def bar_of_tqdm() -> Any:
    """The bar that fits where this runs, a notebook's or a terminal's; None without tqdm."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
