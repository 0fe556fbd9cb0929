//! Each unit, with and without a space.

use std::time::Duration;

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, timeout = "500ms")]
    fn count(&self) {}

    #[method(3, timeout = "5s", idempotent)]
    fn find(&self) {}

    #[method(4, timeout = "2 min")]
    fn format(&self) {}

    #[method(5, timeout = "1h")]
    fn scrub(&self) {}
}

const COUNT: drpc::Method = GreeterMethod::Count.method();

fn main() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(GreeterMethod::Hello.method().timeout(), None);
    assert_eq!(COUNT.timeout(), Some(Duration::from_millis(500)));
    assert_eq!(GreeterMethod::Find.method().timeout(), seconds(5));
    assert_eq!(GreeterMethod::Format.method().timeout(), seconds(120));
    assert_eq!(GreeterMethod::Scrub.method().timeout(), seconds(3600));
}
