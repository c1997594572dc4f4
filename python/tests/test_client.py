"""The client against a real server."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, SHOP, command, serving

import ebb
from ebb._process import binary

grpc = pytest.importorskip("grpc")

from ebb.client import Event, Tls  # noqa: E402

VERSION = ebb.load(ROOT / "models" / "shop").version


@pytest.fixture(scope="module")
def client(server: str) -> ebb.Client:
    with ebb.Client(server) as client:
        yield client


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The scores of the command line."""
    out = tmp_path_factory.mktemp("scores") / "scores.parquet"
    command("score", "--model", ROOT / "models/shop", "--config", SHOP / "ebb.toml", "--out", out)
    return pd.read_parquet(out)


def test_a_known_user_has_the_score_of_the_file(client: ebb.Client, file: pd.DataFrame) -> None:
    row = file.set_index("user_id").loc["U000053"]
    score = client.score("U000053")
    assert score.status == "scored"
    (horizon,) = score.horizons
    assert (horizon.churn_probability, horizon.risk_band) == (row["churn_probability"], row["risk_band"])
    assert (score.stage, score.segment, score.segment_name) == (row["stage"], row["segment"], row["segment_name"])
    assert score.segment_key == row["segment_key"] and score.segment_key.startswith("s")
    total = horizon.base_log_odds + sum(reason.contribution for reason in horizon.reasons) + horizon.other_contribution
    assert total == pytest.approx(horizon.log_odds, rel=1e-12)
    assert score.model_version == VERSION


def test_a_batch_is_the_file(client: ebb.Client, file: pd.DataFrame) -> None:
    users = list(file["user_id"])
    table = client.score_batch(users, batch_size=400)
    shared = [name for name in file.columns if name in table.columns and name != "as_of"]
    assert {"reason_1", "segment_name", "churn_probability"} <= set(shared)
    for name in shared:
        assert list(table[name].astype(object)) == list(file[name].astype(object)), name
    assert set(table["as_of"]) == {"2025-06-24"}


def test_no_user_of_a_batch_is_lost(client: ebb.Client) -> None:
    table = client.score_batch(["U000001", "nobody", "U000053"])
    assert list(table["user_id"]) == ["U000001", "nobody", "U000053"]
    assert list(table["status"]) == ["inactive", "error", "scored"]
    assert table.loc[1, "error_reason"] == "USER_UNKNOWN"
    assert table["churn_probability"].isna().tolist() == [True, True, False]
    assert len(client.score_batch([])) == 0
    assert list(client.score_batch([]).columns) == list(table.columns)


def test_a_history_scores_like_the_user(client: ebb.Client, shop: pd.DataFrame) -> None:
    own = shop[(shop["user_id"] == "U000053")].drop_duplicates()
    times = pd.to_datetime(own["time"], errors="coerce").dt.tz_localize("Europe/London")
    amounts = own["amount"].fillna(0.0)
    events = [
        Event(kind, time.to_pydatetime(), amount)
        for kind, time, amount in zip(own["kind"], times, amounts, strict=True)
        if not pd.isna(time)
    ]
    known = client.score("U000053")
    sent = client.score(history=events, as_of="2025-06-24")
    assert sent.stage == known.stage
    assert sent.churn_probability == pytest.approx(known.churn_probability, rel=1e-9)
    table = client.score_batch({"U000053": events, "new": []}, as_of=datetime.date(2025, 6, 24))
    assert list(table["status"]) == ["scored", "too_new"]


def test_days_are_events_already_counted(client: ebb.Client) -> None:
    days = [Event("purchase", datetime.date(2025, 1, 1) + datetime.timedelta(days=9 * n), 20.0, 2) for n in range(15)]
    score = client.score(history=days, as_of="2025-06-24", reasons=1)
    assert len(score.horizons[0].reasons) == 1
    assert client.score(history=days, as_of="2025-04-20").events_after_as_of > 0
    with pytest.raises(ebb.UsageError, match="no time zone"):
        client.score(history=[Event("purchase", datetime.datetime(2025, 1, 1, 8))], as_of="2025-06-24")


def test_features_score_like_the_user(client: ebb.Client, file: pd.DataFrame) -> None:
    table = ebb.features(config=SHOP / "ebb.toml", as_of="2025-06-24", progress=False)
    # Churn does not weigh orders, and not every model has features of them.
    orders = [name for name in table.columns if "order_" in name]
    assert len(orders) == 5
    table = table[table["user_id"].isin(file["user_id"].head(50))].drop(columns=["as_of", *orders])
    scores = client.score_batch(table).set_index("user_id")["churn_probability"]
    expected = file.set_index("user_id")["churn_probability"].head(50)
    assert (scores - expected).abs().max() < 1e-12
    one = table.iloc[0].drop("user_id").to_dict()
    assert client.score(features=one).churn_probability == pytest.approx(scores.iloc[0], rel=1e-12)


