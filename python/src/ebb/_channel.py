"""Connections to ebb-serve: encryption, key, keep-alive and retries."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import grpc
except ImportError as error:
    raise ImportError("the client needs grpcio and protobuf: pip install 'ebb[client]'") from error

from ._errors import UsageError

#: What a call that failed raises.
RpcError = grpc.RpcError

#: gRPC retries calls by itself: at most four attempts, after 0.1, 0.2 and 0.4 seconds with a jitter, or when the server
#: says (`grpc-retry-pushback-ms`). When many calls fail, the throttling stops retries before they add to an overload.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "churn.v1.ScoringService"},
                {"service": "churn.v1.ModelService", "method": "GetModel"},
                {"service": "churn.v1.ModelService", "method": "ListModels"},
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
    # Calls are distributed over all addresses of the server's name.
    "loadBalancingConfig": [{"round_robin": {}}],
}

OPTIONS = [
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # Pings a silent server, so that a dead connection is found before a call needs it.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True)
class Tls:
    """How a connection is encrypted.

    Attributes
    ----------
    ca : path, optional
        The authorities of the server's certificate, as PEM; by default those that gRPC comes with.
    certificate, key : path, optional
        The client's own certificate and its key, as PEM, for a server that asks for one.
    server_name : str, optional
        The name in the server's certificate, where it is not the host.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    server_name: str | None = None

    def credentials(self) -> Any:
        """What gRPC encrypts with."""
        if (self.certificate is None) != (self.key is None):
            raise UsageError("the client's certificate and its key go together: give both in Tls, or neither")
        ca, certificate, key = (
            None if path is None else Path(path).read_bytes() for path in (self.ca, self.certificate, self.key)
        )
        return grpc.ssl_channel_credentials(ca, key, certificate)


class BearerKey(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Sends a key over an unencrypted connection, which gRPC's own credentials refuse."""

    def __init__(self, key: str) -> None:
        self._header = ("authorization", f"Bearer {key}")

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = [*(details.metadata or ()), self._header]
        return continuation(details._replace(metadata=metadata), request)


def channel(address: str, key: str | None, tls: bool | str | os.PathLike[str] | Tls | None) -> Any:
    """A channel to a server.

    Raises
    ------
    UsageError
        If a key would leave this machine unencrypted.
    """
    if tls is None or tls is False:
        if key is None:
            return grpc.insecure_channel(address, OPTIONS)
        if not is_local(address):
            raise UsageError(
                f"a key must not be sent to {address} unencrypted: give tls=True, or tls='ca.crt' for an authority of "
                "your own"
            )
        return grpc.intercept_channel(grpc.insecure_channel(address, OPTIONS), BearerKey(key))
    if not isinstance(tls, Tls):
        tls = Tls() if tls is True else Tls(ca=tls)
    credentials = tls.credentials()
    if key is not None:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(key))
    name = [] if tls.server_name is None else [("grpc.ssl_target_name_override", tls.server_name)]
    return grpc.secure_channel(address, credentials, OPTIONS + name)


def is_local(address: str) -> bool:
    """Whether an address is on this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
