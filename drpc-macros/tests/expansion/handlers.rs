#[drpc_module(id = -3, name = "every_form")]
impl Forms {
    #[method(0)]
    fn nothing(&self) {}

    #[method(1)]
    async fn reply(&self) -> Hello {
        Hello::default()
    }

    #[method(2)]
    fn bytes(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(3, name = "context_first")]
    async fn context(&self, context: &Context, req: Hello) -> Result<(), MyError> {
        Ok(())
    }

    #[method(id = -296)]
    async fn context_last(&self, _: Hello, context: &drpc::Context) -> io::Result<Hello> {
        Ok(Hello::default())
    }

    /// Not a handler.
    fn helper(&self) {}

    #[deprecated = "say `hello`"]
    #[method(5)]
    fn r#type(&self, Hello { name }: Hello) -> Self {
        Forms
    }
}
