"""Stands between a client and a server, and refuses the first calls as an overloaded server would.

refusing.py HOST:PORT REFUSALS prints its own port, and on standard error a line for each ScoreUser that it sees.
"""

import sys
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

SCORE_USER = "/churn.v1.ScoringService/ScoreUser"


class Between(grpc.GenericRpcHandler):
    def __init__(self, server, refusals):
        self.channel, self.refusals = grpc.insecure_channel(server), refusals

    def service(self, details):
        method = details.method
        if method.endswith("/StreamScoreUsers"):
            return grpc.stream_stream_rpc_method_handler(
                lambda requests, context: self.channel.stream_stream(method)(requests)
            )
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.unary(method, request, context))

    def unary(self, method, request, context):
        if method == SCORE_USER:
            left = context.time_remaining()
            print(f"ScoreUser with {'no deadline' if left is None else 'a deadline'}", file=sys.stderr, flush=True)
            if self.refusals > 0:
                self.refusals -= 1
                context.abort_with_status(rpc_status.to_status(overloaded()))
        try:
            return self.channel.unary_unary(method)(request, timeout=5)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            context.abort_with_status(rpc_status.to_status(status))


def overloaded():
    info, retry = any_pb2.Any(), any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="churn.v1"))
    retry.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=25_000_000)))
    code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    return status_pb2.Status(code=code, message="the server is busy; try again in 25 ms", details=[info, retry])


def main():
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Between(sys.argv[1], int(sys.argv[2]))])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
