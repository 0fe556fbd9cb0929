impl Greeter {
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse::default()
    }
    async fn goodbye(&mut self) {}
}
/// The methods of module `greeter`.
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
pub enum GreeterMethod {
    /// Method `hello`.
    Hello = 0,
    /// Method `goodbye`.
    Goodbye = 1,
}
#[allow(dead_code, deprecated, unreachable_pub)]
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: i32 = 0;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Hello, Self::Goodbye];
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
            Self::Hello => "hello",
            Self::Goodbye => "goodbye",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> ::drpc::Method {
        ::drpc::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
        match id {
            0 => ::core::option::Option::Some(Self::Hello),
            1 => ::core::option::Option::Some(Self::Goodbye),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<i32> for GreeterMethod {
    type Error = ::drpc::UnknownMethod;
    fn try_from(id: i32) -> ::core::result::Result<Self, Self::Error> {
        Self::from_id(id).ok_or(::drpc::UnknownMethod::new(Self::MODULE, id))
    }
}
impl ::core::convert::From<GreeterMethod> for ::drpc::Method {
    fn from(method: GreeterMethod) -> Self {
        method.method()
    }
}
impl ::core::fmt::Display for GreeterMethod {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.pad(self.name())
    }
}
#[allow(deprecated)]
impl ::drpc::Module for Greeter {
    fn id(&self) -> i32 {
        GreeterMethod::MODULE
    }
    fn name(&self) -> &str {
        "greeter"
    }
    fn get_method(&self, id: i32) -> ::core::option::Option<::drpc::Method> {
        GreeterMethod::from_id(id).map(GreeterMethod::method)
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
        match GreeterMethod::from_id(method.id()) {
            _ => {
                let unknown = ::drpc::Failure::unknown_method();
                ::drpc::private::Box::pin(
                    ::core::future::ready(::core::result::Result::Err(unknown)),
                )
            }
        }
    }
}
/// A client of module `greeter`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
pub struct GreeterClient<C = ::drpc::private::DefaultCaller> {
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
impl<C: ::drpc::Caller> GreeterClient<C> {
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
        method: GreeterMethod,
        body: ::drpc::private::Bytes,
    ) -> C::Reply<::drpc::private::Bytes> {
        self.caller.call(method.method(), body, &self.options)
    }
    /// Method `hello`.
    pub fn hello(
        &self,
        req: Hello,
    ) -> <C as ::drpc::Caller>::Reply<
        <HelloResponse as ::drpc::private::IntoReply>::Received,
    > {
        ::drpc::private::assert_payload::<Hello>();
        self.caller
            .call::<
                Hello,
                <HelloResponse as ::drpc::private::IntoReply>::Received,
            >(GreeterMethod::Hello.method(), req, &self.options)
    }
    /// Method `goodbye`.
    pub fn goodbye(
        &self,
    ) -> <C as ::drpc::Caller>::Reply<<() as ::drpc::private::IntoReply>::Received> {
        self.caller
            .call::<
                (),
                <() as ::drpc::private::IntoReply>::Received,
            >(GreeterMethod::Goodbye.method(), (), &self.options)
    }
}
::core::compile_error! {
    "a handler takes `&self`\n= help: calls run side by side on one module: write `&self`, and keep what changes in a `Mutex` or an atomic"
}
::core::compile_error! {
    "a method's number within its module is 0 to 99\n= help: 501 is the system-wide ID of number 1: write `#[method(1)]` or `#[method(id = 501)]`"
}
