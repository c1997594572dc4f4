"""Compares the value that a running ebb-serve gives with the columns of ebb-train score, bit for bit.

value.py HOST:PORT SCORES.csv prints one "ok" or "FAILED" line for each check.
"""

import csv
import struct
import sys

import grpc

from checks import Checks
from churn.v1 import model_service_pb2, model_service_pb2_grpc, score_pb2, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2

check = Checks("value")

# The columns of a file of scores and the fields of a message.
AMOUNTS = {
    "value_expected_spend": "expected_spend",
    "value_low": "low",
    "value_high": "high",
    "value_residual": "residual_value",
    "value_at_risk": "value_at_risk",
}
STATUS = {
    score_pb2.VALUE_STATUS_ESTIMATED: "estimated",
    score_pb2.VALUE_STATUS_NO_SPEND: "no_spend",
    score_pb2.VALUE_STATUS_UNKNOWN: "unknown",
}


def bits(number):
    return struct.pack("<d", number)


def columns(value):
    """A value as the columns of a file: the numbers as bits."""
    row = {name: bits(getattr(value, field)) if value.HasField(field) else None for name, field in AMOUNTS.items()}
    rfm = value.rfm
    row["rfm"] = f"{rfm.recency}-{rfm.frequency}-{rfm.monetary}" if value.HasField("rfm") else ""
    return row | {"value_tier": value.tier, "value_status": STATUS[value.status]}


def read(path):
    """The columns of value of each user of a file of scores."""
    users = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            numbers = {name: bits(float(row[name])) if row[name] else None for name in AMOUNTS}
            users[row["user_id"]] = numbers | {name: row[name] for name in ("rfm", "value_tier", "value_status")}
    return users


def pages(stub, **options):
    """All users of a listing."""
    token = ""
    while True:
        page = stub.ListUsers(scoring.ListUsersRequest(page_size=1000, page_token=token, **options), wait_for_ready=True)
        yield from page.users
        token = page.next_page_token
        if not token:
            return


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    stub = scoring_service_pb2_grpc.ScoringServiceStub(channel)
    model = model_service_pb2_grpc.ModelServiceStub(channel).GetModel(model_service_pb2.GetModelRequest()).model
    described = model.value_model
    tiers = [tier.name for tier in described.tiers]
    print(f"value of {described.horizon_days} days in {described.currency or 'no currency'}, tiers {tiers}")
    check("the model describes its value part", model.HasField("value_model") and 0 < described.margin <= 1
          and described.tiers[-1].from_residual_value == 0)

    file = read(sys.argv[2])
    listed = list(pages(stub, order=scoring.USER_ORDER_VALUE_AT_RISK, reason_count=1))
    served = {user.user_id: user.score.value for user in listed}
    check(f"{len(served)} users are listed, those of the file", set(served) == set(file))
    unlike = [user for user, value in served.items() if columns(value) != file[user]]
    check(f"served values are the columns of score, bit for bit; unlike: {unlike[:3]}", not unlike)
    at_risk = [value.value_at_risk for value in served.values()]
    check("the listing falls by value at risk", at_risk == sorted(at_risk, reverse=True) and at_risk[0] > at_risk[-1])
    risky = list(pages(stub, reason_count=0))
    check("which is another order than that by risk", [u.user_id for u in risky] != list(served))
    top = {user.user_id for user in pages(stub, value_tiers=tiers[:1], reason_count=0)}
    check("a tier is a filter", top == {user for user, row in file.items() if row["value_tier"] == tiers[0]})
    try:
        stub.ListUsers(scoring.ListUsersRequest(value_tiers=["no such tier"]))
        check("an unknown tier: no error", False)
    except grpc.RpcError as error:
        check(f"an unknown tier: {error.details()}", error.code() == grpc.StatusCode.INVALID_ARGUMENT
              and "value_tiers[0]" in error.details() and tiers[0] in error.details())

    few = list(served)[:50]
    request = scoring.BatchScoreUsersRequest(subjects=[subject_pb2.Subject(user_id=user) for user in few])
    answers = [result.score.value for result in stub.BatchScoreUsers(request).results]
    check("a batch has the values of the listing", [columns(a) for a in answers] == [columns(served[u]) for u in few])
    reasons = [reason for answer in answers for reason in answer.reasons]
    check(f"{len(reasons)} reasons are factors above 0", all(reason.factor > 0 for reason in reasons))
    return check.exit_code()


if __name__ == "__main__":
    sys.exit(main())
