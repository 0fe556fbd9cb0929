//! Lifetimes that are written out.

use drpc::{Context, drpc_module};
use drpc_tests::messages::Hello;

struct Greeter<'a>(&'a str);

#[drpc_module(id = 5)]
impl Greeter<'static> {
    #[method(1)]
    async fn hello<'a>(&'a self, _context: &'a Context, req: Hello) -> Result<Hello, &'static str>
    where
        Self: 'a,
    {
        if req.name.is_empty() { Err(self.0) } else { Ok(req) }
    }
}

fn main() {
    assert_eq!(drpc::Module::id(&Greeter("nobody")), 5);
}
