"""Calls a running ebb-serve through grpcio with stubs generated from the proto.

client.py HOST:PORT [FILE] prints one "ok" or "FAILED" line for each check, and writes a request as JSON for other
clients.
"""

import datetime
import json
import math
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from checks import Checks
from churn.v1 import model_service_pb2, model_service_pb2_grpc, score_pb2, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2

check = Checks("python")


def history(kind, as_of):
    """Visits every nine days in the 200 days before the day, as days and as the same events."""
    days = [as_of - datetime.timedelta(days=age) for age in range(6, 200, 9)]
    daily = [subject_pb2.DayActivity(day=d.isoformat(), kind=kind, count=1, amount=12.5) for d in days]
    events = []
    for d in days:
        event = subject_pb2.Event(kind=kind, amount=12.5)
        # Noon UTC is the same date in every zone from -12 to +11 hours.
        event.time.FromDatetime(datetime.datetime(d.year, d.month, d.day, 12))
        events.append(event)
    return subject_pb2.History(days=daily), subject_pb2.History(events=events)


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    stub = scoring_service_pb2_grpc.ScoringServiceStub(channel)
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", "churn.v1.ScoringService", "churn.v1.ModelService"]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        check(f"health of {service or 'the server'} is SERVING", answer.status == health_pb2.HealthCheckResponse.SERVING)

    answer = model_service_pb2_grpc.ModelServiceStub(channel).GetModel(model_service_pb2.GetModelRequest())
    model = answer.model
    print(f"model {model.version}: {len(model.features)} features, horizons of {list(model.horizon_days)} days")
    check("the card is JSON", isinstance(json.loads(model.card_json), dict))

    as_of = datetime.date.fromisoformat(model.as_of)
    daily, events = history(model.activity_kinds[0], as_of)
    score_request = lambda **more: scoring.ScoreUserRequest(as_of=as_of.isoformat(), feature_hash=model.feature_hash, **more)
    request = score_request(subject=subject_pb2.Subject(history=daily))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json_format.MessageToJson(request, indent=None))
    score = stub.ScoreUser(request).score
    print(json_format.MessageToJson(score, preserving_proto_field_name=True))
    check("a history is scored", score.status == score_pb2.SCORE_STATUS_SCORED)
    check("events and days give the same bits",
          stub.ScoreUser(score_request(subject=subject_pb2.Subject(history=events))).score == score)
    for h in score.horizons:
        total = h.base_log_odds + sum(r.contribution for r in h.reasons) + h.other_contribution
        check(f"reasons at {h.horizon_days} days add up and give the probability",
              math.isclose(total, h.log_odds, abs_tol=1e-9)
              and math.isclose(1 / (1 + math.exp(-h.log_odds)), h.churn_probability, abs_tol=1e-12))

    values = {f.name: 3.0 for f in model.features if f.required} | {"tenure_days": 100.0}
    named = subject_pb2.Subject(features=subject_pb2.NamedFeatures(values=values))
    packed = [values.get(f.name, math.nan) for f in model.features]
    in_order = subject_pb2.Subject(packed_features=subject_pb2.PackedFeatures(values=packed))
    by_name = stub.ScoreUser(score_request(subject=named)).score
    check("features are scored", by_name.status == score_pb2.SCORE_STATUS_SCORED)
    check("packed features give the same bits", stub.ScoreUser(score_request(subject=in_order)).score == by_name)

    bad = subject_pb2.Subject(features=subject_pb2.NamedFeatures(values=values | {"recency_day": 1.0}))
    batch = stub.BatchScoreUsers(scoring.BatchScoreUsersRequest(
        subjects=[request.subject, bad, named], as_of=as_of.isoformat()))
    kinds = [r.WhichOneof("result") for r in batch.results]
    check(f"a batch answers in order, a status each: {kinds}", kinds == ["score", "error", "score"]
          and batch.results[0].score == score and batch.results[1].error.field.startswith("subjects[1].features"))

    batches = [scoring.StreamScoreUsersRequest(sequence=i, batch=scoring.BatchScoreUsersRequest(
        subjects=[request.subject, named], as_of=as_of.isoformat())) for i in (3, 4)]
    answers = list(stub.StreamScoreUsers(iter(batches)))
    check("a stream answers every batch in turn", [a.sequence for a in answers] == [3, 4]
          and all(a.batch.results[0].score == score for a in answers))
    return check.exit_code()


if __name__ == "__main__":
    sys.exit(main())
