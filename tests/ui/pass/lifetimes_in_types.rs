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

/// A lifetime of its own.
struct Parrot<F>(F);

#[drpc_module(id = 6)]
impl Parrot<for<'a> fn(&'a str) -> &'a str> {
    #[method(1)]
    fn repeat(&self, req: Hello) -> Hello {
        Hello { name: (self.0)(&req.name).to_owned() }
    }
}

fn main() {
    assert_eq!(drpc::Module::id(&Parrot::<for<'a> fn(&'a str) -> &'a str>(str::trim)), 6);
    assert_eq!(drpc::Module::id(&Greeter("nobody")), 5);
}
