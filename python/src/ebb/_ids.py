"""Ids of users."""

from __future__ import annotations

import math
from typing import Any

from ._errors import UsageError


def id_text(user: Any) -> str:
    """An id as text: a floating-point number that is whole has no fraction, as pandas makes them."""
    if isinstance(user, float):
        if math.isnan(user):
            raise UsageError("the id of a user is missing (NaN)")
        if user.is_integer():
            return str(int(user))
    return str(user)
