"""How good estimates of spend are: figures of `value.py`."""

import numpy as np

DRAWS = 500


def lorenz_area(amounts, order, weights):
    """The area between the curve of shares of the total, best users first, and the diagonal."""
    amounts, weights = amounts[order], weights[order]
    total, count = (amounts * weights).sum(), weights.sum()
    share = np.cumsum(amounts * weights) / total
    before = np.concatenate([[0.0], share[:-1]])
    return ((share + before) / 2 * weights).sum() / count - 0.5


def highest_first(values):
    return np.argsort(-values, kind="stable")


def gini(actual, predicted):
    """Normalised: 1 when the ranking by prediction is the ranking by spend (google/lifetime_value, metrics.py)."""
    ones = np.ones(len(actual))
    return lorenz_area(actual, highest_first(predicted), ones) / lorenz_area(actual, highest_first(actual), ones)


def deviances(actual, predicted):
    """The Poisson deviance of each user's spend, over the mean spend. Nothing expected counts as a millionth of the mean."""
    mean = actual.mean()
    predicted = np.maximum(predicted, 1e-6 * mean)
    logarithm = np.log(np.where(actual > 0, actual, predicted) / predicted)
    return 2 * (actual * logarithm - actual + predicted) / mean


def tenths(actual, predicted):
    """The mean spend and the mean prediction of tenths of users, the lowest predictions first."""
    parts = np.array_split(np.argsort(predicted, kind="stable"), 10)
    return [(float(actual[part].mean()), float(predicted[part].mean())) for part in parts]


def figures(actual, predicted):
    mean = actual.mean()
    of_tenths = [pair for pair in tenths(actual, predicted) if pair[0] > 0]
    highest = highest_first(predicted)[: len(actual) // 10]
    return {
        "bias": predicted.sum() / actual.sum() - 1,
        "gini": gini(actual, predicted),
        "deviance": deviances(actual, predicted).mean(),
        "mae": np.abs(actual - predicted).mean() / mean,
        # Of tenths in which anything was spent.
        "decile_mape": float(np.mean([abs(expected - spent) / spent for spent, expected in of_tenths])),
        "top_tenth_share": actual[highest].sum() / actual.sum(),
    }


def standard_errors(actual, ours, others):
    """Of our Gini and deviance minus each other's, by drawing users again and again, the same ones for all."""
    random = np.random.default_rng(1)
    count, best = len(actual), highest_first(actual)
    tools = {"": ours, **others}
    ranks = {name: highest_first(of) for name, of in tools.items()}
    losses = {name: deviances(actual, of) for name, of in tools.items()}
    of_gini, of_deviance = {name: [] for name in others}, {name: [] for name in others}
    for _ in range(DRAWS):
        weights = np.bincount(random.integers(0, count, count), minlength=count).astype(float)
        whole = lorenz_area(actual, best, weights)
        ginis = {name: lorenz_area(actual, rank, weights) / whole for name, rank in ranks.items()}
        for name in others:
            of_gini[name].append(ginis[""] - ginis[name])
            of_deviance[name].append(((losses[""] - losses[name]) * weights).sum() / count)
    return {name: {"gini": float(np.std(of_gini[name])), "deviance": float(np.std(of_deviance[name]))} for name in others}


def coverage(actual, low, high):
    """The share of users whose spend lies within their interval, of those that have one."""
    known = ~(np.isnan(low) | np.isnan(high))
    if not known.any():
        return None
    return float(((actual >= low) & (actual <= high))[known].mean())
