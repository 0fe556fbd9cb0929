#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, timeout = "500ms")]
    fn count(&self) {}

    #[cfg(unix)]
    #[method(3, idempotent, timeout = "2 min", request_limit = "64KiB")]
    fn everybody(&self) {}
}
