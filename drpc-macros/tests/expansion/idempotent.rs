#[drpc_module(id = 5, client_only)]
trait Greeter {
    #[method(1)]
    fn hello(&self, req: Hello);

    #[method(2, idempotent)]
    fn count(&self) -> Count;

    #[cfg(feature = "more")]
    #[method(3, name = "all", idempotent)]
    fn everybody(&self) -> Everybody;
}
