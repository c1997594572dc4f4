"""Ebb's fitters beside scikit-learn's: see fitters.sh. Needs numpy and scikit-learn."""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

L2 = 1.0
# Rows, columns, whether all columns are of one scale, and the loosest power of ten as tolerance with which each solver
# still ends within AGREE of the lowest objective. lbfgs does not get there on unscaled columns in many minutes.
LOGISTIC = {
    "1,000,000 x 40, scaled": (1_000_000, 40, True, {"ebb": 1e-5, "newton-cholesky": 1e-4, "lbfgs": 1e-6}),
    "1,000,000 x 40, unscaled": (1_000_000, 40, False, {"ebb": 1e-4, "newton-cholesky": 1e-4}),
    "500,000 x 150, scaled": (500_000, 150, True, {"ebb": 1e-5, "newton-cholesky": 1e-4, "lbfgs": 1e-6}),
    "500,000 x 150, unscaled": (500_000, 150, False, {"ebb": 1e-4, "newton-cholesky": 1e-4}),
}
AGREE = 1e-8
# The number of groups that the points are drawn from.
KMEANS = {"k-means 1,000,000 x 12, groups": 8, "k-means 1,000,000 x 12, one cloud": 1}
POINTS, WIDTH, K, RESTARTS, TOLERANCE = 1_000_000, 12, 8, 5, 1e-4


def folder(work, case):
    return work / "".join(c if c.isalnum() else "_" for c in case)


def made(out, make, *arguments):
    """The folder, made whole or not at all."""
    if not out.exists():
        partial = out.with_suffix(".partial")
        partial.mkdir(parents=True, exist_ok=True)
        make(partial, *arguments)
        partial.rename(out)
    return out


def make_logistic(out, rows, width, scaled):
    """Correlated columns, a quarter of them 0 or 1, a fifth of the labels true."""
    random = np.random.default_rng(11)
    mixing = random.normal(size=(5, width)) * 0.7
    shift = random.normal(size=width)
    weights = random.normal(size=width) * (random.random(width) < 0.5) / np.sqrt(width)
    scales = np.ones(width) if scaled else 10.0 ** random.uniform(-3, 3, width)
    centres = np.zeros(width) if scaled else random.normal(size=width)
    with open(out / "values.f64", "wb") as values, open(out / "labels.u8", "wb") as labels:
        for start in range(0, rows, 50_000):
            count = min(50_000, rows - start)
            x = random.normal(size=(count, 5)) @ mixing + random.normal(size=(count, width))
            x[:, ::4] = x[:, ::4] > shift[::4]
            odds = x @ weights * 1.5 - 1.6
            labels.write((random.random(count) < 1 / (1 + np.exp(-odds))).astype(np.uint8).tobytes())
            values.write(((x + centres) * scales).astype("<f8").tobytes())


def make_kmeans(out, rows, width, groups):
    """Overlapping groups of different sizes, or one cloud; correlated columns, a third of them skewed."""
    random = np.random.default_rng(12)
    centres = random.normal(size=(groups, width)) * (1.2 if groups > 1 else 0)
    share = random.dirichlet(np.full(groups, 5.0))
    mixing = random.normal(size=(4, width)) * 0.6
    x = random.normal(size=(rows, 4)) @ mixing + random.normal(size=(rows, width)) * 0.7
    x += centres[random.choice(groups, size=rows, p=share)]
    x[:, ::3] = np.expm1(0.7 * x[:, ::3])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x.astype("<f8").tofile(out / "values.f64")


def memory_mib(figure):
    with open("/proc/self/status") as status:
        return next(float(line.split()[1]) / 1024 for line in status if line.startswith(figure))


def load(data, width):
    return np.fromfile(data / "values.f64", "<f8").reshape(-1, width)


def peer(kind, data, width, solver, tolerance, seed):
    """One fit by scikit-learn, in a process of its own."""
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression

    x, labels, tolerance = load(data, width), None, float(tolerance)
    if kind == "logistic":
        labels = np.fromfile(data / "labels.u8", np.uint8)
        model = LogisticRegression(C=1 / L2, solver=solver, tol=tolerance, max_iter=20_000)
    else:
        model = KMeans(K, n_init=RESTARTS, tol=tolerance, max_iter=300, algorithm=solver, random_state=int(seed))
    warnings.simplefilter("ignore")
    loaded, start = memory_mib("VmRSS"), time.perf_counter()
    model.fit(x, labels)
    seconds = time.perf_counter() - start
    result = {"seconds": seconds, "loaded_mib": loaded, "peak_mib": memory_mib("VmHWM")}
    result["steps"] = int(np.ravel(model.n_iter_)[0])
    if kind == "logistic":
        result |= {"intercept": float(model.intercept_[0]), "weights": model.coef_[0].tolist()}
    else:
        result |= {"centres": model.cluster_centers_.ravel().tolist()}
    print(json.dumps(result))


