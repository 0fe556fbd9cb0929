#[drpc_module(id = 5, register = Greeter::from_env, crate = crate::rpc)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}
