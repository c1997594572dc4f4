"""Every kind of error as Python's grpcio sees it on the wire: code, reason and details.

errors.py HOST:PORT GUARDED_HOST:PORT KEYS PID prints one "ok" or "FAILED" line for each check. The first server needs no
key and has a roll-up. The second one needs API keys (KEYS holds lines of a permission and a key), has one thread, a queue
of one and folders of models; PID is its process, which gets SIGTERM at the end.
"""

import math
import os
import queue
import signal
import subprocess
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from checks import Checks
from churn.v1 import model_service_pb2 as models, model_service_pb2_grpc, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2

Code = grpc.StatusCode
KINDS = [error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo,
         error_details_pb2.ResourceInfo]
check = Checks("errors")


def details(error):
    """The details of an error by their type's name."""
    status = rpc_status.from_call(error)
    found = {}
    for packed in status.details if status else []:
        for kind in KINDS:
            if packed.Is(kind.DESCRIPTOR):
                found[kind.DESCRIPTOR.name] = kind()
                packed.Unpack(found[kind.DESCRIPTOR.name])
    return found


def fails(name, call, code, reason, field=None, resource=None, retry=False):
    """The call must fail with this code and reason, and with the details that go with them."""
    try:
        call()
    except grpc.RpcError as error:
        found = details(error)
        info = found.get("ErrorInfo")
        holds = error.code() == code and info is not None and (info.reason, info.domain) == (reason, "churn.v1")
        holds &= ("RetryInfo" in found) == retry and ("BadRequest" in found) == (field is not None)
        holds &= ("ResourceInfo" in found) == (resource is not None)
        if field is not None and "BadRequest" in found:
            holds &= found["BadRequest"].field_violations[0].field == field
        if resource is not None and "ResourceInfo" in found:
            holds &= (found["ResourceInfo"].resource_type, found["ResourceInfo"].resource_name) == resource
        if retry and "RetryInfo" in found:
            holds &= found["RetryInfo"].retry_delay.ToMilliseconds() > 0
        check(f"{name}: {error.code().name} {info.reason if info else 'without a reason'}, {error.details()[:90]}", holds)
        return
    check(f"{name}: no error", False)


def day(count):
    return subject_pb2.DayActivity(day="2025-05-01", kind="purchase", count=count)


def open_server(address):
    channel = grpc.insecure_channel(address)
    stub = scoring_service_pb2_grpc.ScoringServiceStub(channel)
    service = model_service_pb2_grpc.ModelServiceStub(channel)
    model = service.GetModel(models.GetModelRequest()).model
    score_request = lambda **form: scoring.ScoreUserRequest(subject=subject_pb2.Subject(**form), as_of=model.as_of)
    history = lambda *days: score_request(history=subject_pb2.History(days=days))
    named = lambda **values: score_request(features=subject_pb2.NamedFeatures(values=values))
    invalid = (Code.INVALID_ARGUMENT, "FIELD_INVALID")
    fails("a bad field", lambda: stub.ScoreUser(history(day(1), day(0))), *invalid,
          field="subject.history.days[1].count")
    fails("a bad field of a batch's own", lambda: stub.BatchScoreUsers(scoring.BatchScoreUsersRequest(as_of="soon")),
          *invalid, field="as_of")
    answer = stub.BatchScoreUsers(scoring.BatchScoreUsersRequest(
        subjects=[history(day(1)).subject, history(day(1), day(0)).subject], as_of=model.as_of))
    error = answer.results[1].error
    check(f"a bad subject of a batch fails alone: {error.field}", answer.results[0].HasField("score")
          and (error.field, error.reason, error.code) == ("subjects[1].history.days[1].count", "FIELD_INVALID", 3))
    fails("NaN", lambda: stub.ScoreUser(named(tenure_days=math.nan)), *invalid,
          field="subject.features.values[tenure_days]")
    fails("an unknown enum number", lambda: service.GetModel(models.GetModelRequest(view=77)), *invalid, field="view")
    fails("an unknown user", lambda: stub.ScoreUser(score_request(user_id="nobody at all")), Code.NOT_FOUND, "USER_UNKNOWN",
          resource=("user", "nobody at all"))
    fails("an unknown model", lambda: service.GetModel(models.GetModelRequest(model="nothing")), Code.NOT_FOUND,
          "MODEL_UNKNOWN", resource=("model", "nothing"))
    fails("a batch too large", lambda: stub.BatchScoreUsers(scoring.BatchScoreUsersRequest(
        subjects=[named(tenure_days=1.0).subject] * 1001)), Code.INVALID_ARGUMENT, "BATCH_TOO_LARGE", field="subjects")
    fails("a message too large", lambda: stub.ScoreUser(score_request(user_id="x" * (5 << 20))), Code.RESOURCE_EXHAUSTED,
          "MESSAGE_TOO_LARGE")
    fails("bytes that are no message", lambda: channel.unary_unary(
        "/churn.v1.ScoringService/ScoreUser", lambda raw: raw, lambda raw: raw)(b"\xff" * 9),
          Code.INVALID_ARGUMENT, "MESSAGE_MALFORMED")
    fails("an unknown method", lambda: channel.unary_unary(
        "/churn.v1.ScoringService/Nothing", lambda raw: raw, lambda raw: raw)(b""), Code.UNIMPLEMENTED, "METHOD_UNKNOWN")
    fails("features of another model", lambda: stub.ScoreUser(scoring.ScoreUserRequest(
        subject=subject_pb2.Subject(packed_features=subject_pb2.PackedFeatures(values=[1.0])), feature_hash="beef")),
          Code.FAILED_PRECONDITION, "FEATURE_HASH_MISMATCH")
    fails("no folder of models", lambda: service.LoadModel(models.LoadModelRequest(name="next")),
          Code.FAILED_PRECONDITION, "MODEL_LOADING_DISABLED")
    # grpcio ends a call by itself when its deadline passes; curl waits for the server's answer. The answer may come before
    # the body is sent, with the reset that RFC 9113 allows in section 8.1; curl 7 then loses the answer and ends with 92.
    frame = scoring.ScoreUserRequest().SerializeToString()
    for _ in range(20):
        curl = subprocess.run(
            ["curl", "-s", "--http2-prior-knowledge", "-D", "-", "-o", "/dev/null", "-H", "content-type: application/grpc",
             "-H", "te: trailers", "-H", "grpc-timeout: 1n", "--data-binary", "@-",
             f"http://{address}/churn.v1.ScoringService/ScoreUser"],
            input=b"\0" + len(frame).to_bytes(4, "big") + frame, capture_output=True, check=False)
        if curl.returncode != 92:
            break
    headers = curl.stdout.decode()
    check("a deadline that has passed: DEADLINE_EXCEEDED by curl", "grpc-status: 4" in headers
          and "grpc-status-details-bin" in headers)


