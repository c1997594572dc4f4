"""A simulated business whose users' lives are known: what is lost when they leave, beside what is said to be at risk.

Users buy by Pareto/NBD and spend by gamma-gamma. The realised loss of users that look alike is what those spend after the day
that buy in the churn horizon minus what those spend that do not, for every one that does not.
"""

import numpy as np
import pandas as pd

from value_logs import Case

USERS = 12_000
ARRIVALS_DAYS, AS_OF_DAYS, RESIDUAL_DAYS = 540, 900, 730
BEGIN = pd.Timestamp("2020-01-01")
LIKE = 20
FEWEST_OF_EACH = 4

# A day's rate of buying and leaving, and amounts.
RATE, LEAVING, AMOUNT = (1.2, 36.0), (0.9, 260.0), (6.0, 4.0, 15.0)


def simulate(_=None):
    random = np.random.default_rng(5)
    rate = random.gamma(RATE[0], 1 / RATE[1], USERS)
    life = random.exponential(1 / random.gamma(LEAVING[0], 1 / LEAVING[1], USERS))
    scale = random.gamma(AMOUNT[1], 1 / AMOUNT[2], USERS)
    first = random.uniform(0, ARRIVALS_DAYS, USERS)
    end = AS_OF_DAYS + RESIDUAL_DAYS
    span = np.clip(np.minimum(life, end - first), 0.0, None)
    # The first purchase and those after it.
    count = 1 + random.poisson(rate * span)
    number = np.repeat(np.arange(USERS), count)
    offset = random.uniform(0, 1, count.sum()) * span[number]
    offset[np.concatenate([[0], np.cumsum(count)[:-1]])] = 0.0
    log = pd.DataFrame({"user": [f"u{user:05}" for user in number], "time": first[number] + offset})
    log["amount"] = np.maximum(random.gamma(AMOUNT[0], 1 / scale[number]), 0.01).round(2)
    log["time"] = (BEGIN + pd.to_timedelta(log.time, unit="D")).dt.floor("s")
    return log.assign(kind="purchase")[["user", "time", "kind", "amount"]]


CASE = Case("lives", simulate, str((BEGIN + pd.Timedelta(days=AS_OF_DAYS)).date()), 180, 365, 90)


def realised(log, scores):
    """The realised loss and the two ways to state it, summed over users; `scores` have the residual value of two years."""
    later = log[log.time >= CASE.at]
    spent = later.groupby("user").amount.sum().reindex(scores.index, fill_value=0.0)
    horizon = later[later.time < CASE.at + pd.Timedelta(days=CASE.churn_days)]
    silent = ~scores.index.isin(horizon.user.unique())
    # Alike: about the same probability and the same value.
    alike = pd.qcut(scores.churn_probability.rank(method="first"), LIKE, labels=False).astype(int)
    rank = scores.value_residual.groupby(alike).rank(pct=True, method="first")
    alike = alike * LIKE + np.ceil(rank * LIKE / 4).astype(int)
    table = pd.DataFrame({"spent": spent, "silent": silent, "residual": scores.value_residual, "at_risk": scores.value_at_risk})
    table["naive"] = scores.churn_probability * scores.value_residual
    loss, measured = 0.0, []
    for _, rows in table.groupby(alike.to_numpy()):
        # What nobody that came back spends is not known of those that nearly all left.
        if min(rows.silent.sum(), (~rows.silent).sum()) >= FEWEST_OF_EACH:
            by_silence = rows.groupby("silent").spent.mean()
            loss += rows.silent.sum() * (by_silence[False] - by_silence[True])
            measured.append(rows)
    measured = pd.concat(measured)
    return {
        "users": len(scores),
        "measured_users": len(measured),
        "realised_loss": float(loss),
        "value_at_risk": float(measured.at_risk.sum()),
        "p_times_residual": float(measured.naive.sum()),
        "realised_residual": float(measured.spent.sum()),
        "residual": float(measured.residual.sum()),
        "value_at_risk_of_all_users": float(table.at_risk.sum()),
    }
