"""Fit, score, save and load, compared with what the command line gives."""

from __future__ import annotations

import gc
import json
import os
import stat
import tempfile
import tomllib
from pathlib import Path

import numpy
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ARGUMENTS, ROOT, SHOP, command

import ebb
from ebb._settings import listed


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and the scores of the command line."""
    folder = tmp_path_factory.mktemp("shop")
    config = ["--config", SHOP / "ebb.toml"]
    command("fit", "--quiet", *config, "--out", folder / "model")
    command("score", *config, "--model", folder / "model", "--out", folder / "scores.parquet")
    return folder


def test_a_fit_from_a_frame_is_the_model_of_the_command_line(model: ebb.Model, by_command: Path) -> None:
    assert (model.path / "bundle.json").read_bytes() == (by_command / "model" / "bundle.json").read_bytes()
    expected = json.loads((by_command / "model" / "card.json").read_text())
    assert model.version == expected["model_version"]
    assert model.card["horizons"] == expected["horizons"]


def test_scores_equal_those_of_the_command_line(model: ebb.Model, by_command: Path) -> None:
    expected = pq.read_table(by_command / "scores.parquet").to_pandas(date_as_object=False)
    scores = model.score()
    assert list(scores.columns) == list(expected.columns)
    assert (scores["churn_probability"] == expected["churn_probability"]).all()
    assert (scores["user_id"] == expected["user_id"]).all()
    assert (scores["reason_1"] == expected["reason_1"]).all()
    assert scores["as_of"].dtype.kind == "M"
    assert scores["horizon_days"].dtype == "int64"


def test_skipped_users_are_named_and_counted(model: ebb.Model) -> None:
    scores, skipped = model.score(), model.skipped()
    assert skipped["reason"].value_counts().to_dict() == scores.attrs["skipped"]
    assert set(scores["user_id"]).isdisjoint(skipped["user_id"])
    assert len(scores) + len(skipped) == model.card["users"]


def test_an_earlier_day_is_another_score(model: ebb.Model, shop: pd.DataFrame) -> None:
    earlier = model.score(shop, as_of="2025-03-01")
    assert set(earlier["as_of"]) == {pd.Timestamp("2025-03-01")}
    known = shop[pd.to_datetime(shop["time"], errors="coerce") < "2025-03-01"]
    assert model.score(known, as_of="2025-03-01")["churn_probability"].equals(earlier["churn_probability"])


def test_a_notebook_shows_the_report_in_a_sandbox(model: ebb.Model) -> None:
    shown = model._repr_html_()
    assert shown.startswith('<iframe sandbox="allow-scripts"')
    assert "allow-same-origin" not in shown
    assert "&lt;!doctype html&gt;" in shown.lower()
    assert "<script" not in shown, "the page is text of an attribute"
    assert model.report.count("<script") == 1


def test_the_text_of_a_model_has_its_figures(model: ebb.Model) -> None:
    evaluation = model.card["horizons"][0]["evaluation"]
    assert f"{evaluation['model']['log_loss']['value']:.4f}" in repr(model)
    assert "strong" in repr(model)


def test_a_saved_model_scores_the_same(model: ebb.Model, shop: pd.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "models" / "shop")
    loaded = ebb.load(tmp_path / "models" / "shop")
    assert loaded.version == model.version
    assert loaded.score(shop).equals(model.score())
    # The settings are a configuration of the command line.
    command(
        "score", "--model", loaded.path, "--config", tmp_path / "models/shop.toml", "--events", SHOP / "events.csv.gz",
        "--out", tmp_path / "scores.csv",
    )  # fmt: skip


def test_the_one_path_of_a_configuration_is_saved_as_a_path(tmp_path: Path) -> None:
    config = (SHOP / "ebb.toml").read_text().replace('paths = ["events.csv.gz"]', 'paths = "events.csv.gz"')
    (tmp_path / "ebb.toml").write_text(config)
    ebb.load(ROOT / "models" / "shop", config=tmp_path / "ebb.toml").save(tmp_path / "saved")
    assert ebb.load(tmp_path / "saved").settings["events"]["paths"] == [str(tmp_path / "events.csv.gz")]


def test_save_replaces_a_bundle_only_when_asked_and_nothing_else(model: ebb.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m")
    model.save(tmp_path / "m", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.toml"]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds no bundle"):
        model.save(tmp_path / "own", overwrite=True)
    assert (tmp_path / "own" / "thesis.tex").read_text() == "years of work"


def test_a_saved_model_outlives_the_fitted_one(small: pd.DataFrame, tmp_path: Path) -> None:
    fitted = ebb.fit(small, user="customer", time="at", horizon_days=30, allow_below_baseline=True, progress=False)
    folder = fitted.path
    assert folder.is_dir()
    fitted.save(tmp_path / "m")
    del fitted
    gc.collect()
    assert not folder.exists()
    assert ebb.load(tmp_path / "m").card["users"] == 60


def test_a_configuration_file_is_taken_as_it_is(model: ebb.Model) -> None:
    fitted = ebb.fit(config=SHOP / "ebb.toml", progress=False)
    assert fitted.version == model.version
    assert fitted.score().equals(model.score())


def test_a_frame_replaces_the_files_of_a_configuration(shop: pd.DataFrame, model: ebb.Model) -> None:
    fitted = ebb.fit(shop[["user_id", "time", "kind", "amount"]], config=SHOP / "ebb.toml", progress=False)
    assert fitted.version == model.version


def test_settings_reach_the_program(small: pd.DataFrame) -> None:
    fitted = ebb.fit(
        small, user="customer", time="at", amount="paid", horizon_days=[20, 40], lead_days=2, model={"l2": 77.0},
        segments={"k_min": 2, "k_max": 2}, risk_bands={"high": 0.8}, allow_below_baseline=True, progress=False,
    )  # fmt: skip
    label = fitted.card["label_definition"]
    assert (label["horizon_days"], label["lead_days"], label["active_within_days"]) == ([20, 40], 2, 120)
    assert fitted.card["horizons"][0]["hyperparameters"]["l2"] == 77.0
    assert len(fitted.card["segments"]) == 2
    assert fitted.settings["risk_bands"] == {"high": 0.8}


def test_one_value_is_like_a_list_of_it() -> None:
    for one in (30, numpy.int64(30), "mature"):
        assert listed(one) == [one]
    for several in ([30, 60], (30, 60), numpy.array([30, 60]), pd.Series([30, 60])):
        assert listed(several) == [30, 60]
    assert listed({"mature"}) == ["mature"]
    with pytest.raises(TypeError):
        listed(30.5)


def test_an_unknown_setting_is_named(small: pd.DataFrame) -> None:
    with pytest.raises(ebb.UsageError, match="(?s)the settings: .*unknown field `l3`.*did you mean `l2`") as caught:
        ebb.fit(small, user="customer", time="at", horizon_days=30, model={"l3": 1.0}, progress=False)
    assert caught.value.exit_code == 64
    with pytest.raises(ebb.UsageError, match="no argument `l2`"):
        ebb.fit(small, user="customer", time="at", horizon_days=30, l2=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time": "at", "horizon_days": 30}, "which column holds the user"),
        ({"user": "customer", "horizon_days": 30}, "which column holds the time"),
        ({"user": "customer", "time": "at"}, "how soon"),
        ({"user": "customer", "time": "at", "kind": "paid", "horizon_days": 30}, "which kinds"),
        ({"user": "customer", "time": "at", "horizon_days": []}, "at least one"),
        ({"user": "custommer", "time": "at", "horizon_days": 30}, "did you mean `customer`"),
        ({"config": "x.toml", "user": "customer"}, "both given"),
        ({"config": "/nowhere/x.toml"}, "/nowhere/x.toml: No such file"),
        (
            {"user": "customer", "time": "at", "horizon_days": 30, "as_of": pd.Timestamp("2024-05-01 07:00")},
            "within a day",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said(small: pd.DataFrame, arguments: dict, message: str) -> None:
    with pytest.raises(ebb.UsageError, match=message):
        ebb.fit(small, **arguments, progress=False)


def test_no_events_are_an_error() -> None:
    with pytest.raises(ebb.UsageError, match="which events"):
        ebb.fit(user="u", time="t", horizon_days=30)


def test_a_model_that_is_no_better_than_recency_is_a_verdict() -> None:
    # Everybody comes on any day by the same chance: nothing tells one user from another.
    random = numpy.random.default_rng(3)
    users, days = numpy.nonzero(random.random((400, 500)) < 0.02)
    noise = pd.DataFrame({"u": users, "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")})
    with pytest.raises(ebb.VerdictError, match="recency-only") as caught:
        ebb.fit(noise, user="u", time="t", horizon_days=30, progress=False)
    assert caught.value.exit_code == 2
    assert caught.value.result["horizons_below_baseline"] == [30]
    assert caught.value.result["card"]["users"] == 400


def test_a_log_without_a_model_is_an_error_of_the_data() -> None:
    frame = pd.DataFrame({"u": [1, 2], "t": pd.to_datetime(["2024-01-01", "2024-01-05"])})
    with pytest.raises(ebb.DataError) as caught:
        ebb.fit(frame, user="u", time="t", horizon_days=30, progress=False)
    assert caught.value.exit_code == 1
    assert isinstance(caught.value, ebb.EbbError)


def test_temporary_files_are_private_and_leave_with_errors(
    small: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fitted = ebb.fit(small, user="customer", time="at", horizon_days=30, allow_below_baseline=True, progress=False)
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    fitted.score(small)
    assert list(tmp_path.iterdir()) == [folder], "a call leaves nothing"
    for wrong in ({"model": {"l3": 1.0}}, {"kind": lambda frame: frame["no such column"], "activity": "x"}):
        with pytest.raises((ebb.UsageError, KeyError)):
            ebb.fit(small, user="customer", time="at", horizon_days=30, progress=False, **wrong)
    assert list(tmp_path.iterdir()) == [folder]
    del fitted
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_scores_far_beyond_the_log_need_to_be_asked_for(model: ebb.Model, shop: pd.DataFrame) -> None:
    with pytest.raises(ebb.DataError, match="beyond what the log covers"):
        model.score(as_of="2025-08-01")
    with pytest.warns(ebb.EbbWarning, match="users that came since look silent"):
        stale = model.score(as_of="2025-07-20", allow_stale=True)
    assert set(stale["as_of"]) == {pd.Timestamp("2025-07-20")}


def test_loading_needs_a_bundle_and_scoring_a_configuration(shop: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ebb.UsageError, match="holds no bundle"):
        ebb.load(tmp_path)
    bare = ebb.load(ROOT / "models" / "shop")
    assert bare.card["users"] > 2000
    with pytest.raises(ebb.UsageError, match="config='ebb.toml'"):
        bare.score(shop)
    assert len(ebb.load(ROOT / "models" / "shop", config=SHOP / "ebb.toml").score()) > 1000


def test_features_equal_those_of_the_command_line(shop: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    dates = ["2025-02-01", "2025-03-01"]
    command("features", "--config", SHOP / "ebb.toml", "--as-of", dates[0], "--as-of", dates[1], "--out", out)
    table = ebb.features(shop, as_of=pd.to_datetime(dates), **ARGUMENTS, progress=False)
    expected = pq.read_table(out).to_pandas(date_as_object=False)
    assert list(table.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=0, atol=0)


def test_settings_are_written_as_toml(small: pd.DataFrame, tmp_path: Path) -> None:
    odd = {'a "quoted" \\ column\x7f': "customer", "at": "at"}
    frame = small.rename(columns={new: old for old, new in odd.items()})
    fitted = ebb.fit(
        frame, user='a "quoted" \\ column\x7f', time="at", horizon_days=30, allow_below_baseline=True, progress=False
    )
    fitted.save(tmp_path / "m")
    assert tomllib.loads((tmp_path / "m.toml").read_text())["events"]["user"] == 'a "quoted" \\ column\x7f'
