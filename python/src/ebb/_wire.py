"""The protocol's messages, in a pool of their own.

Modules that a caller has generated from the same protocol, of this or another version, live in the default pool: the two
never meet.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from ._errors import UsageError

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ImportError as error:
    raise ImportError("the client needs grpcio and protobuf: pip install 'ebb[client]'") from error



@functools.cache
def pool() -> Any:
    """The descriptors of churn.v1 and of what it imports."""
    data = resources.files(__package__).joinpath("churn_v1.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@functools.cache
def message(name: str) -> Any:
    """The class of a message of churn.v1."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"churn.v1.{name}"))


@functools.cache
def words(enum: str) -> dict[int, str | None]:
    """The values of an enum in lower case and without their prefix; None for the unspecified one.

    ``RISK_BAND_HIGH`` is ``high``.
    """
    values = pool().FindEnumTypeByName(f"churn.v1.{enum}").values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() if value.number else None for value in values}


def word(enum: str, number: int) -> str | None:
    """The value of an enum; a number of a newer server as digits."""
    return words(enum).get(number, str(number))


def number(enum: str, name: str) -> int:
    """The number of a value that a caller names in lower case.

    Raises
    ------
    UsageError
        If there is no such value.
    """
    known = {word: number for number, word in words(enum).items() if word is not None}
    if name not in known:
        raise UsageError(f"`{name}` is none of {', '.join(known)}")
    return known[name]
