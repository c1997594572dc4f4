"""Asks for health over TLS, as a probe does: health.py HOST:PORT TLS_FOLDER NAME..."""

import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

server, folder, *names = sys.argv[1:]
files = [(Path(folder) / name).read_bytes() for name in ["ca.crt", "client.key", "client.crt"]]
health = health_pb2_grpc.HealthStub(grpc.secure_channel(server, grpc.ssl_channel_credentials(*files)))
for name in names:
    answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=2)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
