/// Greets people.
#[drpc_module(id = 5, register)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
    }
}
