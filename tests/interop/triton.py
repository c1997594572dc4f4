"""Calls a running ebb-serve through NVIDIA's tritonclient, and compares with the scoring service bit for bit.

triton.py HOST:PORT prints one "ok" or "FAILED" line for each check.
"""

import math
import random
import sys

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from checks import Checks
from churn.v1 import model_service_pb2, model_service_pb2_grpc, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2

check = Checks("triton")
ROWS = 50


def matrix(model):
    """Synthetic users, each one possible for a history; most features are unknown."""
    rng = random.Random(7)
    names = [f.name for f in model.features]
    rows = np.full((ROWS, len(names)), math.nan)
    horizon = model.horizon_days[0]
    for row in rows:
        recency, days = rng.randint(1, 120), rng.randint(2, 30)
        lately = rng.randint(1, min(days, horizon - recency + 1)) if recency <= horizon else 0
        user = {"recency_days": recency, "recency_any_days": rng.randint(1, recency), "tenure_days": recency + 400,
                "active_days": days, f"active_days_{horizon}d": lately, "weekday_regularity": round(rng.random(), 3),
                "amount_last": round(rng.expovariate(0.1), 2)}
        for name, value in user.items():
            row[names.index(name)] = value
    return rows


def native(channel, model, rows):
    """Probabilities for each horizon (NaN without a score), segments, statuses and values, by the scoring service."""
    subjects = [subject_pb2.Subject(packed_features=subject_pb2.PackedFeatures(values=row)) for row in rows]
    request = scoring.BatchScoreUsersRequest(subjects=subjects, feature_hash=model.feature_hash)
    results = scoring_service_pb2_grpc.ScoringServiceStub(channel).BatchScoreUsers(request).results
    scores = [result.score for result in results]
    probabilities = [[next((h.churn_probability for h in s.horizons if h.horizon_days == days), math.nan)
                      for s in scores] for days in model.horizon_days]
    values = worth(scores) if model.HasField("value_model") else {}
    segments = [s.segment.id if s.HasField("segment") else -1 for s in scores]
    return probabilities, segments, [s.status for s in scores], values


def worth(scores):
    """What users are worth: the outputs by their names, NaN and an empty tier where nothing is known."""
    fields = {"value_expected_spend": "expected_spend", "value_residual": "residual_value", "value_at_risk": "value_at_risk"}
    known = lambda s, field: getattr(s.value, field) if s.value.HasField(field) else math.nan
    amounts = {name: [known(s, field) for s in scores] for name, field in fields.items()}
    return amounts | {"value_tier": [s.value.tier.encode() for s in scores]}


def equal(result, model, expected):
    """Whether all outputs are those expected, to the last bit."""
    probabilities, segments, statuses, values = expected
    same = [np.array_equal(result(f"churn_probability_{days}d").view(np.int64), np.array(column).view(np.int64))
            for days, column in zip(model.horizon_days, probabilities)]
    for name, column in values.items():
        found = result(name)
        same.append(list(found) == column if name == "value_tier"
                    else np.array_equal(found.view(np.int64), np.array(column).view(np.int64)))
    return all(same) and list(result("segment")) == segments and list(result("status")) == statuses


def fails(name, call, part):
    try:
        call()
        check(f"{name}: no error", False)
    except InferenceServerException as error:
        check(f"{name}: {error.status()}, {error.message()[:100]}", part in error.message())


def main():
    address = sys.argv[1]
    channel = grpc.insecure_channel(address)
    model = model_service_pb2_grpc.ModelServiceStub(channel).GetModel(model_service_pb2.GetModelRequest()).model
    client = triton.InferenceServerClient(address)
    check("the server is live and ready", client.is_server_live() and client.is_server_ready())
    check("the model is ready", client.is_model_ready("stable", model.version) and not client.is_model_ready("nothing"))
    metadata = client.get_model_metadata("stable")
    check("the metadata names every feature", [i.name for i in metadata.inputs] == [f.name for f in model.features])

    rows = matrix(model)
    expected = native(channel, model, rows)
    check(f"{sum(s == 1 for s in expected[2])} of {ROWS} users have a score", sum(s == 1 for s in expected[2]) > ROWS / 2)

    whole = triton.InferInput("features", list(rows.shape), "FP64")
    whole.set_data_from_numpy(rows)
    check("one raw matrix", equal(client.infer("stable", [whole]).as_numpy, model, expected))

    columns = []
    for i, tensor in enumerate(metadata.inputs):
        column = triton.InferInput(tensor.name, [ROWS], tensor.datatype)
        column.set_data_from_numpy(np.ascontiguousarray(rows[:, i]))
        columns.append(column)
    check("raw columns by name", equal(client.infer("stable", columns).as_numpy, model, expected))
    outputs = [triton.InferRequestedOutput("segment")]
    answer = client.infer("stable", columns, outputs=outputs, request_id="17")
    check("a chosen output, and the request's id",
          list(answer.as_numpy("segment")) == expected[1] and answer.get_response().id == "17"
          and len(answer.get_response().outputs) == 1)

    typed = service_pb2.ModelInferRequest(model_name="stable")
    for i, tensor in enumerate(metadata.inputs):
        one = typed.inputs.add(name=tensor.name, datatype="FP64", shape=[ROWS, 1])
        one.contents.fp64_contents.extend(rows[:, i])
    response = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(typed)
    check("numbers come back as raw contents", len(response.raw_output_contents) == len(response.outputs)
          and not any(output.HasField("contents") for output in response.outputs))
    check("typed columns by name", equal(triton.InferResult(response).as_numpy, model, expected))

    changed = rows.copy()
    changed[0, [f.name for f in model.features].index("tenure_days")] += 1.0
    whole.set_data_from_numpy(changed)
    check("another number is another answer", not equal(client.infer("stable", [whole]).as_numpy, model, expected))

    with_hash = lambda text: client.infer("stable", [whole], parameters={"feature_hash": text})
    check("the order of the columns can be named", with_hash(model.feature_hash) is not None)
    fails("another order", lambda: with_hash("beef"), "feature_hash: the features are for beef")
    whole.set_data_from_numpy(np.where(np.isnan(rows), rows, 500.0))
    fails("what no history gives", lambda: client.infer("stable", [whole]), "row 0: ")
    fails("an unknown model", lambda: client.infer("nothing", [whole]), "nothing")
    short = triton.InferInput("features", [1, 3], "FP64")
    short.set_data_from_numpy(np.zeros((1, 3)))
    fails("a wrong shape", lambda: client.infer("stable", [short]), "inputs[0].shape")
    return check.exit_code()


if __name__ == "__main__":
    sys.exit(main())