def guarded_server(address, keys, pid):
    channel = grpc.insecure_channel(address)
    stub = scoring_service_pb2_grpc.ScoringServiceStub(channel)
    service = model_service_pb2_grpc.ModelServiceStub(channel)
    key = lambda permission: [("authorization", f"Bearer {keys[permission]}")]
    request = scoring.ScoreUserRequest(subject=subject_pb2.Subject(features=subject_pb2.NamedFeatures(values={
        "recency_days": 3.0, "tenure_days": 100.0, "active_days": 3.0, "active_days_30d": 1.0})))
    fails("no key", lambda: stub.ScoreUser(request), Code.UNAUTHENTICATED, "UNAUTHENTICATED")
    fails("a wrong key", lambda: stub.ScoreUser(request, metadata=[("authorization", "Bearer ebb_" + "0" * 64)]),
          Code.UNAUTHENTICATED, "UNAUTHENTICATED")
    fails("a key that does not allow it", lambda: service.LoadModel(models.LoadModelRequest(name="next"),
                                                                   metadata=key("score")),
          Code.PERMISSION_DENIED, "NOT_PERMITTED")
    fails("a user id and no roll-up", lambda: stub.ScoreUser(scoring.ScoreUserRequest(
        subject=subject_pb2.Subject(user_id="U1")), metadata=key("score")), Code.FAILED_PRECONDITION, "NO_ROLLUP")
    fails("a damaged bundle", lambda: service.LoadModel(models.LoadModelRequest(name="damaged"), metadata=key("manage")),
          Code.FAILED_PRECONDITION, "MODEL_REFUSED", resource=("model", "damaged"))
    activate = lambda name, etag="": service.ActivateModel(models.ActivateModelRequest(
        label=models.MODEL_LABEL_STABLE, name=name, etag=etag), metadata=key("manage"))
    fails("a model in the wrong state", lambda: activate("damaged"), Code.FAILED_PRECONDITION, "MODEL_STATE",
          resource=("model", "damaged"))
    etag = service.ListModels(models.ListModelsRequest(), metadata=key("read")).etag
    service.LoadModel(models.LoadModelRequest(name="next"), metadata=key("manage"))
    fails("an etag out of date", lambda: activate("next", etag), Code.ABORTED, "ETAG_MISMATCH")
    activate("next")
    check("a model is swapped", stub.ScoreUser(request, metadata=key("score")).score.HasField("segment"))

    heavy = scoring.BatchScoreUsersRequest(subjects=[request.subject] * 1000)
    calls = [stub.BatchScoreUsers.future(heavy, metadata=key("score")) for _ in range(24)]
    outcomes = [call.exception() for call in calls]
    rejected = [error for error in outcomes if error is not None]
    check(f"of 24 heavy calls at once {24 - len(rejected)} are answered", 0 < len(rejected) < 24)

    def raise_first():
        raise rejected[0]
    fails("a full queue", raise_first, Code.RESOURCE_EXHAUSTED, "OVERLOADED", retry=True)

    batches = queue.Queue()
    answers = stub.StreamScoreUsers(iter(batches.get, None), metadata=key("score"))
    batches.put(scoring.StreamScoreUsersRequest(
        sequence=1, batch=scoring.BatchScoreUsersRequest(subjects=[request.subject])))
    check("a stream answers", next(answers).sequence == 1)
    os.kill(pid, signal.SIGTERM)
    fails("draining", lambda: next(answers), Code.UNAVAILABLE, "DRAINING", retry=True)
    batches.put(None)


def main():
    open_address, guarded_address, key_file, pid = sys.argv[1:5]
    keys = dict(line.split() for line in open(key_file, encoding="ascii"))
    open_server(open_address)
    guarded_server(guarded_address, keys, int(pid))
    return check.exit_code()


if __name__ == "__main__":
    sys.exit(main())
