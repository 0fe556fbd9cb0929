use ::drpc::private::root as __drpc_Greeter;
/// The methods of module `greeter`.
///
#[cfg_attr(not(doctest), doc = " Greets people.")]
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
    #[cfg_attr(not(doctest), doc = " Greets a person by name.")]
    Hello = 501,
}
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Hello];
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
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Greeter::Method {
        __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            501 => ::core::option::Option::Some(Self::Hello),
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
///
#[cfg_attr(not(doctest), doc = " Greets people.")]
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
    #[cfg_attr(not(doctest), doc = " Greets a person by name.")]
    pub fn hello(
        &self,
        req: Hello,
    ) -> <__C as __drpc_Greeter::Caller>::Outcome<
        <HelloResponse as __drpc_Greeter::private::Returned<__GreeterReply0>>::Received,
    > {
        self.caller
            .call::<
                <Hello as __drpc_Greeter::private::Requested<__GreeterRequest0>>::Sent,
                <HelloResponse as __drpc_Greeter::private::Returned<
                    __GreeterReply0,
                >>::Received,
            >(
                GreeterMethod::Hello.method(),
                <Hello as __drpc_Greeter::private::Requested<
                    __GreeterRequest0,
                >>::sent(req),
                &self.options,
            )
    }
}
type __GreeterRequest0 = __drpc_Greeter::private::travels!(Hello);
const _: () = __drpc_Greeter::private::assert_payload::<Hello>();
type __GreeterReply0 = __drpc_Greeter::private::kind!(HelloResponse);
const _: () = __drpc_Greeter::private::assert_returned::<
    HelloResponse,
    __GreeterReply0,
>();
