#[drpc_module(id = ids::GREETER)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse::default()
    }
}
