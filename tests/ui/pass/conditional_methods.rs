//! Methods, and modules, that are there under a condition.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[cfg(any())]
    #[method(2)]
    fn gone(&self, _: NoSuchType) -> NoSuchType {
        no_such_function()
    }

    #[cfg(unix)]
    #[method(3)]
    fn here(&self) {}

    #[cfg(not(unix))]
    #[method(3)]
    fn here(&self) {}
}

/// Of which nothing is left.
struct Ghost;

#[drpc_module(id = 6)]
impl Ghost {
    #[cfg(any())]
    #[cfg(unix)]
    #[method(1)]
    fn gone(&self) {}
}

#[cfg(any())]
#[drpc_module(id = "nonsense")]
impl Nobody {}

fn main() {
    assert_eq!(GreeterMethod::ALL, [GreeterMethod::Hello, GreeterMethod::Here]);
    assert_eq!(GreeterMethod::from_id(502), None);
    assert!(GhostMethod::ALL.is_empty());
}
