"""A gRPC server that knows nothing of drpc, but for two paths: what a request names is what it is answered by.

It tells its port, and serves until its input ends.
"""

import sys
from concurrent import futures

import grpc


def name_in(request):
    """The one field of hello.Hello."""
    return request[2:].decode()


def greeting(name):
    """A hello.HelloResponse."""
    text = f"Hello {name}".encode()
    return bytes([0x0A, len(text)]) + text


def answer(name, context):
    if name == "BAD_DETAILS":
        context.set_trailing_metadata([("grpc-status-details-bin", b"no google.rpc.Status")])
        context.abort(grpc.StatusCode.INTERNAL, "as you asked")
    if name in grpc.StatusCode.__members__:
        context.abort(grpc.StatusCode[name], "as you asked")
    return greeting(name)


def hello(request, context):
    return answer(name_in(request), context)


def greet_each(request, context):
    for name in name_in(request).split(","):
        yield answer(name, context)


def put(requests, context):
    """The request is in the head of the call. That the stream is open is said before an item is read."""
    context.send_initial_metadata(())
    head = dict(context.invocation_metadata())["drpc-request-bin"]
    names = [name_in(request) for request in requests]
    return answer(" ".join([name_in(head), *names]) if "NOT_FOUND" not in names else "NOT_FOUND", context)


def greet(requests, context):
    context.send_initial_metadata(())
    for request in requests:
        yield answer(name_in(request), context)


class Greeter(grpc.GenericRpcHandler):
    def service(self, call):
        match call.method:
            case "/drpc.5/501":
                return grpc.unary_unary_rpc_method_handler(hello)
            case "/drpc.5/513":
                return grpc.unary_stream_rpc_method_handler(greet_each)
            case "/drpc.8/801":
                return grpc.stream_unary_rpc_method_handler(put)
            case "/drpc.8/802":
                return grpc.stream_stream_rpc_method_handler(greet)


server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Greeter()])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
