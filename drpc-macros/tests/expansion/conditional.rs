#[drpc_module(id = 5)]
impl Greeter {
    #[cfg(unix)]
    #[method(1)]
    fn hello(&self) {}

    #[cfg(not(unix))]
    #[method(1)]
    fn hello(&self) {}
}
