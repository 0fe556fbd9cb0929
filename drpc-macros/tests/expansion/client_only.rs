/// Greets people.
#[drpc_module(id = 5, client_only)]
pub trait Greeter {
    /// Greets a person by name.
    #[method(1)]
    fn hello(&self, req: Hello) -> HelloResponse;
}