def run(command):
    """The JSON that a command prints, with the seconds of the whole process and of the processors."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True).stdout
    result = json.loads(output) | {"process": time.perf_counter() - start}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result | {"processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def objective(x, labels, fitted):
    weights, total = np.array(fitted["weights"]), 0.0
    for start in range(0, len(x), 50_000):
        odds = x[start : start + 50_000] @ weights + fitted["intercept"]
        total += np.logaddexp(0, np.where(labels[start : start + 50_000] > 0, -odds, odds)).sum()
    return total + L2 / 2 * (weights @ weights)


def inertia(x, fitted):
    centres, total = np.array(fitted["centres"]).reshape(K, -1), 0.0
    for start in range(0, len(x), 20_000):
        between = x[start : start + 20_000, None, :] - centres
        total += np.einsum("nkj,nkj->nk", between, between).min(axis=1).sum()
    return total


def print_rows(case, runs, ends):
    """A line for each solver, ours first. Ratios are ours over the solver's: the median of the rounds' ratios, and for
    the seconds also that of each side's best round, which others on the machine disturbed least."""
    ours = runs["ebb"]
    best = lambda some: min(run["seconds"] for run in some)
    for solver, theirs in runs.items():
        median = lambda figure: statistics.median(run[figure] for run in theirs)
        beyond = statistics.median(run["peak_mib"] - run["loaded_mib"] for run in theirs)
        ratio = lambda figure: statistics.median(a[figure] / b[figure] for a, b in zip(ours, theirs))
        cells = [case, solver, f"{median('seconds'):.2f}", f"{best(theirs):.2f}", f"{median('process'):.2f}"]
        cells += [f"{median('processor'):.1f}", f"{median('peak_mib'):.0f}", f"{beyond:.0f}"]
        cells += [f"{median('steps'):.0f}", ends[solver]]
        if solver != "ebb":
            cells += [f"{ratio('seconds'):.2f}", f"{best(ours) / best(theirs):.2f}", f"{ratio('peak_mib'):.2f}"]
        cells += [""] * (13 - len(cells))
        print("| " + " | ".join(cells) + " |", flush=True)


def rounds_of(kind, data, width, ours, tolerances, rounds, fitters):
    """The runs of every solver, taking turns."""
    runs = {solver: [] for solver in tolerances}
    for seed in range(rounds):
        for solver, tolerance in tolerances.items():
            command = [sys.executable, __file__, "peer", kind, data, width, solver, tolerance, seed]
            if solver == "ebb":
                command = [fitters, kind, "--data", data, "--width", width, "--tolerance", tolerance, *ours(seed)]
            runs[solver].append(run(command))
    return runs


def logistic_case(work, fitters, case, rounds):
    count, width, scaled, tolerances = LOGISTIC[case]
    data = made(folder(work, case), make_logistic, count, width, scaled)
    runs = rounds_of("logistic", data, width, lambda _: ["--l2", L2], tolerances, rounds, fitters)
    x, labels = load(data, width), np.fromfile(data / "labels.u8", np.uint8)
    reached = {solver: max(objective(x, labels, fitted) for fitted in some) for solver, some in runs.items()}
    above = {solver: value / min(reached.values()) - 1 for solver, value in reached.items()}
    print_rows(case, runs, {solver: f"{value:.0e}" for solver, value in above.items()})
    return [f"{case}: {solver} ends {value:.1e} above the optimum" for solver, value in above.items() if value > AGREE]


def kmeans_case(work, fitters, case, rounds):
    data = made(folder(work, case), make_kmeans, POINTS, WIDTH, KMEANS[case])
    ours = lambda seed: ["--k", K, "--restarts", RESTARTS, "--seed", seed]
    tolerances = {"ebb": TOLERANCE, "lloyd": TOLERANCE, "elkan": TOLERANCE}
    runs = rounds_of("kmeans", data, WIDTH, ours, tolerances, rounds, fitters)
    x = load(data, WIDTH)
    mean = {solver: statistics.mean(inertia(x, fitted) for fitted in some) for solver, some in runs.items()}
    print_rows(case, runs, {solver: f"{value / mean['ebb'] - 1:+.1e}" for solver, value in mean.items()})
    return [f"{case}: a mean inertia above that of {solver}" for solver, value in mean.items() if mean["ebb"] > value]


def main():
    if sys.argv[1:2] == ["peer"]:
        kind, data, width, *rest = sys.argv[2:]
        return peer(kind, Path(data), int(width), *rest)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fitters", help="the example binary")
    parser.add_argument("work", type=Path, help="where the data is made")
    parser.add_argument("rounds", type=int)
    parser.add_argument("only", nargs="?", default="", help="a part of the names of the cases to run")
    arguments = parser.parse_args()
    figures = "fit s | best s | process s | processor s | peak MiB | beyond data MiB | steps | end | wall | best | peak"
    print(f"| case | solver | {figures} |\n|{' --- |' * 13}", flush=True)
    problems = []
    for cases, measure in [(LOGISTIC, logistic_case), (KMEANS, kmeans_case)]:
        for case in cases:
            if arguments.only in case:
                problems += measure(arguments.work, arguments.fitters, case, arguments.rounds)
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
