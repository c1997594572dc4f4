"""What else one would use to say what users will spend, on the same log and the same question.

Every model is learnt from what came before the cut-off: BTYD models from order days and their amounts, regressions from
26 features at one to three earlier dates whose label windows end before it.
"""

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

DAY = pd.Timedelta(days=1)
NODES, SHARES = np.polynomial.legendre.leggauss(64)
FEWEST_REPEATERS = 100


def asked_about(log, case, at):
    """Users with a purchase in the days before `at` that count."""
    bought = log[(log.kind == "purchase") & (log.time < at)]
    if case.active_days:
        bought = bought[bought.time >= at - case.active_days * DAY]
    return pd.Index(sorted(bought.user.unique()), name="user")


def spend(log, at, days, users):
    """Net money of each user in the window, floored at 0."""
    window = log[(log.time >= at) & (log.time < at + days * DAY)]
    return window.groupby("user").amount.sum().reindex(users, fill_value=0.0).clip(lower=0.0).to_numpy()


def orders(log, at):
    """Repeat order days x, their age t_x, the age T of the first one in days, and the mean amount of the repeats."""
    past = log[log.time < at]
    days = past.assign(day=past.time.dt.normalize()).groupby(["user", "day"], as_index=False).amount.sum()
    days = days[days.amount > 0].sort_values(["user", "day"])
    each = days.groupby("user")
    table = each.agg(first=("day", "min"), last=("day", "max"), count=("day", "size"), total=("amount", "sum"))
    table["x"] = table["count"] - 1
    table["tx"] = (table["last"] - table["first"]).dt.days.astype(float)
    table["T"] = (at - table["first"]).dt.days.astype(float)
    repeats = days[each.cumcount() > 0].groupby("user").amount.mean()
    table["z"] = repeats.reindex(table.index)
    return table


def states(table):
    """Distinct (x, t_x, T) with how many users each has, and the row of each user among them."""
    keys, where, counts = np.unique(table[["x", "tx", "T"]].to_numpy(float), axis=0, return_inverse=True, return_counts=True)
    return keys.T, counts, where.ravel()


def maximise(log_likelihood, count, starts, box):
    """The best of a few descents on logarithms of parameters within a box."""
    best = None
    for start in starts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = minimize(lambda p: -log_likelihood(np.exp(p)), start, method="L-BFGS-B", bounds=[box] * count)
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    return np.exp(best.x)


class OrderModel:
    """Four parameters fitted by maximum likelihood, times in units of the mean age of a user."""

    #: Where the descents begin, and which of the parameters are times.
    STARTS: list[list[float]]
    TIMES: list[bool]

    def __init__(self, table):
        (x, tx, T), counts, _ = states(table)
        unit = max(float(np.average(T, weights=counts)), 1.0)
        states_of = (x, tx / unit, T / unit)
        weigh = counts / counts.sum()
        likelihood = lambda p: float(weigh @ self.log_likelihood(p, *states_of)[0])
        found = maximise(likelihood, 4, np.log(self.STARTS), (np.log(1e-6), np.log(1e6)))
        self.parameters = tuple(found * np.where(self.TIMES, unit, 1.0))


class ParetoNbd(OrderModel):
    """Schmittlein, Morrison and Colombo (1987), with all terms positive: an integral instead of 2F1."""

    STARTS = [[0.5, 1.0, 0.5, 1.0], [1.0, 0.5, 2.0, 5.0]]
    TIMES = [False, True, False, True]

    @staticmethod
    def log_likelihood(parameters, x, tx, T):
        """The log-likelihood and the logarithm of its part in which the user is alive."""
        r, a, s, b = parameters
        common = gammaln(r + x) - gammaln(r) + r * np.log(a) + s * np.log(b)
        alive = -(r + x) * np.log(a + T) - s * np.log(b + T)
        # Nodes in the logarithm of b + u.
        low, high = np.log(b + tx), np.log(b + T)
        half = (high - low) / 2
        v = np.exp(low[:, None] + half[:, None] * (NODES + 1))
        inner = -(r + x)[:, None] * np.log(np.maximum(a - b + v, 1e-300)) - s * np.log(v)
        top = inner.max(axis=1)
        gone = top + np.log(s * np.maximum(half, 1e-300)) + np.log(np.exp(inner - top[:, None]) @ SHARES)
        return common + np.logaddexp(alive, gone), common + alive

    def orders(self, x, tx, T, days):
        """Expected orders in the next days."""
        r, a, s, b = self.parameters
        whole, alive = self.log_likelihood(self.parameters, x, tx, T)
        u = days * (NODES + 1) / 2
        decay = ((b + T)[:, None] / ((b + T)[:, None] + u)) ** s
        return np.exp(alive - whole) * (r + x) / (a + T) * (decay @ SHARES) * days / 2


