impl Greeter {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn hello(&self) {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn forget(&self) {}
}
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
    /// Method `forget`.
    Forget = 502,
}
impl GreeterMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Hello, Self::Forget];
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
            Self::Forget => "forget",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Greeter::Method {
        match self {
            Self::Hello => {
                __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
            }
            Self::Forget => {
                __drpc_Greeter::Method::new(Self::MODULE, self.id(), self.name())
                    .with_rule("admin")
            }
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            501 => ::core::option::Option::Some(Self::Hello),
            502 => ::core::option::Option::Some(Self::Forget),
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
impl __drpc_Greeter::Module for Greeter
where
    for<'__module> Greeter: __drpc_Greeter::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        GreeterMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "greeter"
    }
    fn rule(&self) -> ::core::option::Option<&::core::primitive::str> {
        ::core::option::Option::Some("users")
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Greeter::Method> {
        GreeterMethod::from_id(__id).map(GreeterMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Greeter::private::Arc<Self>,
        __context: __drpc_Greeter::Context,
        __method: __drpc_Greeter::Method,
        __body: __drpc_Greeter::private::Bytes,
    ) -> __drpc_Greeter::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        match GreeterMethod::from_id(__method.id()) {
            ::core::option::Option::Some(GreeterMethod::Hello) => {
                __drpc_Greeter::private::Box::pin(async move {
                    ::core::result::Result::Ok(
                        __drpc_Greeter::private::IntoReply::into_reply(
                            Self::hello(&self),
                        ),
                    )
                })
            }
            ::core::option::Option::Some(GreeterMethod::Forget) => {
                __drpc_Greeter::private::Box::pin(async move {
                    ::core::result::Result::Ok(
                        __drpc_Greeter::private::IntoReply::into_reply(
                            Self::forget(&self),
                        ),
                    )
                })
            }
            _ => __drpc_Greeter::private::unknown_method(),
        }
    }
}
const _: fn(&Greeter) = __drpc_Greeter::private::is_module::<Greeter>;
const _: () = {
    const __METHODS: &[__drpc_Greeter::Method] = &[
        GreeterMethod::Hello.method(),
        GreeterMethod::Forget.method(),
    ];
    #[allow(forbidden_lint_groups)]
    const _: () = {
        __drpc_Greeter::private::inventory::submit! {
            __drpc_Greeter::private::ModuleDescriptor::new(GreeterMethod::MODULE,
            "greeter", "Greeter", ::core::env!("CARGO_PKG_NAME"), ::core::file!(),
            ::core::line!(), __METHODS, ::core::option::Option::None,)
        }
    };
};
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
    pub fn hello(&self) -> <__C as __drpc_Greeter::Caller>::Outcome<()> {
        self.caller.call::<(), ()>(GreeterMethod::Hello.method(), (), &self.options)
    }
    /// Method `forget`.
    pub fn forget(&self) -> <__C as __drpc_Greeter::Caller>::Outcome<()> {
        self.caller.call::<(), ()>(GreeterMethod::Forget.method(), (), &self.options)
    }
}
impl Parrot {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn echo(&self) {}
    #[cfg(unix)]
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn mute(&self) {}
}
use ::drpc::private::root as __drpc_Parrot;
/// The methods of module `parrot`.
#[::core::prelude::v1::derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash
)]
#[repr(i32)]
pub enum ParrotMethod {
    /// Method `echo`.
    Echo = 600,
    /// Method `mute`.
    #[cfg(unix)]
    Mute = 601,
}
impl ParrotMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 6;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Echo, #[cfg(unix)] Self::Mute];
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
            Self::Echo => "echo",
            #[cfg(unix)]
            Self::Mute => "mute",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Parrot::Method {
        match self {
            Self::Echo => {
                __drpc_Parrot::Method::new(Self::MODULE, self.id(), self.name())
            }
            #[cfg(unix)]
            Self::Mute => {
                __drpc_Parrot::Method::new(Self::MODULE, self.id(), self.name())
                    .with_rule("admin")
            }
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            600 => ::core::option::Option::Some(Self::Echo),
            #[cfg(unix)]
            601 => ::core::option::Option::Some(Self::Mute),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<::core::primitive::i32> for ParrotMethod {
    type Error = __drpc_Parrot::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Parrot::UnknownMethod> {
        Self::from_id(__id).ok_or(__drpc_Parrot::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<ParrotMethod> for __drpc_Parrot::Method {
    fn from(__method: ParrotMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for ParrotMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
impl __drpc_Parrot::Module for Parrot
where
    for<'__module> Parrot: __drpc_Parrot::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        ParrotMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "parrot"
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Parrot::Method> {
        ParrotMethod::from_id(__id).map(ParrotMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Parrot::private::Arc<Self>,
        __context: __drpc_Parrot::Context,
        __method: __drpc_Parrot::Method,
        __body: __drpc_Parrot::private::Bytes,
    ) -> __drpc_Parrot::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        match ParrotMethod::from_id(__method.id()) {
            ::core::option::Option::Some(ParrotMethod::Echo) => {
                __drpc_Parrot::private::Box::pin(async move {
                    ::core::result::Result::Ok(
                        __drpc_Parrot::private::IntoReply::into_reply(Self::echo(&self)),
                    )
                })
            }
            #[cfg(unix)]
            ::core::option::Option::Some(ParrotMethod::Mute) => {
                __drpc_Parrot::private::Box::pin(async move {
                    ::core::result::Result::Ok(
                        __drpc_Parrot::private::IntoReply::into_reply(Self::mute(&self)),
                    )
                })
            }
            _ => __drpc_Parrot::private::unknown_method(),
        }
    }
}
const _: fn(&Parrot) = __drpc_Parrot::private::is_module::<Parrot>;
const _: () = {
    const __METHODS: &[__drpc_Parrot::Method] = &[
        ParrotMethod::Echo.method(),
        #[cfg(unix)]
        ParrotMethod::Mute.method(),
    ];
    #[allow(forbidden_lint_groups)]
    const _: () = {
        __drpc_Parrot::private::inventory::submit! {
            __drpc_Parrot::private::ModuleDescriptor::new(ParrotMethod::MODULE, "parrot",
            "Parrot", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
            __METHODS, ::core::option::Option::None,)
        }
    };
};
/// A client of module `parrot`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct ParrotClient<C = __drpc_Parrot::private::DefaultCaller> {
    caller: C,
    options: __drpc_Parrot::CallOptions,
}
impl<__C: __drpc_Parrot::Caller> ParrotClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Parrot::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: ParrotMethod,
        __body: __drpc_Parrot::private::Bytes,
    ) -> <__C as __drpc_Parrot::Caller>::Outcome<__drpc_Parrot::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    /// Method `echo`.
    pub fn echo(&self) -> <__C as __drpc_Parrot::Caller>::Outcome<()> {
        self.caller.call::<(), ()>(ParrotMethod::Echo.method(), (), &self.options)
    }
    /// Method `mute`.
    #[cfg(unix)]
    pub fn mute(&self) -> <__C as __drpc_Parrot::Caller>::Outcome<()> {
        self.caller.call::<(), ()>(ParrotMethod::Mute.method(), (), &self.options)
    }
}
