//! Each unit, with and without a space.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, request_limit = "512B")]
    fn count(&self) {}

    #[method(3, request_limit = "64KiB", idempotent)]
    fn find(&self) {}

    #[method(4, request_limit = "16 MiB")]
    fn format(&self) {}
}

const COUNT: drpc::Method = GreeterMethod::Count.method();

fn main() {
    assert_eq!(GreeterMethod::Hello.method().request_limit(), None);
    assert_eq!(COUNT.request_limit(), Some(512));
    assert_eq!(GreeterMethod::Find.method().request_limit(), Some(64 << 10));
    assert_eq!(GreeterMethod::Format.method().request_limit(), Some(16 << 20));
}
