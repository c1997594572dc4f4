"""Models: fit, look at, score, save and load."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from ._days import Day, day
from ._errors import UsageError
from ._evaluation import Evaluation, interval
from ._events import IdType
from ._explanation import Explanation
from ._frames import read_result
from ._ids import id_text
from ._page import framed
from ._settings import Settings, listed
from ._work import Work, flags


class Model:
    """A fitted model: a bundle, and the settings that it was fitted with.

    Made by :func:`ebb.fit` and :func:`ebb.load`. In a notebook it shows its report.
    """

    def __init__(
        self, bundle: Path, settings: Settings, config: Path | None, *, work: Work | None, ids: IdType
    ) -> None:
        self._bundle = bundle
        self._settings = settings
        self._config = config
        self._work = work
        self._ids = ids

    @property
    def path(self) -> Path:
        """The folder of the bundle. One that was not saved is removed with the model."""
        return self._bundle

    @property
    def settings(self) -> dict[str, Any]:
        """The sections of ``ebb.toml`` that the model was fitted with."""
        values: dict[str, Any] = json.loads(json.dumps(self._settings.values, default=str))
        return values

    @property
    def card(self) -> dict[str, Any]:
        """The model card: the label, the data, and how good the model is; ``docs/model-card.md`` has its keys."""
        card: dict[str, Any] = json.loads((self._bundle / "card.json").read_text(encoding="utf-8"))
        return card

    @property
    def version(self) -> str:
        """What identifies the model: 12 digits of the hash of its bundle."""
        version: str = self.card["model_version"]
        return version

    @property
    def report(self) -> str:
        """The report, one page of HTML that needs no network."""
        return (self._bundle / "report.html").read_text(encoding="utf-8")

    def __repr__(self) -> str:
        card = self.card
        lines = [f"<ebb.Model {card['model_version']}, {card['users']:,} users until {card['last_day']}"]
        lines += [horizon_line(horizon) for horizon in card["horizons"]]
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        return framed(self.report, f"Report of the model {self.version}")

    def score(
        self,
        data: Any = None,
        *,
        as_of: Day | None = None,
        allow_stale: bool = False,
        allow_missing_kinds: bool = False,
        allow_empty: bool = False,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Score every user of a log.

        Parameters
        ----------
        data : path, sequence of paths or frame, optional
            The events, in the columns that the model was fitted with; by default those that it was fitted on.
        as_of : str or date, optional
            Score as known at the start of this day; by default the day after the last one that the log covers.
        allow_stale : bool
            Score also more than three days beyond what the log covers, where all users look silent.
        allow_missing_kinds : bool
            Score also if the log has no event of a kind that the model uses.
        allow_empty : bool
            Succeed also if no user has a score.
        progress : bool
            Whether progress is shown, where tqdm is installed.

        Returns
        -------
        pandas.DataFrame
            One row for each user and horizon: ``user_id``, ``as_of``, ``horizon_days``, ``churn_probability``,
            ``risk_band``, ``stage``, ``segment``, ``segment_name``, ``segment_key`` and the
            reasons; of a model with a value part also ``value_expected_spend``, ``value_low``, ``value_high``, ``value_residual``, ``value_at_risk``,
            ``value_tier``, ``rfm`` and ``value_status``. ``attrs["skipped"]`` counts users without a score by the
            reason; :meth:`skipped` names them.
        """
        scores, _ = self._score(
            data,
            progress,
            as_of=day(as_of),
            allow_stale=allow_stale,
            allow_missing_kinds=allow_missing_kinds,
            allow_empty=allow_empty,
        )
        return scores

    def skipped(self, data: Any = None, *, as_of: Day | None = None, progress: bool = True) -> pd.DataFrame:
        """Name the users that :meth:`score` has no row for.

        Parameters
        ----------
        data, as_of, progress
            As for :meth:`score`.

        Returns
        -------
        pandas.DataFrame
            ``user_id`` and ``reason``, such as ``inactive`` or ``no_activity``.
        """
        _, skipped = self._score(
            data, progress, as_of=day(as_of), allow_stale=True, allow_missing_kinds=True, allow_empty=True
        )
        return skipped

    def _score(self, data: Any, progress: bool, **given: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        with self._log(data) as log, tempfile.TemporaryDirectory(prefix="scores-", dir=log.folder) as folder:
            out = Path(folder) / "scores.parquet"
            result = log.run("score", *flags(**given, out=out), model=self._bundle, progress=progress)
            scores = read_result(out, log.ids)
            skipped = pd.read_csv(out.with_suffix(".skipped.csv"), dtype=str, keep_default_na=False)
            skipped["user_id"] = log.ids.restore(skipped["user_id"])
        scores.attrs["skipped"] = result["summary"]["skipped"]
        return scores, skipped

    def explain(
        self,
        user: str | int,
        data: Any = None,
        *,
        as_of: Day | None = None,
        horizon_days: int | None = None,
        suppose: str | Sequence[str] = (),
        allow_stale: bool = False,
        allow_missing_kinds: bool = False,
        progress: bool = True,
    ) -> Explanation:
        """Explain the score of one user.

        Parameters
        ----------
        user : str or int
            The user's id.
        data, as_of, allow_stale, allow_missing_kinds, progress
            As for :meth:`score`.
        horizon_days : int, optional
            Explain this horizon of the model only.
        suppose : str or sequence of str
            Events to suppose, such as ``"purchase today"`` or ``"2 purchase 3 days ago 49.90"``: what would the score
            be then?

        Returns
        -------
        Explanation
            Sentences, and frames: ``scores``, ``reasons``, ``contributions`` and ``timeline``.

        Raises
        ------
        DataError, UsageError
            If there is no such user, naming similar ids, or a supposed event cannot be read.
        """
        words = flags(
            user=id_text(user),
            as_of=day(as_of),
            horizon=horizon_days,
            if_=listed(suppose),
            allow_stale=allow_stale,
            allow_missing_kinds=allow_missing_kinds,
        )
        data, page = self._with_page("explain", data, words, progress)
        return Explanation(data, page)

    def top(
        self,
        data: Any = None,
        *,
        by: str = "risk",
        limit: int = 20,
        horizon_days: int | None = None,
        segment: str | int | Sequence[str | int] = (),
        stage: str | Sequence[str] = (),
        band: str | Sequence[str] = (),
        tier: str | Sequence[str] = (),
        as_of: Day | None = None,
        allow_stale: bool = False,
        allow_missing_kinds: bool = False,
        progress: bool = True,
    ) -> pd.DataFrame:
        """List the users to call first.

        Parameters
        ----------
        data, as_of, allow_stale, allow_missing_kinds, progress
            As for :meth:`score`.
        by : str
            ``"risk"``, the churn probability, or ``"loss"``: the value at risk, or of a model without a value part the
            probability times what the user spends.
        limit : int
            Users that are listed at most.
        horizon_days : int, optional
            The horizon of probabilities, bands and losses; by default the model's shortest.
        segment, stage, band, tier : str, int or sequence of them
            Only users of these segments, by number, key or name, of these lifecycle stages, of these risk bands, and of these
            tiers of value.

        Returns
        -------
        pandas.DataFrame
            One row for each user, first the one at the greatest risk or loss, with the columns of :meth:`score` and
            ``rank``. ``attrs["matching"]`` is how many users there are without the limit.
        """
        with self._log(data) as log, tempfile.TemporaryDirectory(prefix="top-", dir=log.folder) as folder:
            out = Path(folder) / "top.parquet"
            words = flags(
                by=by,
                limit=limit,
                horizon=horizon_days,
                segment=listed(segment),
                stage=listed(stage),
                band=listed(band),
                tier=listed(tier),
                as_of=day(as_of),
                allow_stale=allow_stale,
                allow_missing_kinds=allow_missing_kinds,
                out=out,
            )
            result = log.run("top", *words, model=self._bundle, progress=progress)
            table = read_result(out, log.ids)
        table.attrs["matching"] = result["matching"]
        return table

    def evaluate(
        self,
        data: Any = None,
        *,
        as_of: Day | None = None,
        allow_seen: bool = False,
        allow_missing_kinds: bool = False,
        progress: bool = True,
    ) -> Evaluation:
        """Judge the model on a later day, with labels that it has not seen.

        Parameters
        ----------
        data, allow_missing_kinds, progress
            As for :meth:`score`. The log must go on beyond the horizons.
        as_of : str or date, optional
            Judge users as known at the start of this day; by default the newest day whose labels are complete.
        allow_seen : bool
            Judge also at a day before the end of the model's fit; the result says so.

        Returns
        -------
        Evaluation
            The metrics with intervals beside what the card promised, and frames of baselines and slices.

        Raises
        ------
        DataError
            If the log has no labels after the end of the model's fit.
        """
        words = flags(as_of=day(as_of), allow_seen=allow_seen, allow_missing_kinds=allow_missing_kinds)
        data, page = self._with_page("evaluate", data, words, progress)
        return Evaluation(data, page)

    def _with_page(self, command: str, data: Any, words: list[str], progress: bool) -> tuple[dict[str, Any], str]:
        """The result of a command, and the page that it writes."""
        with self._log(data) as log, tempfile.TemporaryDirectory(prefix="page-", dir=log.folder) as folder:
            out = Path(folder) / "page.html"
            result = log.run(command, *words, *flags(out=out), model=self._bundle, progress=progress)
            return result, out.read_text(encoding="utf-8")

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Save the model for :func:`ebb.load`, ``ebb-train`` and ``ebb-serve``.

        The bundle becomes the folder ``path``, and the settings the file ``path.toml`` beside it. A function that was
        given for ``kind`` or ``amount`` is not saved: data for the loaded model needs a column of that name.

        Parameters
        ----------
        path : path
            The folder to write.
        overwrite : bool
            Whether a bundle that is there is replaced. Anything else is never replaced.

        Raises
        ------
        FileExistsError
            If something is there already.
        """
        target = Path(os.path.abspath(path))
        if target.exists():
            if not (overwrite and (target / "bundle.json").is_file()):
                hint = "overwrite=True replaces it" if (target / "bundle.json").is_file() else "it holds no bundle"
                raise FileExistsError(f"{target} exists already: {hint}")
            if target.samefile(self._bundle):
                return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as staged:
            new = Path(staged) / "new"
            shutil.copytree(self._bundle, new)
            if target.exists():
                os.rename(target, Path(staged) / "old")
            os.rename(new, target)
        self._portable_settings().write(settings_file(target))

    def _portable_settings(self) -> Settings:
        """The settings, with paths that hold from any folder."""
        if self._config is None or not self._settings.paths:
            return self._settings
        folder = self._config.parent
        return self._settings.with_events(paths=[os.path.join(folder, path) for path in self._settings.paths])

    def _log(self, data: Any) -> AbstractContextManager[Work]:
        """The log of one call, closed after it unless it is the model's own."""
        if data is None and self._work is not None:
            return nullcontext(self._work)
        if not self._settings.values:
            file = settings_file(self._bundle)
            raise UsageError(f"what do the columns of a log mean? {file} is not there: load with config='ebb.toml'")
        return closing(Work(data, self._settings, self._config, self._ids))


def horizon_line(horizon: dict[str, Any]) -> str:
    """The figures of one horizon in a line."""
    days, evaluation = horizon["horizon_days"], horizon["evaluation"]
    if evaluation is None:
        return f"  {days} days: not evaluated, {horizon['untested']}"
    model, verdict = evaluation["model"], evaluation["verdict"]["strength"]
    return (
        f"  {days} days: log loss {interval(model['log_loss'])}, AUC {interval(model['auc'])} on {evaluation['users']:,} "
        f"users at {evaluation['test']}, churn {100 * evaluation['churn_rate']:.1f} %; {verdict.replace('_', ' ')}"
    )


def settings_file(bundle: Path) -> Path:
    """The file of the settings beside a bundle's folder."""
    return bundle.with_name(f"{bundle.name}.toml")
