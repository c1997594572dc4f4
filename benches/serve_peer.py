"""The server one would build in Python: grpcio with generated stubs and a thread pool, and the same model in scikit-learn.

    serve_peer.py serve MODEL_DIR --listen HOST:PORT     answers until it is stopped
    serve_peer.py check MODEL_DIR HOST:PORT [PEER]       compares 1,000 random vectors' probabilities with ebb-serve's

It answers ScoreUser and BatchScoreUsers with packed features, and the inference protocol's ModelInfer with a raw FP64
tensor. Its answers hold the status, the probabilities and the model's version, nothing else: reasons, stages and
segments are more work, which only ebb-serve does. `benches/serve_peers.sh` makes the stubs and runs both.
"""

import argparse
import hashlib
import json
import sys
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import sklearn
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from churn.v1 import model_service_pb2, model_service_pb2_grpc, score_pb2, scoring_service_pb2 as scoring
from churn.v1 import scoring_service_pb2_grpc, subject_pb2
from inference import open_inference_grpc_pb2 as inference
from inference import open_inference_grpc_pb2_grpc

SCORED, TOO_NEW, INACTIVE = 1, 2, 3
MOST_ACTIVE_DAYS, LOGIT_EDGE = 100_000, 1e-4


class Design:
    """From raw features to the columns that the models weigh: one numpy pass over all rows."""

    def __init__(self, bundle):
        columns = bundle["preprocessing"]["columns"]
        self.names = [c["feature"] for c in columns if not c["feature"].startswith("bg_nbd_")]
        self.width = len(self.names)
        self.bg_nbd = bundle["preprocessing"]["bg_nbd"]
        self.horizons = np.array(bundle["schema"]["horizon_days"], float)
        self.log, self.signed = (np.array([i for i, c in enumerate(columns[: self.width]) if c["scale"] == scale], int)
                                 for scale in ("log", "signed_log"))
        assert all(c["scale"] != "logit" for c in columns[: self.width])
        self.low, self.high, self.center, spread = (
            np.array([c[key] for c in columns]) for key in ("clip_min", "clip_max", "mean", "std_dev"))
        self.scale = 1.0 / spread
        at = self.names.index
        self.active_days, self.recency, self.age = at("active_days"), at("recency_days"), at("active_age_days")
        # Hinges and products of all horizons' models; each model weighs the ones that are its own.
        hinges = [k for m in bundle["models"] for k in m["expansion"]["hinges"]]
        pairs = [p for m in bundle["models"] for p in m["expansion"]["interactions"]]
        self.hinge_column, self.knot = np.array([k["column"] for k in hinges], int), np.array([k["knot"] for k in hinges])
        self.first, self.second = (np.array([p[key] for p in pairs], int) for key in ("first", "second"))
        self.pair_low, self.pair_high = (np.array([p[key] for p in pairs]) for key in ("clip_min", "clip_max"))

    def derived(self, raw, out):
        """BG/NBD's probability of being alive, its rate, and its probability of silence for each horizon."""
        r, alpha, a, b = (self.bg_nbd[key] for key in ("r", "alpha", "a", "b"))
        days, recency, age = raw[:, self.active_days], raw[:, self.recency], raw[:, self.age]
        x = np.clip(np.rint(days - 1.0), 0.0, MOST_ACTIVE_DAYS)
        again = x > 0.0
        last = np.where(again, age - recency, 0.0)
        legal = (last <= age) & np.where(again, last > 0.0, x == 0.0)
        odds = np.log(a / (b + x - 1.0)) + (r + x) * np.log1p((age - last) / (alpha + last))
        alive = np.where(again, expit(-odds), 1.0)
        quiet = np.expm1(-(r + x)[:, None] * np.log1p(self.horizons / (alpha + age)[:, None]))
        silent = 1.0 + alive[:, None] * quiet
        out[:, 0] = alive
        out[:, 1] = np.log1p((r + x) / (alpha + age) * 365.0)
        out[:, 2:] = logit(np.clip(silent, LOGIT_EDGE, 1.0 - LOGIT_EDGE))
        out[~legal] = np.nan

    def transform(self, raw):
        # One allocation for all columns: what is pasted together from parts takes twice as long for 1,000 rows.
        columns, hinges = len(self.low), len(self.knot)
        x = np.empty((len(raw), columns + hinges + len(self.pair_low)))
        z, above, products = x[:, :columns], x[:, columns : columns + hinges], x[:, columns + hinges :]
        bent = z[:, : self.width]
        bent[:] = raw
        bent[:, self.log] = np.log1p(raw[:, self.log])
        signed = raw[:, self.signed]
        bent[:, self.signed] = np.copysign(np.log1p(np.abs(signed)), signed)
        if self.bg_nbd:
            self.derived(raw, z[:, self.width :])
        np.maximum(z, self.low, out=z)
        np.minimum(z, self.high, out=z)
        z -= self.center
        z *= self.scale
        # What is unknown is average.
        z[np.isnan(z)] = 0.0
        np.subtract(z[:, self.hinge_column], self.knot, out=above)
        np.maximum(above, 0.0, out=above)
        np.multiply(z[:, self.first], z[:, self.second], out=products)
        np.maximum(products, self.pair_low, out=products)
        np.minimum(products, self.pair_high, out=products)
        return x


