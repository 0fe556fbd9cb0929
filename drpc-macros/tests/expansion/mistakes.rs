#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse::default()
    }

    #[method(501)]
    async fn goodbye(&mut self) {}
}
