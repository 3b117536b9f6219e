"""A client of gRPC for the tests of the gateway: the interoperability cases of gRPC that need no
protobuf. Prints a line for each case that passes; the first that does not ends it.

    client.py ADDRESS [AUTHORITY.pem HOST]
"""

import sys
import threading
import time

import grpc

CASES = []


def case(function):
    CASES.append(function)
    return function


def unary(channel, method):
    return channel.unary_unary(f"/test.Test/{method}")


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


@case
def empty_unary(channel):
    assert unary(channel, "Unary")(b"") == b""


@case
def large_unary(channel):
    message = b"x" * 271828
    assert unary(channel, "Unary")(message) == message


@case
def client_streaming(channel):
    parts = [b"a" * 27182, b"b" * 8, b"c" * 1828, b"d" * 45904]
    assert channel.stream_unary("/test.Test/Collect")(iter(parts)) == b"".join(parts)


@case
def server_streaming(channel):
    received = list(channel.unary_stream("/test.Test/Count")(b"500"))
    assert received == [b"%d" % number for number in range(500)]


@case
def ping_pong(channel):
    next_one = threading.Semaphore(0)
    parts = [b"a" * 27182, b"b" * 8, b"c" * 1828, b"d" * 45904]

    def requests():
        for part in parts:
            yield part
            next_one.acquire()

    received = []
    for response in channel.stream_stream("/test.Test/Echo")(requests()):
        received.append(response)
        next_one.release()
    assert received == parts


@case
def empty_stream(channel):
    assert list(channel.stream_stream("/test.Test/Echo")(iter([]))) == []


@case
def cancel_after_begin(channel):
    forever = threading.Event()

    def requests():
        yield b"x"
        forever.wait()

    call = channel.stream_unary("/test.Test/Collect").future(requests(), timeout=60)
    call.cancel()
    assert call.cancelled()
    forever.set()


@case
def cancel_after_first_response(channel):
    forever = threading.Event()

    def requests():
        yield b"30"
        forever.wait()

    call = channel.stream_stream("/test.Test/Sleep")(requests())
    assert next(call) == b"30"
    call.cancel()
    assert code_of(lambda: next(call))[0] == grpc.StatusCode.CANCELLED
    forever.set()


@case
def timeout_on_sleeping_server(channel):
    call = channel.stream_stream("/test.Test/Sleep")(iter([b"30"]), timeout=0.3)
    begin = time.monotonic()
    assert code_of(lambda: list(call))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - begin < 5


@case
def the_deadline_is_forwarded(channel):
    assert 50 <= int(unary(channel, "Remaining")(b"", timeout=60)) <= 60


@case
def status_code_and_message(channel):
    codes = list(grpc.StatusCode)
    for number, code in enumerate(codes):
        if code != grpc.StatusCode.OK:
            failed = code_of(lambda: unary(channel, "Fail")(b"%d test status" % number))
            assert failed == (code, "test status"), failed


@case
def special_status_message(channel):
    text = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    number = list(grpc.StatusCode).index(grpc.StatusCode.UNKNOWN)
    failed = code_of(lambda: unary(channel, "Fail")(f"{number} {text}".encode()))
    assert failed == (grpc.StatusCode.UNKNOWN, text), failed


@case
def status_within_a_stream(channel):
    number = list(grpc.StatusCode).index(grpc.StatusCode.UNKNOWN)
    call = channel.stream_stream("/test.Test/FailStream")(iter([b"%d test status" % number]))
    failed = code_of(lambda: list(call))
    assert failed == (grpc.StatusCode.UNKNOWN, "test status"), failed


@case
def unimplemented_method(channel):
    code, _ = code_of(lambda: unary(channel, "Nothing")(b""))
    assert code == grpc.StatusCode.UNIMPLEMENTED, code


@case
def unimplemented_service(channel):
    code, _ = code_of(lambda: channel.unary_unary("/nothing.Nothing/Nothing")(b""))
    assert code == grpc.StatusCode.UNIMPLEMENTED, code


@case
def custom_metadata(channel):
    sent = (("x-text", "a b"), ("x-data-bin", b"\xab\xab\xab\x00\xff"))
    response, call = unary(channel, "Metadata").with_call(b"x", metadata=sent)
    assert response == b"x"
    assert set(sent) <= set(call.initial_metadata()), call.initial_metadata()
    back = {("x-text-back", "a b"), ("x-data-back-bin", b"\xab\xab\xab\x00\xff")}
    assert back <= set(call.trailing_metadata()), call.trailing_metadata()


@case
def compressed(channel):
    message = b"a" * 271828
    gzip = grpc.Compression.Gzip
    assert unary(channel, "Compressed")(message, compression=gzip) == message
    parts = [b"a" * 27182, b"b" * 8, b"c" * 1828, b"d" * 45904]
    assert list(channel.stream_stream("/test.Test/Echo")(iter(parts), compression=gzip)) == parts


@case
def many_at_once(channel):
    calls = [unary(channel, "Unary").future(b"%d" % number) for number in range(200)]
    assert [call.result() for call in calls] == [b"%d" % number for number in range(200)]


def connect(address, authority=None, host=None):
    if authority is None:
        return grpc.insecure_channel(address)
    with open(authority, "rb") as pem:
        credentials = grpc.ssl_channel_credentials(pem.read())
    options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
    return grpc.secure_channel(address, credentials, options)


def main():
    with connect(*sys.argv[1:]) as channel:
        for one in CASES:
            one(channel)
            print(one.__name__, flush=True)
    print("done", flush=True)


main()
