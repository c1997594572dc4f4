"""How good estimates of spend are: figures of `value.py`."""

import numpy as np

DRAWS = 1000


def lorenz_area(amounts, order, weights):
    """The area between the curve of shares of the total, best users first, and the diagonal."""
    amounts, weights = amounts[order], weights[order]
    total, count = (amounts * weights).sum(), weights.sum()
    share = np.cumsum(amounts * weights) / total
    before = np.concatenate([[0.0], share[:-1]])
    return ((share + before) / 2 * weights).sum() / count - 0.5


def gini(actual, predicted, weights=None):
    """Normalised: 1 when the ranking by prediction is the ranking by spend (google/lifetime_value, metrics.py)."""
    weights = np.ones(len(actual)) if weights is None else weights
    best = lorenz_area(actual, np.argsort(-actual, kind="stable"), weights)
    return lorenz_area(actual, np.argsort(-predicted, kind="stable"), weights) / best


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
    highest = np.argsort(-predicted, kind="stable")[: len(actual) // 10]
    return {
        "bias": predicted.sum() / actual.sum() - 1,
        "gini": gini(actual, predicted),
        "deviance": deviances(actual, predicted).mean(),
        "mae": np.abs(actual - predicted).mean() / mean,
        # Of tenths in which anything was spent.
        "decile_mape": float(np.mean([abs(expected - spent) / spent for spent, expected in of_tenths])),
        "top_tenth_share": actual[highest].sum() / actual.sum(),
    }


def standard_errors(actual, ours, other):
    """Of our Gini and deviance minus another's, by drawing users again and again."""
    random = np.random.default_rng(1)
    count = len(actual)
    ours_of_user, others = deviances(actual, ours), deviances(actual, other)
    of_gini, of_deviance = [], []
    for _ in range(DRAWS):
        weights = np.bincount(random.integers(0, count, count), minlength=count).astype(float)
        of_gini.append(gini(actual, ours, weights) - gini(actual, other, weights))
        of_deviance.append(((ours_of_user - others) * weights).sum() / count)
    return {"gini": float(np.std(of_gini)), "deviance": float(np.std(of_deviance))}


def coverage(actual, low, high):
    """The share of users whose spend lies within their interval, of those that have one."""
    known = ~(np.isnan(low) | np.isnan(high))
    if not known.any():
        return None
    return float(((actual >= low) & (actual <= high))[known].mean())
