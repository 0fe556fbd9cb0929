#[drpc_module(id = 5, allow = "users")]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {}

    #[cfg(unix)]
    #[method(2)]
    fn stop(&self) {}
}
