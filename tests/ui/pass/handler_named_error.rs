//! Handlers whose variants are called like associated types and constants of the traits around.

use drpc::drpc_module;

struct Logs;

#[drpc_module(id = 5)]
impl Logs {
    #[method(1)]
    fn info(&self) {}

    #[method(2)]
    fn error(&self) {}

    #[method(3)]
    fn ok(&self) {}

    #[method(4)]
    fn err(&self) {}

    #[method(5)]
    fn some(&self) {}

    #[method(6)]
    fn none(&self) {}

    #[method(7)]
    fn output(&self) {}

    #[method(8)]
    fn received(&self) {}

    #[method(9, name = "item")]
    fn item_(&self) {}
}

#[drpc_module(id = 6, client_only)]
trait Remote {
    #[method(1)]
    fn error(&self) -> ();

    #[method(2)]
    fn outcome(&self);
}

fn main() {
    assert_eq!(LogsMethod::Error.id(), 502);
    assert_eq!(LogsMethod::try_from(502), Ok(LogsMethod::Error));
    assert_eq!(RemoteMethod::Error.id(), 601);
}