def regressions(bundle, columns):
    """One fitted LogisticRegression for each horizon. Centring and scaling of hinges and products, and the calibration,
    are linear and therefore part of the coefficients."""
    hinges_in_all = sum(len(m["expansion"]["hinges"]) for m in bundle["models"])
    pairs_in_all = sum(len(m["expansion"]["interactions"]) for m in bundle["models"])
    hinge_at, pair_at = columns, columns + hinges_in_all
    models = []
    for m in bundle["models"]:
        hinges, pairs = m["expansion"]["hinges"], m["expansion"]["interactions"]
        own, rest = np.array(m["weights"][:columns]), np.array(m["weights"][columns:])
        center = np.array([e["mean"] for e in hinges + pairs])
        scaled = rest / np.array([e["std_dev"] for e in hinges + pairs])
        coefficients = np.zeros(columns + hinges_in_all + pairs_in_all)
        coefficients[:columns] = own
        coefficients[hinge_at : hinge_at + len(hinges)] = scaled[: len(hinges)]
        coefficients[pair_at : pair_at + len(pairs)] = scaled[len(hinges) :]
        hinge_at, pair_at = hinge_at + len(hinges), pair_at + len(pairs)
        slope, model = m["calibration"]["slope"], LogisticRegression()
        model.classes_ = np.array([0, 1])
        model.coef_ = slope * coefficients[None, :]
        model.intercept_ = np.array([m["calibration"]["intercept"] + slope * (m["intercept"] - scaled @ center)])
        model.n_features_in_ = len(coefficients)
        models.append(model)
    return models


class Model:
    """The bundle as a scikit-learn pipeline."""

    def __init__(self, folder):
        content = Path(folder, "bundle.json").read_bytes()
        bundle = json.loads(content)
        self.version, self.feature_hash = hashlib.sha256(content).hexdigest()[:12], bundle["feature_hash"]
        self.design = Design(bundle)
        # The steps of a Pipeline, called one after another: its own call costs more than both of them for one user.
        self.step = FunctionTransformer(self.design.transform, validate=False)
        self.models = regressions(bundle, len(bundle["preprocessing"]["columns"]))
        self.horizon_days = bundle["schema"]["horizon_days"]
        self.active_within, self.silence = bundle["active_within_days"], bundle["churn_event"] is None

    def score(self, raw):
        """Statuses, and the churn probability at each horizon: NaN for users without a score."""
        # Unknown numbers pass through the arithmetic; they are nothing to warn about.
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            x = self.step.transform(raw)
            answers = np.column_stack([m.predict_proba(x)[:, 1] for m in self.models])
            if len(self.models) > 1:
                # A longer silence is never likelier than a shorter one.
                hold = np.minimum if self.silence else np.maximum
                answers = hold.accumulate(answers, axis=1)
            status = np.where(raw[:, self.design.recency] > self.active_within, INACTIVE, SCORED)
            status[raw[:, self.design.active_days] == 0.0] = TOO_NEW
        if (status != SCORED).any():
            answers[status != SCORED] = np.nan
        return status, answers

    def fill(self, score, status, answers):
        """Writes one user's answer into a message."""
        score.status, score.model_version = status, self.version
        if status == SCORED:
            for days, probability in zip(self.horizon_days, answers):
                score.horizons.add(horizon_days=days, churn_probability=probability)


