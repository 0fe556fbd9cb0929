//! IDs that are constants.

use drpc::drpc_module;

mod ids {
    pub const GREETER: i32 = 5;
}

struct Greeter;

impl Greeter {
    const ID: i32 = 6;
}

#[drpc_module(id = ids::GREETER)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

struct Parrot;

#[drpc_module(id = Greeter::ID)]
impl Parrot {
    #[method(1)]
    fn echo(&self) {}

    #[method(2)]
    fn repeat(&self) {}
}

const HELLO: drpc::Method = GreeterMethod::Hello.method();

fn main() {
    assert_eq!(GreeterMethod::try_from(501), Ok(GreeterMethod::Hello));
    assert_eq!(ParrotMethod::try_from(602), Ok(ParrotMethod::Repeat));
    assert_eq!(ParrotMethod::try_from(603), Err(drpc::UnknownMethod::new(6, 603)));
    assert_eq!(HELLO, drpc::Method::new(5, 501, "hello"));
}
