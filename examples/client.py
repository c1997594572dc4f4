"""A client for production: deadlines, keep-alive, encryption, an API key, and retries that gRPC makes itself.

    pip install grpcio grpcio-tools grpcio-status
    python -m grpc_tools.protoc -I proto --python_out=stubs --grpc_python_out=stubs proto/churn/v1/*.proto

    ebb-serve --model models/shop --rollup rollup/
    PYTHONPATH=stubs python examples/client.py 127.0.0.1:50051 --user U000053
    PYTHONPATH=stubs python examples/client.py ebb.example:50051 --ca ca.crt --key-file shop.key
"""

import argparse
import datetime
import json
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from churn.v1 import model_service_pb2, model_service_pb2_grpc, score_pb2, subject_pb2
from churn.v1 import scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc

# The longest duration of a call with all its attempts. The server receives it and gives up at the same time.
DEADLINE_SECONDS = 5.0
STREAM_SECONDS = 60.0

# gRPC retries calls by itself: at most four attempts, after 0.1, 0.2 and 0.4 seconds, each with a random jitter. When many
# calls fail it stops retrying until more succeed. A stream is not retried once an answer has come.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "churn.v1.ScoringService"}, {"service": "churn.v1.ModelService", "method": "GetModel"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
    # Calls are distributed over all addresses of the server's name.
    "loadBalancingConfig": [{"round_robin": {}}],
}

OPTIONS = [
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # Pings a silent server, so that a dead connection is found before a call needs it.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def connect(arguments):
    if not arguments.ca:
        if arguments.key_file:
            raise SystemExit("an API key must not be sent unencrypted: --key-file needs --ca")
        return grpc.insecure_channel(arguments.server, OPTIONS)
    own = None, None
    if arguments.certificate:
        own = arguments.certificate_key.read_bytes(), arguments.certificate.read_bytes()
    credentials = grpc.ssl_channel_credentials(arguments.ca.read_bytes(), *own)
    if arguments.key_file:
        # Sends `authorization: Bearer KEY` with every call, over encrypted connections only.
        key = grpc.access_token_call_credentials(arguments.key_file.read_text().strip())
        credentials = grpc.composite_channel_credentials(credentials, key)
    options = OPTIONS + ([("grpc.ssl_target_name_override", arguments.server_name)] if arguments.server_name else [])
    return grpc.secure_channel(arguments.server, credentials, options)


def weekly(kind, as_of, age):
    """Ten events, a week apart, the last so many days before the day."""
    last = datetime.date.fromisoformat(as_of) - datetime.timedelta(days=1 + age)
    days = [last - datetime.timedelta(weeks=week) for week in range(10)]
    days = [subject_pb2.DayActivity(day=day.isoformat(), kind=kind, count=1, amount=12.5) for day in days]
    return subject_pb2.Subject(history=subject_pb2.History(days=days))


def summary(score):
    """A score in one line."""
    if score.status != score_pb2.SCORE_STATUS_SCORED:
        return score_pb2.ScoreStatus.Name(score.status)
    first = score.horizons[0]
    band = score_pb2.RiskBand.Name(first.risk_band)
    return f"{percent(first.churn_probability)} in {first.horizon_days} days, {band}"


def percent(probability):
    """A probability in words: never certain, never impossible."""
    if probability > 0.99:
        return "more than 99 %"
    return "less than 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def details(error):
    """The details of an error beside its code and message; docs/errors.md lists them all."""
    parts = [error.code().name]
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            parts.append(f"reason {info.reason}")
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            parts.append(f"fields {[violation.field for violation in bad.field_violations]}")
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            parts.append(f"try again in {retry.retry_delay.ToMilliseconds()} ms")
    return ", ".join(parts)


def batch(stub, kind, as_of):
    """Three users at once: one has no activity yet, which is a status; one is not legal and fails alone."""
    no_activity = subject_pb2.Subject(history=subject_pb2.History())
    subjects = [weekly(kind, as_of, 3), no_activity, weekly("", as_of, 3)]
    answer = stub.BatchScoreUsers(
        scoring.BatchScoreUsersRequest(subjects=subjects, as_of=as_of), timeout=DEADLINE_SECONDS
    )
    for position, result in enumerate(answer.results):
        if result.HasField("score"):
            print(f"batch {position}: {summary(result.score)}")
        else:
            print(f"batch {position}: {result.error.reason}: {result.error.message}")


def stream(stub, kind, as_of):
    """Batch after batch on one call, for many users. A busy server reads the next batch later and rejects none."""

    def batches():
        for sequence in range(1, 4):
            subjects = [weekly(kind, as_of, 2 * age) for age in range(20)]
            yield scoring.StreamScoreUsersRequest(
                sequence=sequence, batch=scoring.BatchScoreUsersRequest(subjects=subjects, as_of=as_of)
            )

    for answer in stub.StreamScoreUsers(batches(), timeout=STREAM_SECONDS):
        if answer.HasField("batch"):
            print(f"stream {answer.sequence}: {len(answer.batch.results)} answers")
        else:
            print(f"stream {answer.sequence}: {answer.error.message}")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", help="HOST:PORT")
    parser.add_argument("--user", help="a user of the server's roll-up")
    parser.add_argument("--ca", type=Path, help="the authorities of the server's certificate, as PEM")
    parser.add_argument("--server-name", help="the name in the server's certificate, if it is not the host")
    parser.add_argument("--certificate", type=Path, help="the client's certificate, for a server that needs one")
    parser.add_argument("--certificate-key", type=Path, help="its key")
    parser.add_argument("--key-file", type=Path, help="a file with the API key that `ebb-serve --new-key` printed")
    arguments = parser.parse_args()
    if bool(arguments.certificate) != bool(arguments.certificate_key):
        parser.error("--certificate and --certificate-key go together")
    return arguments


def main():
    arguments = parse()
    with connect(arguments) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        view = model_service_pb2.GetModelRequest(view=model_service_pb2.MODEL_VIEW_BASIC)
        model = models.GetModel(view, timeout=DEADLINE_SECONDS).model
        kind, as_of = model.activity_kinds[0], model.as_of
        print(f"model {model.version}: horizons of {list(model.horizon_days)} days")

        stub = scoring_service_pb2_grpc.ScoringServiceStub(channel)
        if arguments.user:
            request = scoring.ScoreUserRequest(subject=subject_pb2.Subject(user_id=arguments.user))
            print(f"{arguments.user}: {summary(stub.ScoreUser(request, timeout=DEADLINE_SECONDS).score)}")
        request = scoring.ScoreUserRequest(subject=weekly(kind, as_of, 40), as_of=as_of)
        print(f"a history: {summary(stub.ScoreUser(request, timeout=DEADLINE_SECONDS).score)}")
        batch(stub, kind, as_of)
        stream(stub, kind, as_of)
        try:
            stub.ScoreUser(scoring.ScoreUserRequest(), timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            print(f"an error: {details(error)}")


if __name__ == "__main__":
    main()