def unchecked():
    """For each thread: the server checks its inputs itself, and scikit-learn's checks cost more than its arithmetic."""
    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)


class Scoring(scoring_service_pb2_grpc.ScoringServiceServicer):
    def __init__(self, model):
        self.model, self.width = model, model.design.width
        example = subject_pb2.PackedFeatures(values=[0.0] * self.width).SerializeToString()
        header = f"V{len(example) - 8 * self.width}"
        self.row = np.dtype([("header", header), ("values", "<f8", (self.width,))])

    def allowed(self, request, context):
        if request.feature_hash != self.model.feature_hash:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "feature_hash: the features are for another model")

    def matrix(self, subjects, context):
        # A message of packed numbers is a key, a length and the numbers: twice as fast as reading them one by one.
        messages = [s.packed_features.SerializeToString() for s in subjects]
        if any(len(message) != self.row.itemsize for message in messages):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"packed_features.values: {self.width} are needed")
        return np.frombuffer(b"".join(messages), self.row)["values"]

    def ScoreUser(self, request, context):
        self.allowed(request, context)
        status, answers = self.model.score(self.matrix([request.subject], context))
        response = scoring.ScoreUserResponse()
        self.model.fill(response.score, int(status[0]), answers[0].tolist())
        return response

    def BatchScoreUsers(self, request, context):
        self.allowed(request, context)
        response = scoring.BatchScoreUsersResponse(model_version=self.model.version)
        if request.subjects:
            status, answers = self.model.score(self.matrix(request.subjects, context))
            fill, add = self.model.fill, response.results.add
            for one, numbers in zip(status.tolist(), answers.tolist()):
                fill(add().score, one, numbers)
        return response


class Inference(open_inference_grpc_pb2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, model):
        self.model, self.width = model, model.design.width

    def ModelInfer(self, request, context):
        tensor = request.inputs[0] if len(request.inputs) == 1 else None
        if tensor is None or tensor.datatype != "FP64" or tensor.shape[1:] != [self.width]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"inputs: one FP64 tensor [N, {self.width}] is needed")
        raw = np.frombuffer(request.raw_input_contents[0], "<f8").reshape(tensor.shape)
        status, answers = self.model.score(raw)
        answer = inference.ModelInferResponse(model_name=request.model_name, model_version=self.model.version)
        for k, days in enumerate(self.model.horizon_days):
            answer.outputs.add(name=f"churn_probability_{days}d", datatype="FP64", shape=[len(raw)])
            answer.raw_output_contents.append(answers[:, k].tobytes())
        answer.outputs.add(name="status", datatype="INT32", shape=[len(raw)])
        answer.raw_output_contents.append(status.astype("<i4").tobytes())
        return answer


def serve(arguments):
    model = Model(arguments.model)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=arguments.workers, initializer=unchecked))
    scoring_service_pb2_grpc.add_ScoringServiceServicer_to_server(Scoring(model), server)
    open_inference_grpc_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Inference(model), server)
    port = server.add_insecure_port(arguments.listen)
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def vectors(model, count):
    """Synthetic users, each as some history could leave it: unknown features and gone users among them."""
    draw = np.random.default_rng(7)
    raw = np.full((count, model.design.width), np.nan)
    horizon = model.horizon_days[0]
    recency, days = draw.integers(1, 2 * model.active_within, count), draw.integers(0, 40, count)
    lately = np.where(recency <= horizon, draw.integers(1, np.clip(np.minimum(days, horizon - recency + 1), 1, None) + 1), 0)
    age = np.where(days == 1, recency, recency + 40 + draw.integers(0, 400, count))
    tenure = age + draw.integers(0, 90, count)
    money = lambda: draw.lognormal(3.0, 1.2, count).round(2)
    values = {
        "recency_days": recency, "active_age_days": age, "tenure_days": tenure, "recency_share": recency / tenure,
        "recency_any_days": draw.integers(1, recency + 1), "active_days": days, "events": days + draw.integers(0, 9, count),
        f"active_days_{horizon}d": lately, "one_active_day": days == 1, "amount_last": money(),
        "weekday_regularity": np.where(days > 1, draw.random(count), np.nan),
    }
    for name, column in values.items():
        if name in model.design.names:
            raw[:, model.design.names.index(name)] = column
    optional = [model.design.names.index(n) for n in ("recency_any_days", "recency_share") if n in model.design.names]
    raw[np.ix_(draw.random(count) < 0.1, optional)] = np.nan
    # Of nobody without activity anything else is known.
    raw[days == 0] = np.where(np.arange(model.design.width) == model.design.names.index("active_days"), 0.0, np.nan)
    return raw