def test_errors_have_code_reason_and_field(client: ebb.Client) -> None:
    with pytest.raises(ebb.ServerError) as unknown:
        client.score("nobody")
    assert (unknown.value.code, unknown.value.reason) == ("NOT_FOUND", "USER_UNKNOWN")
    assert unknown.value.request_id
    assert "nobody" in str(unknown.value)
    with pytest.raises(ebb.ServerError) as misspelt:
        client.score(features={"recency_day": 4}, as_of="2025-06-24")
    assert misspelt.value.code == "INVALID_ARGUMENT"
    assert list(misspelt.value.fields) == ["subject.features.values[recency_day]"]
    with pytest.raises(ebb.ServerError) as late:
        client.score_batch(["U000053"] * 500, timeout=1e-6)
    assert late.value.code == "DEADLINE_EXCEEDED"
    with pytest.raises(ebb.UsageError, match="exactly one"):
        client.score("U000053", features={})
    with pytest.raises(ebb.UsageError, match="one id"):
        client.score_batch("U000053")


def test_attributes_are_sent_and_those_of_no_model_are_refused(client: ebb.Client) -> None:
    score = client.score("U000053", attributes={"plan": None, "age": float("nan")})
    assert (score.status, score.missing_attributes, score.conversion) == ("scored", (), ())
    with pytest.raises(ebb.ServerError, match="subject.attributes.0..name: `plan` is not an attribute of the model"):
        client.score("U000053", attributes={"plan": "pro", "age": 41})


def test_models_are_listed(client: ebb.Client) -> None:
    (status,) = client.list_models()
    assert (status.name, status.state, status.version, status.labels) == ("shop", "active", VERSION, ("stable",))


def test_known_users_are_listed_in_order_of_their_risk(client: ebb.Client, file: pd.DataFrame) -> None:
    expected = file.sort_values(["churn_probability", "user_id"], ascending=[False, True])
    table = client.list_users(limit=250, page_size=100)
    assert list(table["user_id"]) == list(expected["user_id"].head(250))
    assert list(table["churn_probability"]) == list(expected["churn_probability"].head(250))
    high = client.list_users(limit=None, risk_bands=["high"], stages=["churning"], order="user_id")
    chosen = file[(file["risk_band"] == "high") & (file["stage"] == "churning")]
    assert list(high["user_id"]) == sorted(chosen["user_id"])
    with pytest.raises(ebb.UsageError, match="`hihg`.*low, medium, high"):
        client.list_users(risk_bands=["hihg"])


def test_indicators_are_those_of_the_command_line(client: ebb.Client, tmp_path: Path) -> None:
    out = tmp_path / "kpi.parquet"
    options = ("--period", "quarter", "--by", "stage", "--model", ROOT / "models/shop")
    command("kpi", "--config", SHOP / "ebb.toml", *options, "--out", out)
    keys = ["kpi", "period", "slice"]
    expected = pd.read_parquet(out).set_index(keys)
    table = client.kpis(period="quarter", by=["stage"], timeout=60.0)
    assert list(table.columns[:5]) == ["kpi", "period", "from", "until", "slice"]
    assert table.attrs["model_version"] == VERSION
    assert table.attrs["withheld"] == table["problem"].isin(["too_few_users", "hidden_with_another"]).sum()
    found = table.set_index(keys)
    shares = found[found.index.get_level_values("kpi").isin(["retention", "arpu", "mature_review_due"])]
    assert len(shares) > 10
    both = shares.join(expected.add_suffix("_file"), how="inner")
    assert len(both) == len(shares)
    for figure in ["value", "numerator", "denominator"]:
        assert both[figure].to_numpy() == pytest.approx(both[f"{figure}_file"].to_numpy(), rel=1e-9, nan_ok=True)
    # The negative control: other days have other periods.
    later = client.kpis(period="month", since="2025-03-01", timeout=60.0)
    assert set(later["period"]).isdisjoint(found.index.get_level_values("period"))
    assert later["from"].min() == pd.Timestamp("2025-03-01")


def test_what_is_no_grouping_and_no_period_is_refused(client: ebb.Client) -> None:
    with pytest.raises(ebb.UsageError, match="`year`.*week, month, quarter"):
        client.kpis(period="year")
    with pytest.raises(ebb.UsageError, match="`colour`.*stage, tier, segment, cohort"):
        client.kpis(by=["colour"])
    with pytest.raises(ebb.UsageError, match="list of groupings"):
        client.kpis(by="stage")
    with pytest.raises(ebb.ServerError):
        client.kpis(since="1999-01-01", until="1999-02-01")


