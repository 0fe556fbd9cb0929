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
    /// Method `count`.
    Count = 502,
    /// Method `all`.
    #[cfg(feature = "more")]
    Everybody = 503,
}
#[allow(dead_code, deprecated, unreachable_pub)]
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[
        Self::Hello,
        Self::Count,
        #[cfg(feature = "more")]
        Self::Everybody,
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
            Self::Hello => "hello",
            Self::Count => "count",
            #[cfg(feature = "more")]
            Self::Everybody => "all",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> ::drpc::Method {
        match self {
            Self::Hello => ::drpc::Method::new(Self::MODULE, self.id(), self.name()),
            Self::Count => {
                ::drpc::Method::new(Self::MODULE, self.id(), self.name()).idempotent()
            }
            #[cfg(feature = "more")]
            Self::Everybody => {
                ::drpc::Method::new(Self::MODULE, self.id(), self.name()).idempotent()
            }
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(id: i32) -> ::core::option::Option<Self> {
        match id {
            501 => ::core::option::Option::Some(Self::Hello),
            502 => ::core::option::Option::Some(Self::Count),
            #[cfg(feature = "more")]
            503 => ::core::option::Option::Some(Self::Everybody),
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
    ) -> <C as ::drpc::Caller>::Reply<<() as ::drpc::private::IntoReply>::Received> {
        ::drpc::private::assert_payload::<Hello>();
        self.caller
            .call::<
                Hello,
                <() as ::drpc::private::IntoReply>::Received,
            >(GreeterMethod::Hello.method(), req, &self.options)
    }
    /// Method `count`.
    pub fn count(
        &self,
    ) -> <C as ::drpc::Caller>::Reply<<Count as ::drpc::private::IntoReply>::Received> {
        self.caller
            .call::<
                (),
                <Count as ::drpc::private::IntoReply>::Received,
            >(GreeterMethod::Count.method(), (), &self.options)
    }
    /// Method `all`.
    #[cfg(feature = "more")]
    pub fn everybody(
        &self,
    ) -> <C as ::drpc::Caller>::Reply<
        <Everybody as ::drpc::private::IntoReply>::Received,
    > {
        self.caller
            .call::<
                (),
                <Everybody as ::drpc::private::IntoReply>::Received,
            >(GreeterMethod::Everybody.method(), (), &self.options)
    }
}
