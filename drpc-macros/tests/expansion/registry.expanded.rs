impl Greeter {
    async fn hello(&self, req: Hello) -> HelloResponse {
        HelloResponse::default()
    }
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
    Hello = 501,
}
#[allow(dead_code, deprecated, unreachable_pub)]
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Hello];
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
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> ::drpc::Method {
        ::drpc::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
        match id {
            501 => ::core::option::Option::Some(Self::Hello),
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
            ::core::option::Option::Some(GreeterMethod::Hello) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Hello>();
                    let request = ::drpc::private::decode::<Hello>(body)?;
                    let this = &*self;
                    let reply = this.hello(request).await;
                    ::core::result::Result::Ok(
                        <HelloResponse as ::drpc::private::IntoReply>::into_reply(reply),
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
    const METHODS: &[::drpc::Method] = &[GreeterMethod::Hello.method()];
    ::drpc::private::inventory::submit! {
        ::drpc::private::ModuleDescriptor::new(GreeterMethod::MODULE, "greeter",
        "Greeter", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
        METHODS, ::core::option::Option::None,)
    }
};
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
}
const _: &[u8] = ::core::include_bytes!("tests/expansion/modules.toml");
impl Parrot {
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }
}
/// The methods of module `echo`.
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
pub enum ParrotMethod {
    /// Method `echo`.
    Echo = ParrotMethod::MODULE * 100 + 0,
}
#[allow(dead_code, deprecated, unreachable_pub)]
impl ParrotMethod {
    /// The module's ID.
    pub const MODULE: i32 = ids::PARROT;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Echo];
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
            Self::Echo => "echo",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> ::drpc::Method {
        ::drpc::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
        match id {
            _ if id == Self::Echo.id() => ::core::option::Option::Some(Self::Echo),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<i32> for ParrotMethod {
    type Error = ::drpc::UnknownMethod;
    fn try_from(id: i32) -> ::core::result::Result<Self, Self::Error> {
        Self::from_id(id).ok_or(::drpc::UnknownMethod::new(Self::MODULE, id))
    }
}
impl ::core::convert::From<ParrotMethod> for ::drpc::Method {
    fn from(method: ParrotMethod) -> Self {
        method.method()
    }
}
impl ::core::fmt::Display for ParrotMethod {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.pad(self.name())
    }
}
#[allow(deprecated)]
impl ::drpc::Module for Parrot {
    fn id(&self) -> i32 {
        ParrotMethod::MODULE
    }
    fn name(&self) -> &str {
        "echo"
    }
    fn get_method(&self, id: i32) -> ::core::option::Option<::drpc::Method> {
        ParrotMethod::from_id(id).map(ParrotMethod::method)
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
        match ParrotMethod::from_id(method.id()) {
            ::core::option::Option::Some(ParrotMethod::Echo) => {
                ::drpc::private::Box::pin(async move {
                    ::drpc::private::assert_payload::<Bytes>();
                    let request = ::drpc::private::decode::<Bytes>(body)?;
                    let this = &*self;
                    let reply = this.echo(request);
                    ::core::result::Result::Ok(
                        <Bytes as ::drpc::private::IntoReply>::into_reply(reply),
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
    const METHODS: &[::drpc::Method] = &[ParrotMethod::Echo.method()];
    ::drpc::private::inventory::submit! {
        ::drpc::private::ModuleDescriptor::new(ParrotMethod::MODULE, "echo", "Parrot",
        ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(), METHODS,
        ::core::option::Option::None,)
    }
};
/// A client of module `echo`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
pub struct ParrotClient<C = ::drpc::private::DefaultCaller> {
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
impl<C: ::drpc::Caller> ParrotClient<C> {
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
        method: ParrotMethod,
        body: ::drpc::private::Bytes,
    ) -> C::Reply<::drpc::private::Bytes> {
        self.caller.call(method.method(), body, &self.options)
    }
    /// Method `echo`.
    pub fn echo(
        &self,
        body: Bytes,
    ) -> <C as ::drpc::Caller>::Reply<<Bytes as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Bytes>();
        self.caller
            .call::<
                Bytes,
                <Bytes as ::drpc::private::IntoReply>::Received,
            >(ParrotMethod::Echo.method(), body, &self.options)
    }
}
const _: () = ::core::assert!(
    ids::PARROT == 7,
    "`echo` is module 7 in the registry (tests/expansion/modules.toml:10)"
);
const _: &[u8] = ::core::include_bytes!("tests/expansion/modules.toml");