class BgNbd(OrderModel):
    """Fader, Hardie and Lee (2005); what is expected by a series of positive terms, also where nobody leaves."""

    STARTS = [[0.5, 1.0, 0.5, 1.0], [0.5, 0.5, 0.8, 2.5]]
    TIMES = [False, True, False, False]

    @staticmethod
    def log_likelihood(parameters, x, tx, T):
        r, alpha, a, b = parameters
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + T)
        left = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + tx)
        return common + np.logaddexp(alive, np.where(x > 0, left, -np.inf)), common + alive

    def orders(self, x, tx, T, days):
        r, alpha, a, b = self.parameters
        whole, alive = self.log_likelihood(self.parameters, x, tx, T)
        nodes, shares = np.polynomial.legendre.leggauss(16)
        expected = np.zeros(len(x))
        for node, share in zip(nodes, shares):
            z = days * (node + 1) / 2 / (alpha + T)
            # 2F1(r + x + 1, a; a + b + x; -z) by Pfaff's transformation.
            y, power, c = z / (1 + z), r + x + 1, a + b + x
            term, total = np.ones(len(x)), np.ones(len(x))
            for k in range(4000):
                term = term * (power + k) * (b + x + k) / ((c + k) * (k + 1)) * y
                total += term
                if (term < 1e-12 * total).all():
                    break
            expected += share * (r + x) / (alpha + T) * np.exp(np.log(total) - power * np.log1p(z))
        return np.exp(alive - whole) * expected * days / 2


class GammaGamma:
    """Fader and Hardie, note 025; the mean amount where there are few repeaters or the two are correlated."""

    def __init__(self, table):
        repeaters = table[(table.x > 0) & (table.z > 0)]
        self.mean = float(table.total.sum() / (table.x + 1).sum())
        x, z = repeaters.x.to_numpy(float), repeaters.z.to_numpy() / self.mean
        self.parameters = None
        if len(repeaters) < FEWEST_REPEATERS:
            return

        def likelihood(parameters):
            p, q, v = parameters
            whole = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v) + (p * x - 1) * np.log(z)
            return float((whole + p * x * np.log(x) - (p * x + q) * np.log(x * z + v)).mean())

        p, q, v = maximise(likelihood, 3, [np.log([6.0, 4.0, 1.0]), np.log([2.0, 3.0, 2.0])], (np.log(1e-3), np.log(1e4)))
        if q > 1.05:
            self.parameters = p, q, v * self.mean

    def amount(self, table):
        if self.parameters is None:
            x, z = table.x.to_numpy(float), table.z.fillna(0.0).to_numpy()
            return np.full(len(table), self.mean)
        p, q, v = self.parameters
        x, z = table.x.to_numpy(float), table.z.fillna(0.0).to_numpy()
        return p * (v + x * z) / (p * x + q - 1)


def btyd(model, log, at, days, users):
    """Expected orders times the expected amount of one, 0 for a user without an order."""
    table = orders(log, at)
    fitted, amounts = model(table), GammaGamma(table)
    keys, _, where = states(table)
    expected = pd.Series(fitted.orders(*keys, days)[where] * amounts.amount(table), index=table.index)
    return expected.reindex(users, fill_value=0.0).to_numpy(), fitted


