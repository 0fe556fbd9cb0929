#[drpc_module(id = 5, allow = "users")]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, allow = "admin")]
    fn forget(&self) {}
}

#[drpc_module(id = 6)]
impl Parrot {
    #[method(0)]
    fn echo(&self) {}

    #[cfg(unix)]
    #[method(1, allow = "admin")]
    fn mute(&self) {}
}
