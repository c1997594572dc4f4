"""The sample log of a simulated shop, a model of it, and a server."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import ebb
from ebb._process import binary

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "datasets" / "shop"

#: What datasets/shop/ebb.toml says, as arguments.
ARGUMENTS = {
    "user": "user_id",
    "time": "time",
    "kind": "kind",
    "amount": "amount",
    "activity": "purchase",
    "horizon_days": 30,
    "active_within_days": 90,
    "time_format": "%Y-%m-%d %H:%M:%S",
    "timezone": "Europe/London",
    "value": {"kinds": ["purchase", "return"], "margin": 0.35, "horizon_days": 180, "currency": "GBP"},
}


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of ebb-train, as typed."""
    return subprocess.run([binary("ebb-train"), *map(str, words)], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def serving(*words: str | Path) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    process = subprocess.Popen(
        [binary("ebb-serve"), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None, "it is a pipe"
    try:
        address = process.stdout.readline().strip().removeprefix("listening on ")
        assert process.stdout.readline().startswith("ready"), "the server has loaded the model"
        yield address
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="session")
def shop() -> pd.DataFrame:
    """The events of the shop, every column as it is written."""
    return pd.read_csv(SHOP / "events.csv.gz")


@pytest.fixture(scope="session")
def model(shop: pd.DataFrame) -> ebb.Model:
    """A model of the shop, from a frame."""
    return ebb.fit(shop, **ARGUMENTS, progress=False)


@pytest.fixture(scope="session")
def small() -> pd.DataFrame:
    """A log of 60 users that is quickly read, with typed columns: a purchase every few days, until some stop."""
    rows = []
    for user in range(1, 61):
        every = 3 + user % 5
        until = 400 if user % 3 else 150 + 4 * user
        rows += [(user, day, 10.0 + (7 * user + day) % 13) for day in range(user % 7, until, every)]
    frame = pd.DataFrame(rows, columns=["customer", "day", "paid"])
    frame["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["day"] * 24 + 23, unit="h")
    return frame.drop(columns="day")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the sample model that knows the shop's users."""
    rollup = tmp_path_factory.mktemp("serve") / "rollup"
    command("rollup", "--quiet", "--config", SHOP / "ebb.toml", "--out", rollup)
    with serving("--model", ROOT / "models" / "shop", "--rollup", rollup, "--listen", "127.0.0.1:0") as address:
        yield address


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of the public logs."""
    folder = os.environ.get("EBB_REAL_DATA")
    if not folder:
        pytest.skip("EBB_REAL_DATA names no folder with the public logs")
    return Path(folder)
