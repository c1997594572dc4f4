"""What a value model costs where users are scored: the same configuration with and without its [value] table, taking turns.

    python benches/value_cost.py --config ebb.toml [--programs target/release] [--rounds 5] [--users 1500]

Prints medians and ranges of the processor time of `ebb-train score`, and of the median time of a ScoreUser by id, without and with
reasons. Needs grpcio and grpcio-tools.
"""

import argparse
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
WITHOUT, WITH = "without", "with"


def without_value(text):
    """A configuration without its [value] table."""
    return re.sub(r"^\[value\]\n.*?(?=^\[|\Z)", "", text, flags=re.M | re.S)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ebb_train(programs, *arguments):
    """Runs a command; gives the seconds of processor time that it took."""
    before = processor_seconds()
    done = subprocess.run([programs / "ebb-train", *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ebb-train {arguments[0]}: {done.stderr}")
    return processor_seconds() - before


def print_row(what, times, scale, unit):
    """A line of the table from the times of both, one a round."""
    cells = []
    for of in (WITHOUT, WITH):
        low, middle, high = (scale * f(times[of]) for f in (min, statistics.median, max))
        cells.append(f"{middle:.3g} {unit} ({low:.3g} to {high:.3g})")
    ratio = statistics.median(b / a for a, b in zip(times[WITHOUT], times[WITH]))
    print(f"| {what} | {cells[0]} | {cells[1]} | {ratio:.2f} |", flush=True)


def time_scores(programs, work, rounds):
    times = {WITHOUT: [], WITH: []}
    for _ in range(rounds):
        for name, of in times.items():
            model = ["--model", work / name / "model", "--config", work / name / "ebb.toml"]
            of.append(ebb_train(programs, "score", *model, "--out", work / name / "scores.csv"))
    print_row("score, processor time", times, 1, "s")


class Server:
    """`ebb-serve` with a model and the roll-up of its log."""

    def __init__(self, programs, folder):
        command = [programs / "ebb-serve", "--model", folder / "model", "--rollup", folder / "rollup", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = self.process.stdout.readline().split()[-1]
        while not self.process.stdout.readline().startswith("ready"):
            pass
        # Bytes in and out: what Python makes of an answer is not the server's time.
        self.call = grpc.insecure_channel(address).unary_unary("/churn.v1.ScoringService/ScoreUser")

    def median_seconds(self, requests):
        times = []
        for request in requests:
            begin = time.perf_counter()
            self.call(request)
            times.append(time.perf_counter() - begin)
        return statistics.median(times)


def stubs(work):
    """The messages of the protocol."""
    files = sorted(str(path) for path in (ROOT / "proto/churn/v1").glob("*.proto"))
    folders = [ROOT / "proto", Path(grpc_tools.__file__).parent / "_proto"]
    if protoc.main(["protoc", *(f"-I{folder}" for folder in folders), f"--python_out={work}", *files]):
        sys.exit("the protocol does not compile")
    sys.path.insert(0, str(work))
    from churn.v1 import scoring_service_pb2, subject_pb2

    return scoring_service_pb2.ScoreUserRequest, subject_pb2.Subject


def time_calls(programs, work, rounds, users):
    request, subject = stubs(work)
    rows = (work / WITH / "scores.csv").read_text().splitlines()[1:]
    ids = list(dict.fromkeys(row.split(",")[0] for row in rows))[:users]
    as_of = rows[0].split(",")[1]
    servers = {}
    try:
        for name in (WITHOUT, WITH):
            servers[name] = Server(programs, work / name)
        for reasons in (0, 3):
            asked = [request(as_of=as_of, reason_count=reasons, subject=subject(user_id=user)) for user in ids]
            asked = [message.SerializeToString() for message in asked]
            times = {name: [] for name in servers}
            for server in servers.values():
                server.median_seconds(asked)
            for _ in range(rounds):
                for name, server in servers.items():
                    times[name].append(server.median_seconds(asked))
            print_row(f"ScoreUser by id, {reasons} reasons, median of {len(ids)} users", times, 1e6, "us")
    finally:
        for server in servers.values():
            server.process.kill()
            server.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="a configuration with [value] and paths that are whole")
    parser.add_argument("--programs", type=Path, default=ROOT / "target/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--users", type=int, default=1500)
    args = parser.parse_args()
    text = args.config.read_text()
    if without_value(text) == text:
        sys.exit(f"{args.config} has no [value] table")
    programs = args.programs.resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, content in ((WITHOUT, without_value(text)), (WITH, text)):
            (work / name).mkdir()
            config = work / name / "ebb.toml"
            config.write_text(content)
            ebb_train(programs, "fit", "--config", config, "--allow-below-baseline", "--out", work / name / "model")
            ebb_train(programs, "rollup", "--config", config, "--out", work / name / "rollup")
        print("| | without [value] | with it | ratio |\n| --- | --- | --- | --- |")
        time_scores(programs, work, args.rounds)
        time_calls(programs, work, args.rounds, args.users)


if __name__ == "__main__":
    main()
