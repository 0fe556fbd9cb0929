#[drpc_module(id = 5)]
impl Clock {
    #[method(1, stream)]
    fn ticks(&self) -> impl Stream<Item = Result<Tick, Failure>> {}

    #[method(2, stream)]
    async fn watch(&self, req: Watch, context: &Context) -> Result<impl Stream<Item = Result<Tick, Refused>> + use<>, Refused> {
    }

    #[method(3)]
    fn now(&self) -> Tick {}
}

#[drpc_module(id = 6)]
impl Mistaken {
    #[method(1)]
    fn says_no_stream(&self) -> impl Stream<Item = Result<Tick, Failure>> {}

    #[method(2, stream)]
    fn returns_no_stream(&self, req: Watch) -> Tick {}

    #[method(3, stream)]
    fn gives_no_results(&self) -> impl Stream<Item = Tick> {}
}
