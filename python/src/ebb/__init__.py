"""Churn prediction from an event log: fit, score and explain, and a client of ebb-serve.

>>> import ebb
>>> m = ebb.fit(orders, user="customer_id", time="order_date", amount="total", horizon_days=60)
>>> m.score()
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from ._errors import DataError, EbbError, EbbWarning, UsageError, VerdictError
from ._evaluation import Evaluation
from ._explanation import Explanation
from ._features import features
from ._model import Model, fit, load

if TYPE_CHECKING:
    from .client import Client, ServerError

__version__ = _version("ebb")

__all__ = [
    "Client",
    "DataError",
    "EbbError",
    "EbbWarning",
    "Evaluation",
    "Explanation",
    "Model",
    "ServerError",
    "UsageError",
    "VerdictError",
    "__version__",
    "features",
    "fit",
    "load",
]


def __getattr__(name: str) -> Any:
    # grpcio is not among the requirements, and takes a while to import.
    if name in ("Client", "ServerError"):
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module 'ebb' has no attribute {name!r}")
