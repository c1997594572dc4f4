"""Compares JSON over HTTP with gRPC, both read by protobuf's own Python library.

json_http.py GRPC_HOST:PORT HTTP_HOST:PORT prints one "ok" or "FAILED" line for each check.
"""

import datetime
import http.client
import json
import sys
import time

import grpc
from google.protobuf import json_format
from google.rpc import status_pb2
from google.rpc import error_details_pb2  # noqa: F401, the details that a status in JSON may have
from grpc_status import rpc_status

from checks import Checks
from client import history
from churn.v1 import model_service_pb2 as models, model_service_pb2_grpc, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2

check = Checks("http")


class Http:
    """One connection that is kept."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=20)

    def ask(self, method, path, message=None, names=False):
        body, headers = None, {}
        if message is not None:
            body = json_format.MessageToJson(message, preserving_proto_field_name=names)
            headers = {"Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read()


def same(text, message):
    """Whether JSON is exactly this message: what it lacks or has beyond it is an error, and so is any bit."""
    read = json_format.Parse(text, type(message)(), ignore_unknown_fields=False)
    return read.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


def subjects(stub_of_models, as_of):
    """Some users that the roll-up has and some that it has not, a history in both forms, and features."""
    model = stub_of_models.GetModel(models.GetModelRequest()).model
    daily, events = history(model.activity_kinds[0], as_of)
    values = {feature.name: 3.0 for feature in model.features if feature.required} | {"tenure_days": 100.0}
    packed = [values.get(feature.name, float("nan")) for feature in model.features]
    ids = [f"U{number:06d}" for number in range(1, 300)] + ["nobody", "", "  ", "U1", "é", "x" * 400]
    known = [subject_pb2.Subject(user_id=user) for user in ids]
    return model, known + [
        subject_pb2.Subject(history=daily),
        subject_pb2.Subject(history=events),
        subject_pb2.Subject(features=subject_pb2.NamedFeatures(values=values)),
        subject_pb2.Subject(packed_features=subject_pb2.PackedFeatures(values=packed)),
    ]


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    score, model_service = scoring_service_pb2_grpc.ScoringServiceStub(channel), model_service_pb2_grpc.ModelServiceStub(channel)
    server = Http(sys.argv[2])
    known = model_service.GetModel(models.GetModelRequest()).known_users
    as_of = datetime.date.fromisoformat(known.as_of)
    model, all_subjects = subjects(model_service, as_of)

    scored = equal = errors = 0
    for number, subject in enumerate(all_subjects):
        request = scoring.ScoreUserRequest(subject=subject, as_of=known.as_of, reason_count=9, feature_hash=model.feature_hash)
        status, text = server.ask("POST", "/v1/score", request, names=number % 2 == 1)
        try:
            answer = score.ScoreUser(request)
            equal += status == 200 and same(text, answer)
            scored += 1
        except grpc.RpcError as error:
            equal += status in (400, 404) and same(text, rpc_status.from_call(error))
            errors += 1
    check(f"{scored} scores and {errors} errors are the same to the last bit", equal == len(all_subjects) and min(scored, errors) > 3)

    batch = scoring.BatchScoreUsersRequest(subjects=all_subjects, as_of=known.as_of, feature_hash=model.feature_hash)
    status, text = server.ask("POST", "/v1/score:batch", batch)
    check("a batch is the same", status == 200 and same(text, score.BatchScoreUsers(batch)))
    status, text = server.ask("GET", "/v1/models")
    check("the models are the same", status == 200 and same(text, model_service.ListModels(models.ListModelsRequest())))
    status, text = server.ask("GET", "/v1/models/stable")
    check("a model is the same, its card included", status == 200 and same(text, model_service.GetModel(models.GetModelRequest())))

    users, token, pages = [], "", 0
    while pages == 0 or token:
        request = scoring.ListUsersRequest(page_size=500, page_token=token, risk_bands=["RISK_BAND_HIGH"], stages=["STAGE_CHURNING", "STAGE_MATURE"])
        query = f"pageSize=500&riskBands=RISK_BAND_HIGH&stages=STAGE_CHURNING&stages=STAGE_MATURE&pageToken={token}"
        status, text = server.ask("GET", f"/v1/users?{query}")
        if status == 503:
            # The order is being computed, and the error says for how long still.
            time.sleep(float(json.loads(text)["details"][1]["retryDelay"].rstrip("s")))
            continue
        answer = score.ListUsers(request)
        check(f"page {pages + 1} of the users is the same", status == 200 and same(text, answer))
        users += answer.users
        token, pages = answer.next_page_token, pages + 1
    risks = [user.score.horizons[0].churn_probability for user in users]
    check(f"{len(users)} users at high risk are all of them, in order",
          len(users) == answer.total_size > 0 and risks == sorted(risks, reverse=True))
    single = [score.ScoreUser(scoring.ScoreUserRequest(subject=subject_pb2.Subject(user_id=user.user_id))).score for user in users[:50]]
    check("listed scores are those of ScoreUser", single == [user.score for user in users[:50]])

    status, text = server.ask("POST", "/v1/score", scoring.ScoreUserRequest())
    problem = json_format.Parse(text, status_pb2.Status())
    check(f"an error is a google.rpc.Status: {problem.message}", status == 400 and len(problem.details) == 2)
    return check.exit_code()


if __name__ == "__main__":
    sys.exit(main())
