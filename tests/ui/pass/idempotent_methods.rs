//! Only what says so is idempotent, and a module may have nothing else.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(id = 502, name = "count_all", idempotent)]
    fn count(&self) {}
}

#[drpc_module(id = 6, client_only)]
trait Counter {
    #[method(1, idempotent)]
    fn count(&self);
}

const COUNT: drpc::Method = GreeterMethod::Count.method();

fn main() {
    assert!(!GreeterMethod::Hello.method().is_idempotent());
    assert!(COUNT.is_idempotent());
    assert_eq!(COUNT, drpc::Method::new(5, 502, "count_all").idempotent());
    assert!(CounterMethod::Count.method().is_idempotent());
}
