//! Rules that say who may call.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5, allow = "users")]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, name = "forget", allow = "admin")]
    fn forget_all(&self) {}
}

fn main() {
    const FORGET: drpc::Method = GreeterMethod::ForgetAll.method();
    assert_eq!(FORGET, drpc::Method::new(5, 502, "forget").with_rule("admin"));
    assert_eq!(GreeterMethod::Hello.method().rule(), None);
    assert_eq!(drpc::Module::rule(&Greeter), Some("users"));
}
