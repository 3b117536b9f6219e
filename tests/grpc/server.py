"""A server of gRPC for the tests of the gateway. Messages are bytes, without protobuf.

Prints the port on which it listens, and runs until its input ends.

    server.py [CERTIFICATE KEY]
"""

import sys
import threading
import time
from concurrent import futures

import grpc


def unary(request, context):
    return request


def compressed(request, context):
    context.set_compression(grpc.Compression.Gzip)
    return request


def collect(requests, context):
    return b"".join(requests)


def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def echo(requests, context):
    for request in requests:
        yield request


def sleep(requests, context):
    cancelled = threading.Event()
    context.add_callback(cancelled.set)
    for request in requests:
        yield request
        cancelled.wait(float(request))


def fail(request, context):
    code, message = request.decode().split(" ", 1)
    context.abort(list(grpc.StatusCode)[int(code)], message)


def fail_stream(requests, context):
    for request in requests:
        fail(request, context)
        yield request


def metadata(request, context):
    sent = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
    context.send_initial_metadata(sent)
    context.set_trailing_metadata([(f"{key[:-4]}-back-bin" if key.endswith("-bin") else f"{key}-back", value) for key, value in sent])
    return request


def remaining(request, context):
    return b"%d" % int(context.time_remaining() or 0)


# What the health protocol answers, by the message of a request: one field, the name of a service.
HEALTH = {
    b"": b"\x08\x01",
    b"\x0a\x04shop": b"\x08\x01",
    b"\x0a\x05ill-1": b"\x08\x02",
}


def health(request, context):
    if request not in HEALTH:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return HEALTH[request]


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Compressed": grpc.unary_unary_rpc_method_handler(compressed),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Echo": grpc.stream_stream_rpc_method_handler(echo),
    "Sleep": grpc.stream_stream_rpc_method_handler(sleep),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailStream": grpc.stream_stream_rpc_method_handler(fail_stream),
    "Metadata": grpc.unary_unary_rpc_method_handler(metadata),
    "Remaining": grpc.unary_unary_rpc_method_handler(remaining),
}


def listen(server, certificate=None, key=None):
    if certificate is None:
        return server.add_insecure_port("127.0.0.1:0")
    pair = tuple(open(path, "rb").read() for path in (key, certificate))
    return server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))


def main():
    server = grpc.server(futures.ThreadPoolExecutor(32))
    handler = grpc.method_handlers_generic_handler("test.Test", METHODS)
    checks = {"Check": grpc.unary_unary_rpc_method_handler(health)}
    checks = grpc.method_handlers_generic_handler("grpc.health.v1.Health", checks)
    server.add_generic_rpc_handlers((handler, checks))
    port = listen(server, *sys.argv[1:])
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
