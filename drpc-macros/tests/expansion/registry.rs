#[drpc_module]
impl Greeter {
    #[method]
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse::default()
    }
}

#[drpc_module(id = ids::PARROT, name = "echo")]
impl Parrot {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }
}
