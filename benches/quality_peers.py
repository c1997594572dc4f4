"""What else one would predict with: four models on some 30 features made with pandas, and BG/NBD.

Every peer learns from the three newest windows that ended before the cut-off, as a careful analyst would, and gives a
probability for every user who is asked about.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from quality_logs import ACTIVITY

try:
    import lightgbm
except (ImportError, OSError):  # not installed, or without the OpenMP library that it loads
    lightgbm = None

# How many windows before the cut-off the peers learn from.
WINDOWS = 3


def asked_about(log, case, at):
    """The users who bought in the days before `at`, in order of their first row there."""
    bought = log[log.kind.eq(ACTIVITY)]
    recent = bought[(bought.time < at) & (bought.time >= at - case.days(case.active_days))]
    return pd.Index(recent.user.unique(), name="user")


def churned(log, case, at, users):
    """1 for each of the users who buys nothing in the horizon from `at` on, else 0."""
    bought = log[log.kind.eq(ACTIVITY)]
    later = bought[(bought.time >= at) & (bought.time < at + case.days(case.horizon_days))]
    return (~users.isin(later.user.unique())).astype(int)


def features(log, case, at, users):
    """Recency, frequency, money and rhythm as known at `at`, a row a user."""
    seen = log[(log.time < at) & log.user.isin(users)].sort_values("time")
    bought = seen[seen.kind.eq(ACTIVITY)].assign(day=lambda events: events.time.dt.normalize())
    days_until = lambda times: (at - times).dt.total_seconds() / 86_400
    by_user = bought.groupby("user")
    table = pd.DataFrame(index=users)
    table["recency"] = days_until(by_user.time.max())
    table["recency_of_any"] = days_until(seen.groupby("user").time.max())
    table["tenure"] = days_until(seen.groupby("user").time.min())
    table["purchases"] = by_user.size()
    table["purchase_days"] = by_user.day.nunique()
    for share in (0.25, 0.5, 1, 2, 4):
        window = bought[bought.time >= at - case.days(case.horizon_days * share)].groupby("user")
        table[f"purchases_{share}"] = window.size()
        table[f"amount_{share}"] = window.amount.sum().clip(lower=0)
        table[f"purchase_days_{share}"] = window.day.nunique()
    table["amount"] = by_user.amount.sum().clip(lower=0)
    table["amount_mean"] = by_user.amount.mean().clip(lower=0)
    days = bought.drop_duplicates(["user", "day"])
    gaps = days.assign(gap=days.groupby("user").day.diff().dt.days).groupby("user").gap
    table["gap_mean"], table["gap_deviation"] = gaps.mean(), gaps.std()
    for kind in sorted(log.kind.unique()):
        table[f"kind_{kind}"] = seen[seen.kind.eq(kind)].groupby("user").size()
    # A user of one purchase has no gap: one that is longer than any horizon.
    table = table.fillna({"gap_mean": 4 * case.horizon_days, "gap_deviation": 2 * case.horizon_days}).fillna(0.0)
    table["overdue"] = table.recency / (table.gap_mean + 1)
    table["recency_share"] = table.recency / (table.tenure + 1)
    return table


def windows(past, case):
    """Features and outcomes at the ends of the windows before the cut-off, the newest first."""
    made = []
    for number in range(1, WINDOWS + 1):
        at = case.at - case.days(number * case.horizon_days)
        # Too little is known so early in the log.
        if at - past.time.min() < case.days(case.horizon_days):
            break
        users = asked_about(past, case, at)
        made.append((features(past, case, at, users), churned(past, case, at, users)))
    return made


def logistic():
    return make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=3000, C=0.3))


def boosting():
    shape = {"max_iter": 150, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 40}
    return HistGradientBoostingClassifier(**shape, l2_regularization=1.0, random_state=0)


def light_gbm(learnt, now):
    """LightGBM, its shape chosen on the newest window and fitted again on all."""
    common = {"objective": "binary", "learning_rate": 0.03, "bagging_fraction": 0.8, "bagging_freq": 1, "verbose": -1}
    common |= {"num_threads": 1, "seed": 1}
    penalties = [(20, 1.0, 0.8), (80, 10.0, 0.5)]
    shapes = [
        {"num_leaves": leaves, "min_data_in_leaf": rows, "lambda_l2": l2, "feature_fraction": share}
        for leaves in (4, 8, 16, 31)
        for rows, l2, share in penalties
    ]
    names = [f"f{number}" for number in range(now.shape[1])]  # LightGBM takes no dots in names
    tables = [table.set_axis(names, axis=1) for table, _ in learnt]
    outcomes = [outcome for _, outcome in learnt]
    everything = lightgbm.Dataset(pd.concat(tables), np.concatenate(outcomes))
    chosen, rounds, least = shapes[2], 150, np.inf
    older = np.concatenate(outcomes[1:]) if len(learnt) > 1 else np.zeros(0)
    if len(older) and 0 < outcomes[0].mean() < 1 and 0 < older.mean() < 1:
        for shape in shapes:
            train, held_out = lightgbm.Dataset(pd.concat(tables[1:]), older), lightgbm.Dataset(tables[0], outcomes[0])
            stop = lightgbm.early_stopping(50, verbose=False)
            model = lightgbm.train(common | shape, train, 800, valid_sets=[held_out], callbacks=[stop])
            loss = model.best_score["valid_0"]["binary_logloss"]
            if loss < least:
                least, chosen, rounds = loss, shape, max(model.best_iteration, 10)
    return lightgbm.train(common | chosen, everything, rounds).predict(now.set_axis(names, axis=1))


def bg_nbd(past, case, users):
    """The probability of no purchase in the horizon by BG/NBD (Fader, Hardie and Lee 2005), in weeks."""
    bought = past[past.kind.eq(ACTIVITY)]
    days = bought.assign(day=bought.time.dt.normalize()).drop_duplicates(["user", "day"])
    seen = days.groupby("user").day.agg(["min", "max", "size"])
    repeats = seen["size"].to_numpy() - 1.0
    last = ((seen["max"] - seen["min"]).dt.days / 7).to_numpy()
    age = ((case.at - seen["min"]).dt.days / 7).to_numpy()
    # 20,000 users fix four parameters.
    sample = np.random.default_rng(0).permutation(len(repeats))[:20_000]

    def loss(logs, x=repeats[sample], t=last[sample], T=age[sample]):
        r, alpha, a, b = np.exp(np.clip(logs, -15, 15))
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + T)
        # Nobody leaves before a repeat purchase.
        left = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + t)
        return -(common + np.logaddexp(alive, np.where(x > 0, left, -np.inf))).mean()

    tight = {"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-9}
    r, alpha, a, b = np.exp(minimize(loss, np.zeros(4), method="Nelder-Mead", options=tight).x)
    growth = np.exp((r + repeats) * (np.log(alpha + age) - np.log(alpha + last)))
    odds = np.where(repeats > 0, a / (b + np.maximum(repeats, 1) - 1) * growth, 0.0)
    horizon = case.horizon_days / 7
    silent = np.exp((r + repeats) * (np.log(alpha + age) - np.log(alpha + age + horizon)))
    return pd.Series(1 - (1 - silent) / (1 + odds), index=seen.index).reindex(users).to_numpy()


def predictions(log, case):
    """The users asked about, and for each peer their probabilities of churn; nothing from the cut-off on is seen."""
    past = log[log.time < case.at]
    users = asked_about(past, case, case.at)
    learnt, now = windows(past, case), features(past, case, case.at, users)
    table, outcome = pd.concat([table for table, _ in learnt]), np.concatenate([outcome for _, outcome in learnt])
    found = {"base_rate": np.full(len(users), outcome.mean())}
    for name, model in [("logistic", logistic()), ("boosting", boosting())]:
        found[name] = model.fit(table, outcome).predict_proba(now)[:, 1]
    if lightgbm:
        found["lightgbm"] = light_gbm(learnt, now)
    found["bg_nbd"] = bg_nbd(past, case, users)
    return users, found