def features(log, at, days, users):
    """A row a user, from what happened before `at`; windows are multiples of `days`."""
    past = log[(log.time < at) & log.user.isin(users)]
    bought = past[past.kind == "purchase"]
    ago = lambda times: (at - times).dt.total_seconds() / 86400
    table = pd.DataFrame(index=users)
    table["recency"] = ago(bought.groupby("user").time.max())
    table["recency_of_any_kind"] = ago(past.groupby("user").time.max())
    table["tenure"] = ago(past.groupby("user").time.min())
    table["purchases"] = bought.groupby("user").size()
    bought = bought.assign(day=bought.time.dt.normalize())
    table["days"] = bought.groupby("user").day.nunique()
    for multiple in (0.25, 0.5, 1, 2, 4):
        newest = bought[bought.time >= at - days * multiple * DAY].groupby("user")
        table[f"purchases_{multiple}"] = newest.size()
        table[f"amount_{multiple}"] = newest.amount.sum().clip(lower=0)
        table[f"days_{multiple}"] = newest.day.nunique()
    each = bought.groupby("user").amount
    table["amount"], table["amount_mean"] = each.sum().clip(lower=0), each.mean().clip(lower=0)
    on_days = bought.drop_duplicates(["user", "day"]).sort_values(["user", "day"])
    gaps = on_days.assign(gap=on_days.groupby("user").day.diff().dt.days).groupby("user").gap
    table["gap_mean"], table["gap_deviation"] = gaps.mean(), gaps.std()
    table = table.fillna({"gap_mean": 4 * days, "gap_deviation": 2 * days}).fillna(0.0)
    table["overdue"] = table.recency / (table.gap_mean + 1)
    table["recency_share"] = table.recency / (table.tenure + 1)
    return table.clip(lower=0.0)


FEWEST_DAYS_BEFORE = 30
SHORTER_WINDOW = 91


def learnt(log, case):
    """Tables and spend per `horizon_days` at up to three earlier dates. The label windows are as long as the horizon where that
    leaves as much time before the first of them, and else the shorter of half of that and 91 days, scaled up."""
    begin = log.time.min()
    window = case.horizon_days
    if (case.at - begin).days < 2 * window:
        window = min(window, SHORTER_WINDOW)
    window = min(window, ((case.at - begin).days - FEWEST_DAYS_BEFORE) // 2)
    found = []
    for number in (1, 2, 3):
        at = case.at - number * window * DAY
        if (at - begin).days < max(window, FEWEST_DAYS_BEFORE) and found:
            break
        users = asked_about(log, case, at)
        table = features(log, at, case.horizon_days, users)
        found.append((table, spend(log, at, window, users) * case.horizon_days / window))
    return pd.concat([table for table, _ in found]), np.concatenate([amount for _, amount in found])


def scaled(model):
    return make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), model)


def poisson_glm(table, amount, now):
    model = scaled(PoissonRegressor(alpha=1e-3, max_iter=1000, solver="newton-cholesky"))
    return model.fit(table, amount / amount.mean()).predict(now) * amount.mean()


def boosting(table, amount, now):
    settings = {"max_iter": 150, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 1.0}
    return HistGradientBoostingRegressor(loss="poisson", random_state=0, **settings).fit(table, amount).predict(now)


def hurdle_lognormal(table, amount, now):
    """Whether anything is spent times how much: exp(mean of the logarithm + half its variance)."""
    spends = amount > 0
    whether = scaled(LogisticRegression(C=0.3, max_iter=3000)).fit(table, spends)
    how_much = scaled(Ridge(alpha=1.0)).fit(table[spends], np.log(amount[spends]))
    variance = (np.log(amount[spends]) - how_much.predict(table[spends])).var()
    return whether.predict_proba(now)[:, 1] * np.exp(how_much.predict(now) + variance / 2)


def rate(past, case, users):
    """What was spent a day since the first purchase, of a month at least, times the horizon."""
    each = past[past.kind == "purchase"].groupby("user")
    days = (case.at - each.time.min()).dt.total_seconds() / 86400
    each_day = each.amount.sum() / days.clip(lower=FEWEST_DAYS_BEFORE)
    return (each_day * case.horizon_days).reindex(users, fill_value=0.0).clip(lower=0.0).to_numpy()


def predictions(log, case):
    """The users asked about and each peer's expected spend; nothing from the cut-off on is seen."""
    past = log[log.time < case.at]
    users = asked_about(past, case, case.at)
    bought = past[past.kind == "purchase"]
    found = {"rate x H": rate(past, case, users)}
    for name, model in [("BG/NBD x gamma-gamma", BgNbd), ("Pareto/NBD x gamma-gamma", ParetoNbd)]:
        found[name], _ = btyd(model, bought, case.at, case.horizon_days, users)
    (table, amount), now = learnt(past, case), features(past, case.at, case.horizon_days, users)
    for name, model in [("hurdle lognormal", hurdle_lognormal), ("Poisson GLM", poisson_glm), ("boosting (Poisson loss)", boosting)]:
        found[name] = model(table, amount, now)
    return users, found
