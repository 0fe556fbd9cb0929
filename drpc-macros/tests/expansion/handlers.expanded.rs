impl Forms {
    fn nothing(&self) {}
    async fn reply(&self) -> Hello {
        Hello::default()
    }
    fn bytes(&self, body: Bytes) -> Bytes {
        body
    }
    async fn context(&self, context: &Context, req: Hello) -> Result<(), MyError> {
        Ok(())
    }
    async fn context_last(
        &self,
        _: Hello,
        context: &drpc::Context,
    ) -> io::Result<Hello> {
        Ok(Hello::default())
    }
    /// Not a handler.
    fn helper(&self) {}
    #[deprecated = "say `hello`"]
    fn r#type(&self, Hello { name }: Hello) -> Self {
        Forms
    }
}
/// The methods of module `every_form`.
#[::core::prelude::v1::derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash
)]
#[repr(i32)]
#[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
pub enum FormsMethod {
    /// Method `nothing`.
    Nothing = -300,
    /// Method `reply`.
    Reply = -299,
    /// Method `bytes`.
    Bytes = -298,
    /// Method `context_first`.
    Context = -297,
    /// Method `context_last`.
    ContextLast = -296,
    /// Method `type`.
    #[deprecated = "say `hello`"]
    Type = -295,
}
#[allow(dead_code, deprecated, unreachable_pub)]
impl FormsMethod {
    /// The module's ID.
    pub const MODULE: i32 = -3;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[
        Self::Nothing,
        Self::Reply,
        Self::Bytes,
        Self::Context,
        Self::ContextLast,
        Self::Type,
    ];
    /// The method's system-wide ID.
    pub const fn id(self) -> i32 {
        self as i32
    }
    /// The module's ID.
    pub const fn module(self) -> i32 {
        Self::MODULE
    }
    /// The method's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reply => "reply",
            Self::Bytes => "bytes",
            Self::Context => "context_first",
            Self::ContextLast => "context_last",
            Self::Type => "type",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> ::drpc::Method {
        ::drpc::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
        match id {
            -300 => ::core::option::Option::Some(Self::Nothing),
            -299 => ::core::option::Option::Some(Self::Reply),
            -298 => ::core::option::Option::Some(Self::Bytes),
            -297 => ::core::option::Option::Some(Self::Context),
            -296 => ::core::option::Option::Some(Self::ContextLast),
            -295 => ::core::option::Option::Some(Self::Type),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<i32> for FormsMethod {
    type Error = ::drpc::UnknownMethod;
    fn try_from(id: i32) -> ::core::result::Result<Self, Self::Error> {
        Self::from_id(id).ok_or(::drpc::UnknownMethod::new(Self::MODULE, id))
    }
}
impl ::core::convert::From<FormsMethod> for ::drpc::Method {
    fn from(method: FormsMethod) -> Self {
        method.method()
    }
}
impl ::core::fmt::Display for FormsMethod {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.pad(self.name())
    }
}
#[allow(deprecated)]
impl ::drpc::Module for Forms {
    fn id(&self) -> i32 {
        FormsMethod::MODULE
    }
    fn name(&self) -> &str {
        "every_form"
    }
    fn get_method(&self, id: i32) -> ::core::option::Option<::drpc::Method> {
        FormsMethod::from_id(id).map(FormsMethod::method)
    }
    fn handle_call<'async_trait>(
        self: ::drpc::private::Arc<Self>,
        context: ::drpc::Context,
        method: ::drpc::Method,
        body: ::drpc::private::Bytes,
    ) -> ::drpc::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        match FormsMethod::from_id(method.id()) {
            ::core::option::Option::Some(FormsMethod::Nothing) => {
                ::drpc::private::Box::pin(async move {
                    let this = &*self;
                    let reply = this.nothing();
                    ::core::result::Result::Ok(
                        <() as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::Reply) => {
                ::drpc::private::Box::pin(async move {
                    let this = &*self;
                    let reply = this.reply().await;
                    ::core::result::Result::Ok(
                        <Hello as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::Bytes) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Bytes>();
                    let request = ::drpc::private::decode::<Bytes>(body)?;
                    let this = &*self;
                    let reply = this.bytes(request);
                    ::core::result::Result::Ok(
                        <Bytes as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::Context) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Hello>();
                    let request = ::drpc::private::decode::<Hello>(body)?;
                    let this = &*self;
                    let reply = this
                        .context(&context, request)
                        .await
                        .map_err(|error| <MyError as ::drpc::private::IntoFailure>::into_failure(
                            error,
                        ))?;
                    ::core::result::Result::Ok(
                        <() as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::ContextLast) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Hello>();
                    let request = ::drpc::private::decode::<Hello>(body)?;
                    let this = &*self;
                    let reply = this
                        .context_last(request, &context)
                        .await
                        .map_err(|error| ::drpc::private::IntoFailure::into_failure(
                            error,
                        ))?;
                    ::core::result::Result::Ok(
                        <Hello as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::Type) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Hello>();
                    let request = ::drpc::private::decode::<Hello>(body)?;
                    let this = &*self;
                    let reply = this.r#type(request);
                    ::core::result::Result::Ok(
                        <Forms as ::drpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            _ => {
                let unknown = ::drpc::Failure::unknown_method();
                ::drpc::private::Box::pin(
                    ::core::future::ready(::core::result::Result::Err(unknown)),
                )
            }
        }
    }
}
const _: () = {
    #[allow(deprecated)]
    const METHODS: &[::drpc::Method] = &[
        FormsMethod::Nothing.method(),
        FormsMethod::Reply.method(),
        FormsMethod::Bytes.method(),
        FormsMethod::Context.method(),
        FormsMethod::ContextLast.method(),
        FormsMethod::Type.method(),
    ];
    ::drpc::private::inventory::submit! {
        ::drpc::private::ModuleDescriptor::new(FormsMethod::MODULE, "every_form",
        "Forms", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
        METHODS, ::core::option::Option::None,)
    }
};
/// A client of module `every_form`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
pub struct FormsClient<C = ::drpc::private::DefaultCaller> {
    caller: C,
    options: ::drpc::CallOptions,
}
#[allow(
    dead_code,
    deprecated,
    non_snake_case,
    private_interfaces,
    unreachable_pub,
    rustdoc::broken_intra_doc_links
)]
impl<C: ::drpc::Caller> FormsClient<C> {
    /// A client that calls through `caller`.
    pub fn new(caller: C) -> Self {
        Self {
            caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, options: ::drpc::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        method: FormsMethod,
        body: ::drpc::private::Bytes,
    ) -> C::Reply<::drpc::private::Bytes> {
        self.caller.call(method.method(), body, &self.options)
    }
    /// Method `nothing`.
    pub fn nothing(
        &self,
    ) -> <C as ::drpc::Caller>::Reply<<() as ::drpc::private::IntoReply>::Received> {
        self.caller
            .call::<
                (),
                <() as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::Nothing.method(), (), &self.options)
    }
    /// Method `reply`.
    pub fn reply(
        &self,
    ) -> <C as ::drpc::Caller>::Reply<<Hello as ::drpc::private::IntoReply>::Received> {
        self.caller
            .call::<
                (),
                <Hello as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::Reply.method(), (), &self.options)
    }
    /// Method `bytes`.
    pub fn bytes(
        &self,
        body: Bytes,
    ) -> <C as ::drpc::Caller>::Reply<<Bytes as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Bytes>();
        self.caller
            .call::<
                Bytes,
                <Bytes as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::Bytes.method(), body, &self.options)
    }
    /// Method `context_first`.
    pub fn context(
        &self,
        req: Hello,
    ) -> <C as ::drpc::Caller>::Reply<<() as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Hello>();
        self.caller
            .call::<
                Hello,
                <() as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::Context.method(), req, &self.options)
    }
    /// Method `context_last`.
    pub fn context_last(
        &self,
        request: Hello,
    ) -> <C as ::drpc::Caller>::Reply<<Hello as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Hello>();
        self.caller
            .call::<
                Hello,
                <Hello as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::ContextLast.method(), request, &self.options)
    }
    /// Method `type`.
    #[deprecated = "say `hello`"]
    pub fn r#type(
        &self,
        request: Hello,
    ) -> <C as ::drpc::Caller>::Reply<<Forms as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Hello>();
        self.caller
            .call::<
                Hello,
                <Forms as ::drpc::private::IntoReply>::Received,
            >(FormsMethod::Type.method(), request, &self.options)
    }
}