def asked(address, model, raw):
    """A server's probabilities and statuses for these vectors."""
    stub = scoring_service_pb2_grpc.ScoringServiceStub(grpc.insecure_channel(address))
    subjects = [subject_pb2.Subject(packed_features=subject_pb2.PackedFeatures(values=row)) for row in raw]
    batch = scoring.BatchScoreUsersRequest(subjects=subjects, feature_hash=model.feature_hash, reason_count=0)
    results = stub.BatchScoreUsers(batch).results
    errors = [r.error.message for r in results if r.WhichOneof("result") == "error"]
    assert not errors, errors[:3]
    one = stub.ScoreUser(scoring.ScoreUserRequest(subject=subjects[0], feature_hash=model.feature_hash)).score
    assert one.model_version == model.version and one.status == results[0].score.status, one
    probability = lambda score: [h.churn_probability for h in score.horizons] or [np.nan] * len(model.horizon_days)
    return np.array([r.score.status for r in results]), np.array([probability(r.score) for r in results])


def inferred(address, model, raw):
    """The same by ModelInfer; None where the server does not know it."""
    stub = open_inference_grpc_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(address))
    request = inference.ModelInferRequest(model_name="stable", raw_input_contents=[raw.astype("<f8").tobytes()])
    request.inputs.add(name="features", datatype="FP64", shape=raw.shape)
    try:
        answer = stub.ModelInfer(request)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise
    raws = {o.name: content for o, content in zip(answer.outputs, answer.raw_output_contents)}
    columns = [np.frombuffer(raws[f"churn_probability_{days}d"], "<f8") for days in model.horizon_days]
    return np.frombuffer(raws["status"], "<i4"), np.column_stack(columns)


def check(arguments):
    model = Model(arguments.model)
    raw = vectors(model, 1000)
    expected_status, expected = model.score(raw)
    failed = 0
    for address in filter(None, [arguments.server, arguments.peer]):
        for name, ask in [("BatchScoreUsers", asked), ("ModelInfer", inferred)]:
            answered = ask(address, model, raw)
            if answered is None:
                print(f"SKIPPED {address} {name}: the server does not have it")
                continue
            status, probability = answered
            same = (status == expected_status).all() and (np.isnan(probability) == np.isnan(expected)).all()
            difference = float(np.nanmax(np.abs(probability - expected)))
            holds = bool(same) and difference <= 1e-9
            failed += not holds
            scored = int((status == SCORED).sum())
            print(f"{'ok' if holds else 'FAILED'} {address} {name}: {scored} of {len(raw)} scored, statuses "
                  f"{'equal' if same else 'differ'}, largest difference of a probability {difference:.1e}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("serve", help="serve the model")
    one.add_argument("model")
    one.add_argument("--listen", default="127.0.0.1:0")
    one.add_argument("--workers", type=int, default=4, help="threads of the pool")
    one.set_defaults(run=serve)
    one = commands.add_parser("check", help="compare with a running ebb-serve")
    one.add_argument("model")
    one.add_argument("server", help="HOST:PORT of ebb-serve")
    one.add_argument("peer", nargs="?", help="HOST:PORT of this server")
    one.set_defaults(run=check)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
