#[drpc_module(id = 5)]
impl Files {
    #[method(1, fds)]
    fn open(&self, req: Open) -> Result<WithFds<Opened>, Failure> {}

    #[method(2, fds)]
    async fn send(&self, req: WithFds<Sent>) {}

    #[method(3)]
    fn size(&self, req: Open) -> Opened {}
}
