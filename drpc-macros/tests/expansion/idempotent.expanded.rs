use ::drpc::private::root as __drpc_Greeter;
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
pub enum GreeterMethod {
    /// Method `hello`.
    Hello = 501,
    /// Method `count`.
    Count = 502,
    /// Method `all`.
    #[cfg(feature = "more")]
    Everybody = 503,
}
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[
        Self::Hello,
        Self::Count,
        #[cfg(feature = "more")]
        Self::Everybody,
    ];
    /// The method's system-wide ID.
    pub const fn id(self) -> ::core::primitive::i32 {
        self as ::core::primitive::i32
    }
    /// The module's ID.
    pub const fn module(self) -> ::core::primitive::i32 {
        Self::MODULE
    }
    /// The method's name.
    pub const fn name(self) -> &'static ::core::primitive::str {
        match self {
            Self::Hello => "hello",
            Self::Count => "count",
            #[cfg(feature = "more")]
            Self::Everybody => "all",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Greeter::Method {
        match self {
            Self::Hello => {
                __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
            }
            Self::Count => {
                __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
                    .idempotent()
            }
            #[cfg(feature = "more")]
            Self::Everybody => {
                __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
                    .idempotent()
            }
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            501 => ::core::option::Option::Some(Self::Hello),
            502 => ::core::option::Option::Some(Self::Count),
            #[cfg(feature = "more")]
            503 => ::core::option::Option::Some(Self::Everybody),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<::core::primitive::i32> for GreeterMethod {
    type Error = __drpc_Greeter::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Greeter::UnknownMethod> {
        Self::from_id(__id).ok_or(__drpc_Greeter::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<GreeterMethod> for __drpc_Greeter::Method {
    fn from(__method: GreeterMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for GreeterMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
/// A client of module `greeter`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterClient<C = __drpc_Greeter::private::DefaultCaller> {
    caller: C,
    options: __drpc_Greeter::CallOptions,
}
impl<__C: __drpc_Greeter::Caller> GreeterClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Greeter::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: GreeterMethod,
        __body: __drpc_Greeter::private::Bytes,
    ) -> <__C as __drpc_Greeter::Caller>::Outcome<__drpc_Greeter::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    /// Method `hello`.
    pub fn hello(&self, req: Hello) -> <__C as __drpc_Greeter::Caller>::Outcome<()> {
        self.caller
            .call::<
                <Hello as __drpc_Greeter::private::Requested<__GreeterRequest0>>::Sent,
                (),
            >(
                GreeterMethod::Hello.method(),
                <Hello as __drpc_Greeter::private::Requested<
                    __GreeterRequest0,
                >>::sent(req),
                &self.options,
            )
    }
    /// Method `count`.
    pub fn count(
        &self,
    ) -> <__C as __drpc_Greeter::Caller>::Outcome<
        <Count as __drpc_Greeter::private::Returned<__GreeterReply0>>::Received,
    > {
        self.caller
            .call::<
                (),
                <Count as __drpc_Greeter::private::Returned<__GreeterReply0>>::Received,
            >(GreeterMethod::Count.method(), (), &self.options)
    }
    /// Method `all`.
    #[cfg(feature = "more")]
    pub fn everybody(
        &self,
    ) -> <__C as __drpc_Greeter::Caller>::Outcome<
        <Everybody as __drpc_Greeter::private::Returned<__GreeterReply1>>::Received,
    > {
        self.caller
            .call::<
                (),
                <Everybody as __drpc_Greeter::private::Returned<
                    __GreeterReply1,
                >>::Received,
            >(GreeterMethod::Everybody.method(), (), &self.options)
    }
}
type __GreeterRequest0 = __drpc_Greeter::private::travels!(Hello);
const _: () = __drpc_Greeter::private::assert_payload::<Hello>();
type __GreeterReply0 = __drpc_Greeter::private::kind!(Count);
const _: () = __drpc_Greeter::private::assert_returned::<Count, __GreeterReply0>();
#[cfg(feature = "more")]
type __GreeterReply1 = __drpc_Greeter::private::kind!(Everybody);
#[cfg(feature = "more")]
const _: () = __drpc_Greeter::private::assert_returned::<Everybody, __GreeterReply1>();
