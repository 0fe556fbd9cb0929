"""A gRPC client that knows nothing of drpc: what it is served, it learns by reflection.

Arguments: the port, and a folder with ca.pem, admin.pem and admin.key.
"""

import sys
import threading
from pathlib import Path

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

port, folder = sys.argv[1], Path(sys.argv[2])
address = f"localhost:{port}"
authority = (folder / "ca.pem").read_bytes()
admin = grpc.ssl_channel_credentials(
    authority, (folder / "admin.key").read_bytes(), (folder / "admin.pem").read_bytes()
)


def check(what, found, expected):
    assert found == expected, f"{what}: {found!r} is not {expected!r}"
    print(f"ok: {what}")


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


with grpc.secure_channel(address, admin) as channel:
    reflection = ProtoReflectionDescriptorDatabase(channel)
    check("list", "drpc.greeter" in reflection.get_services(), True)
    service = DescriptorPool(reflection).FindServiceByName("drpc.greeter")
    check("describe", [service.methods_by_name[name].input_type.full_name for name in ("Hello", "Stuck")],
          ["hello.Hello", "google.protobuf.Empty"])
    check("raw bytes are not shown", "Echo" in service.methods_by_name, False)

    def call(method_name, time_limit=None, **fields):
        method = service.methods_by_name[method_name]
        request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        path = f"/{service.full_name}/{method_name}"
        stub = channel.unary_unary(path, request.SerializeToString, reply.FromString)
        return stub(request(**fields), timeout=time_limit)

    check("unary", call("Hello", name="World").greeting, "Hello World")

    error = failure(lambda: call("Wait", time_limit=0.05))
    check("deadline of the caller", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    error = failure(lambda: call("Stuck"))
    check("deadline of the method", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    error = failure(lambda: call("Fill", name="tank"))
    check("code of an error", error.code(), grpc.StatusCode.UNKNOWN)
    check("text of an error", error.details(), "tank is full: 7 bytes are used")
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    check("details of an error", status.details[0].Unpack(info), True)
    check("reason of an error", (info.reason, info.domain, dict(info.metadata)),
          ("FAILURE", "drpc", {"status": "2", "cause": "handler"}))

    def stream(method_name, time_limit=None, **fields):
        method = service.methods_by_name[method_name]
        request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        path = f"/{service.full_name}/{method_name}"
        stub = channel.unary_stream(path, request.SerializeToString, reply.FromString)
        return stub(request(**fields), timeout=time_limit)

    check("a stream is described", service.methods_by_name["GreetEach"].server_streaming, True)
    check("a reply is no stream", service.methods_by_name["Hello"].server_streaming, False)
    check("stream", [item.greeting for item in stream("GreetEach", name="a,b")], ["Hello a", "Hello b"])
    items = stream("GreetEach", name="a,")
    check("item before a failure", next(items).greeting, "Hello a")
    error = failure(lambda: next(items))
    check("end of a stream", (error.code(), error.details()),
          (grpc.StatusCode.UNKNOWN, "tank is full: 7 bytes are used"))
    check("details of a stream's end", rpc_status.from_call(error).details[0].Unpack(info), True)
    items = stream("UntilCancelled", time_limit=0.2)
    check("item before the deadline", next(items).greeting, "Hello")
    check("deadline of a stream", failure(lambda: next(items)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    items = stream("UntilCancelled")
    next(items)
    items.cancel()
    check("a stream that is cancelled", failure(lambda: next(items)).code(), grpc.StatusCode.CANCELLED)

    store = DescriptorPool(reflection).FindServiceByName("drpc.store")
    put, greet = store.methods_by_name["Put"], store.methods_by_name["Greet"]
    check("a stream of its caller is described", [(method.client_streaming, method.server_streaming)
          for method in (put, greet)], [(True, False), (True, True)])
    Hello, Greeting = GetMessageClass(put.input_type), GetMessageClass(put.output_type)
    head = [("drpc-request-bin", Hello(name="to").SerializeToString())]
    kinds = {"Put": channel.stream_unary, "Greet": channel.stream_stream, "First": channel.stream_unary,
             "Submit": channel.stream_unary, "Guarded": channel.stream_unary}

    def send(method_name, items, **options):
        stub = kinds[method_name](f"/drpc.store/{method_name}", Hello.SerializeToString, Greeting.FromString)
        return stub(items, **options)

    def items(*names):
        return (Hello(name=name) for name in names)

    check("upload", send("Put", items("a", "b"), metadata=head).greeting, "to a b")
    check("upload without a request", send("Put", items("a")).greeting, " a")
    check("upload of nothing", send("Put", items(), metadata=head).greeting, "to")
    check("both ways", [item.greeting for item in send("Greet", items("a", "b"), metadata=head)], ["toa", "tob"])
    check("an early answer", send("First", items("early", "late")).greeting, "early")
    error = failure(lambda: send("First", items("")))
    check("an early failure", (error.code(), error.details()),
          (grpc.StatusCode.UNKNOWN, "tank is full: 7 bytes are used"))
    check("details of an upload's failure", rpc_status.from_call(error).details[0].Unpack(info), True)
    submit = channel.stream_unary("/drpc.store/Submit").with_call(iter([b""]))
    check("submitted after items", (submit[0], dict(submit[1].trailing_metadata()).get("drpc-submitted")), (b"", "1"))
    check("an upload that is denied", failure(lambda: send("Guarded", items("a"))).code(),
          grpc.StatusCode.PERMISSION_DENIED)
    bad = [("drpc-request-bin", b"\x7f")]
    check("a request that can't be read", failure(lambda: send("Put", items(), metadata=bad)).code(),
          grpc.StatusCode.INVALID_ARGUMENT)
    sent, more = threading.Event(), threading.Event()

    def endless():
        yield Hello(name="a")
        sent.set()
        more.wait()

    upload = channel.stream_unary("/drpc.store/Put", Hello.SerializeToString).future(endless())
    sent.wait()
    upload.cancel()
    more.set()
    error = failure(lambda: send("Put", items("a"), timeout=0))
    check("an upload that is out of time", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    call("Destroy")
    error = failure(lambda: call("Local"))
    check("denied", error.code(), grpc.StatusCode.PERMISSION_DENIED)

    def raw(path, body=b"", **options):
        return channel.unary_unary(path)(body, **options)

    for path, body, code in [
        ("/drpc.greeter/NoSuch", b"", grpc.StatusCode.UNIMPLEMENTED),
        ("/drpc.nosuch/Hello", b"", grpc.StatusCode.UNIMPLEMENTED),
        ("/drpc.greeter/Hello", b"\x7f", grpc.StatusCode.INVALID_ARGUMENT),
        ("/drpc.greeter/Panics", b"", grpc.StatusCode.INTERNAL),
    ]:
        check(f"{path} of {body!r}", failure(lambda: raw(path, body)).code(), code)
    submitted = channel.unary_unary("/drpc.greeter/Submit").with_call(b"")[1].initial_metadata()
    check("submitted", dict(submitted).get("drpc-submitted"), "1")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = [("traceparent", trace), ("tracestate", "vendor=value")]
    check("trace context and deadline", raw("/drpc.greeter/Context", metadata=headers, timeout=60),
          f'Some("{trace} vendor=value") Some(true)'.encode())

    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="drpc.greeter")
    check("health", health.Check(request).status, health_pb2.HealthCheckResponse.SERVING)

with grpc.secure_channel(address, grpc.ssl_channel_credentials(authority)) as channel:
    error = failure(lambda: channel.unary_unary("/drpc.greeter/Hello")(b"", timeout=10))
    check("no certificate", error.code(), grpc.StatusCode.UNAVAILABLE)
