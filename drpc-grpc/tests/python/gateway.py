"""A gRPC client that learns by reflection what a gateway serves, and calls it by these names.

Argument: the port.
"""

import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    reflection = ProtoReflectionDescriptorDatabase(channel)
    listed = [name for name in reflection.get_services() if name.startswith("drpc.")]
    assert listed == ["drpc.welcome"], listed

    service = DescriptorPool(reflection).FindServiceByName("drpc.welcome")
    described = {
        method.name: (method.input_type.full_name, method.output_type.full_name, method.server_streaming)
        for method in service.methods
    }
    assert described == {
        "Hello": ("hello.Hello", "hello.HelloResponse", False),
        "GreetEach": ("hello.Hello", "hello.HelloResponse", True),
        "Fill": ("hello.Hello", "google.protobuf.Empty", False),
    }, described

    def call(method_name, kind, **fields):
        method = service.methods_by_name[method_name]
        request, reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        stub = kind(f"/{service.full_name}/{method_name}", request.SerializeToString, reply.FromString)
        return stub(request(**fields))

    greeting = call("Hello", channel.unary_unary, name="World").greeting
    assert greeting == "Hello World", greeting
    greetings = [item.greeting for item in call("GreetEach", channel.unary_stream, name="a,b")]
    assert greetings == ["Hello a", "Hello b"], greetings
    try:
        call("Fill", channel.unary_unary, name="tank")
    except grpc.RpcError as error:
        assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "tank is full: 7 bytes are used"), error
    else:
        raise AssertionError("the call did not fail")
