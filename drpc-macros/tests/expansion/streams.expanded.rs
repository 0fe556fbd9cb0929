impl Clock {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn ticks(&self) -> impl Stream<Item = Result<Tick, Failure>> {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    async fn watch(
        &self,
        req: Watch,
        context: &Context,
    ) -> Result<impl Stream<Item = Result<Tick, Refused>> + use<>, Refused> {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn now(&self) -> Tick {}
}
use ::drpc::private::root as __drpc_Clock;
/// The methods of module `clock`.
#[::core::prelude::v1::derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash
)]
#[repr(i32)]
pub enum ClockMethod {
    /// Method `ticks`.
    Ticks = 501,
    /// Method `watch`.
    Watch = 502,
    /// Method `now`.
    Now = 503,
}
impl ClockMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Ticks, Self::Watch, Self::Now];
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
            Self::Ticks => "ticks",
            Self::Watch => "watch",
            Self::Now => "now",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Clock::Method {
        match self {
            Self::Ticks => {
                __drpc_Clock::Method::new(Self::MODULE, self.id(), self.name())
                    .streaming()
            }
            Self::Watch => {
                __drpc_Clock::Method::new(Self::MODULE, self.id(), self.name())
                    .streaming()
            }
            Self::Now => __drpc_Clock::Method::new(Self::MODULE, self.id(), self.name()),
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            501 => ::core::option::Option::Some(Self::Ticks),
            502 => ::core::option::Option::Some(Self::Watch),
            503 => ::core::option::Option::Some(Self::Now),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<::core::primitive::i32> for ClockMethod {
    type Error = __drpc_Clock::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Clock::UnknownMethod> {
        Self::from_id(__id).ok_or(__drpc_Clock::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<ClockMethod> for __drpc_Clock::Method {
    fn from(__method: ClockMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for ClockMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
impl __drpc_Clock::Module for Clock
where
    for<'__module> Clock: __drpc_Clock::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        ClockMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "clock"
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Clock::Method> {
        ClockMethod::from_id(__id).map(ClockMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Clock::private::Arc<Self>,
        __context: __drpc_Clock::Context,
        __method: __drpc_Clock::Method,
        __body: __drpc_Clock::private::Bytes,
    ) -> __drpc_Clock::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        use __drpc_Clock::private::{
            BorrowsConversion as _, BorrowsNothing as _, BorrowsText as _,
            HasConversion as _, HoldsError as _, HoldsLocalError as _,
            HoldsSendError as _, IsError as _, IsLocalError as _, IsNoError as _,
        };
        let __failed_0 = |__error: Failure| {
            (&&&&&&&&__drpc_Clock::private::Raised::of(&__error)).way().failure(__error)
        };
        let __failed_1 = |__error: Refused| {
            (&&&&&&&&__drpc_Clock::private::Raised::of(&__error)).way().failure(__error)
        };
        match ClockMethod::from_id(__method.id()) {
            ::core::option::Option::Some(ClockMethod::Ticks) => {
                __drpc_Clock::private::stream(move |__outlet| async move {
                    let __items = Self::ticks(&self);
                    __outlet.send::<__ClockItem0, _, _, _, _>(__items, __failed_0).await
                })
            }
            ::core::option::Option::Some(ClockMethod::Watch) => {
                let mut __reading = __drpc_Clock::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Clock::private::stream(move |__outlet| async move {
                    let __request = <Watch as __drpc_Clock::private::Requested<
                        __ClockRequest0,
                    >>::decode(__body, &mut __reading)?;
                    let __items = match Self::watch(
                            &self,
                            __request,
                            <Context as __drpc_Clock::private::FromContext>::of(
                                &__context,
                            ),
                        )
                        .await
                    {
                        ::core::result::Result::Ok(__items) => __items,
                        ::core::result::Result::Err(__error) => {
                            return ::core::result::Result::Err(__failed_1(__error));
                        }
                    };
                    __outlet.send::<__ClockItem0, _, _, _, _>(__items, __failed_1).await
                })
            }
            ::core::option::Option::Some(ClockMethod::Now) => {
                __drpc_Clock::private::Box::pin(async move {
                    <Tick as __drpc_Clock::private::Returned<
                        __ClockReply0,
                    >>::answer(Self::now(&self))
                        .map_err(|__error| {
                            (&&&&&&&&__drpc_Clock::private::Raised::of(&__error))
                                .way()
                                .failure(__error)
                        })
                })
            }
            _ => __drpc_Clock::private::unknown_method(),
        }
    }
}
const _: fn(&Clock) = __drpc_Clock::private::is_module::<Clock>;
const _: () = {
    const __METHODS: &[__drpc_Clock::Method] = &[
        ClockMethod::Ticks.method(),
        ClockMethod::Watch.method(),
        ClockMethod::Now.method(),
    ];
    #[allow(forbidden_lint_groups)]
    const _: () = {
        __drpc_Clock::private::inventory::submit! {
            __drpc_Clock::private::ModuleDescriptor::new(ClockMethod::MODULE, "clock",
            "Clock", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
            __METHODS, ::core::option::Option::None,)
        }
    };
};
/// A client of module `clock`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct ClockClient<C = __drpc_Clock::private::DefaultCaller> {
    caller: C,
    options: __drpc_Clock::CallOptions,
}
impl<__C: __drpc_Clock::Caller> ClockClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Clock::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: ClockMethod,
        __body: __drpc_Clock::private::Bytes,
    ) -> <__C as __drpc_Clock::Caller>::Outcome<__drpc_Clock::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    /// Method `ticks`.
    pub fn ticks(
        &self,
    ) -> <__C as __drpc_Clock::Caller>::Outcome<
        <__C as __drpc_Clock::Caller>::Streaming<
            <Tick as __drpc_Clock::private::Requested<__ClockItem0>>::Sent,
        >,
    > {
        self.caller
            .open::<
                (),
                <Tick as __drpc_Clock::private::Requested<__ClockItem0>>::Sent,
            >(ClockMethod::Ticks.method(), (), &self.options)
    }
    /// Method `watch`.
    pub fn watch(
        &self,
        req: Watch,
    ) -> <__C as __drpc_Clock::Caller>::Outcome<
        <__C as __drpc_Clock::Caller>::Streaming<
            <Tick as __drpc_Clock::private::Requested<__ClockItem0>>::Sent,
        >,
    > {
        self.caller
            .open::<
                <Watch as __drpc_Clock::private::Requested<__ClockRequest0>>::Sent,
                <Tick as __drpc_Clock::private::Requested<__ClockItem0>>::Sent,
            >(
                ClockMethod::Watch.method(),
                <Watch as __drpc_Clock::private::Requested<__ClockRequest0>>::sent(req),
                &self.options,
            )
    }
    /// Method `now`.
    pub fn now(
        &self,
    ) -> <__C as __drpc_Clock::Caller>::Outcome<
        <Tick as __drpc_Clock::private::Returned<__ClockReply0>>::Received,
    > {
        self.caller
            .call::<
                (),
                <Tick as __drpc_Clock::private::Returned<__ClockReply0>>::Received,
            >(ClockMethod::Now.method(), (), &self.options)
    }
}
type __ClockRequest0 = __drpc_Clock::private::travels!(Watch);
const _: () = __drpc_Clock::private::assert_payload::<Watch>();
type __ClockReply0 = __drpc_Clock::private::kind!(Tick);
const _: () = __drpc_Clock::private::assert_returned::<Tick, __ClockReply0>();
type __ClockItem0 = __drpc_Clock::private::travels!(Tick);
const _: () = __drpc_Clock::private::assert_item::<Tick>();
impl Mistaken {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn says_no_stream(&self) -> impl Stream<Item = Result<Tick, Failure>> {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn returns_no_stream(&self, req: Watch) -> Tick {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn gives_no_results(&self) -> impl Stream<Item = Tick> {}
}
use ::drpc::private::root as __drpc_Mistaken;
/// The methods of module `mistaken`.
#[::core::prelude::v1::derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash
)]
#[repr(i32)]
pub enum MistakenMethod {
    /// Method `says_no_stream`.
    SaysNoStream = 0,
    /// Method `returns_no_stream`.
    ReturnsNoStream = 1,
    /// Method `gives_no_results`.
    GivesNoResults = 2,
}
impl MistakenMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 0;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[
        Self::SaysNoStream,
        Self::ReturnsNoStream,
        Self::GivesNoResults,
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
            Self::SaysNoStream => "says_no_stream",
            Self::ReturnsNoStream => "returns_no_stream",
            Self::GivesNoResults => "gives_no_results",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Mistaken::Method {
        __drpc_Mistaken::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            0 => ::core::option::Option::Some(Self::SaysNoStream),
            1 => ::core::option::Option::Some(Self::ReturnsNoStream),
            2 => ::core::option::Option::Some(Self::GivesNoResults),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<::core::primitive::i32> for MistakenMethod {
    type Error = __drpc_Mistaken::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Mistaken::UnknownMethod> {
        Self::from_id(__id)
            .ok_or(__drpc_Mistaken::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<MistakenMethod> for __drpc_Mistaken::Method {
    fn from(__method: MistakenMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for MistakenMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
impl __drpc_Mistaken::Module for Mistaken
where
    for<'__module> Mistaken: __drpc_Mistaken::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        MistakenMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "mistaken"
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Mistaken::Method> {
        MistakenMethod::from_id(__id).map(MistakenMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Mistaken::private::Arc<Self>,
        __context: __drpc_Mistaken::Context,
        __method: __drpc_Mistaken::Method,
        __body: __drpc_Mistaken::private::Bytes,
    ) -> __drpc_Mistaken::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        match MistakenMethod::from_id(__method.id()) {
            _ => __drpc_Mistaken::private::unknown_method(),
        }
    }
}
/// A client of module `mistaken`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MistakenClient<C = __drpc_Mistaken::private::DefaultCaller> {
    caller: C,
    options: __drpc_Mistaken::CallOptions,
}
impl<__C: __drpc_Mistaken::Caller> MistakenClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Mistaken::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: MistakenMethod,
        __body: __drpc_Mistaken::private::Bytes,
    ) -> <__C as __drpc_Mistaken::Caller>::Outcome<__drpc_Mistaken::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    pub fn says_no_stream(&self) -> <__C as __drpc_Mistaken::Caller>::Outcome<()> {
        loop {}
    }
    pub fn returns_no_stream(
        &self,
        _: impl ::core::marker::Sized,
    ) -> <__C as __drpc_Mistaken::Caller>::Outcome<()> {
        loop {}
    }
    pub fn gives_no_results(&self) -> <__C as __drpc_Mistaken::Caller>::Outcome<()> {
        loop {}
    }
}
::core::compile_error! {
    "a handler that returns a stream has the key `stream`\n= help: say it to those who read the attribute, too: `#[method(4, stream)]`"
}
::core::compile_error! {
    "`stream` is for a handler that takes or returns one\n= help: let the handler take an `Incoming<Piece>`, or return `impl Stream<Item = Result<Event, Failure>>`, or a `Result` of that; else leave `stream` out"
}
::core::compile_error! {
    "an item of a stream is a `Result`\n= help: write `impl Stream<Item = Result<Event, Failure>>`; a stream that can't fail gives `Ok` alone"
}