class Busy(grpc.GenericRpcHandler):
    """A server that is overloaded for the first calls."""

    def __init__(self, refused: int, code: grpc.StatusCode) -> None:
        self.refused, self.code, self.calls = refused, code, 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls += 1
            if self.calls <= self.refused:
                context.abort(self.code, "not now")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_what_can_pass_is_tried_again(code: grpc.StatusCode) -> None:
    for refused, calls in ((2, 3), (9, 4)):
        busy = Busy(refused, code)
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[busy])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with ebb.Client(f"127.0.0.1:{port}") as client:
                if refused < 4:
                    assert client.score("anybody").horizons == ()
                else:
                    with pytest.raises(ebb.ServerError, match="not now"):
                        client.score("anybody")
            assert busy.calls == calls
        finally:
            server.stop(None)


def test_what_cannot_pass_is_not_tried_again() -> None:
    busy = Busy(9, grpc.StatusCode.INVALID_ARGUMENT)
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[busy])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with ebb.Client(f"127.0.0.1:{port}") as client, pytest.raises(ebb.ServerError):
            client.score("anybody")
        assert busy.calls == 1
    finally:
        server.stop(None)


def test_a_server_that_is_not_there_is_an_error_of_the_server() -> None:
    with ebb.Client("127.0.0.1:1", timeout=2.0) as client, pytest.raises(ebb.ServerError) as caught:
        client.score("U000053")
    assert caught.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert caught.value.reason is None


def test_a_key_leaves_this_machine_encrypted_only() -> None:
    with pytest.raises(ebb.UsageError, match="unencrypted"):
        ebb.Client("ebb.example:50051", key="secret")
    for local in ("127.0.0.1:50051", "[::1]:50051", "localhost:50051", "unix:/run/ebb.sock"):
        ebb.Client(local, key="secret").close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """A server with encryption and keys: its address, a key, and its authority."""
    folder = tmp_path_factory.mktemp("guarded")
    made = subprocess.run([binary("ebb-serve"), "--new-key", "test"], check=True, capture_output=True, text=True).stdout
    lines = made.splitlines()
    (folder / "keys").write_text(lines[4] + "\n")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "tls.key", "-out", folder / "tls.crt",
         "-days", "2", "-subj", "/CN=ebb.test", "-addext", "subjectAltName=DNS:ebb.test",
         "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "ebb-serve.toml").write_text(
        f'model = "{ROOT / "models" / "shop"}"\nlisten = "127.0.0.1:0"\napi_keys_file = "keys"\n'
        '[tls]\ncertificate = "tls.crt"\nkey = "tls.key"\n'
    )
    os.chmod(folder / "keys", 0o600)
    os.chmod(folder / "tls.key", 0o600)
    with serving("--config", folder / "ebb-serve.toml") as address:
        yield address, lines[1], folder / "tls.crt"


def test_encryption_and_key(guarded: tuple[str, str, Path]) -> None:
    address, key, ca = guarded
    tls = Tls(ca=ca, server_name="ebb.test")
    with ebb.Client(address, key=key, tls=tls) as client:
        assert client.list_models()[0].state == "active"
    with ebb.Client(address, key="wrong", tls=tls) as client, pytest.raises(ebb.ServerError) as caught:
        client.list_models()
    assert (caught.value.code, caught.value.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
    with ebb.Client(address, key=key, tls=ca, timeout=3) as client, pytest.raises(ebb.ServerError):
        client.list_models()
    with pytest.raises(ebb.UsageError, match="go together"):
        ebb.Client(address, tls=Tls(ca=ca, certificate=ca))


def test_the_client_lives_beside_a_caller_s_own_stubs(tmp_path: Path) -> None:
    """Modules of another version of churn.v1 fill the default pool; the client does not look there."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    (tmp_path / "churn" / "v1").mkdir(parents=True)
    (tmp_path / "churn" / "v1" / "score.proto").write_text(
        'syntax = "proto3";\npackage churn.v1;\nmessage Score { string of_another_version = 1; }\n'
    )
    protoc.main(["protoc", f"-I{tmp_path}", f"--python_out={tmp_path}", "churn/v1/score.proto"])
    script = (
        "from churn.v1 import score_pb2; from ebb._wire import message; import ebb; "
        "assert 'status' in message('Score').DESCRIPTOR.fields_by_name; "
        "assert list(score_pb2.Score.DESCRIPTOR.fields_by_name) == ['of_another_version']; ebb.Client('127.0.0.1:1').close()"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": path})
