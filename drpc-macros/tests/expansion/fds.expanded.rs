impl Files {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn open(&self, req: Open) -> Result<WithFds<Opened>, Failure> {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    async fn send(&self, req: WithFds<Sent>) {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn size(&self, req: Open) -> Opened {}
}
use ::drpc::private::root as __drpc_Files;
/// The methods of module `files`.
#[::core::prelude::v1::derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash
)]
#[repr(i32)]
pub enum FilesMethod {
    /// Method `open`.
    Open = 501,
    /// Method `send`.
    Send = 502,
    /// Method `size`.
    Size = 503,
}
impl FilesMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = 5;
    /// Every method of the module.
    pub const ALL: &'static [Self] = &[Self::Open, Self::Send, Self::Size];
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
            Self::Open => "open",
            Self::Send => "send",
            Self::Size => "size",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Files::Method {
        match self {
            Self::Open => {
                __drpc_Files::Method::new(Self::MODULE, self.id(), self.name()).fds()
            }
            Self::Send => {
                __drpc_Files::Method::new(Self::MODULE, self.id(), self.name()).fds()
            }
            Self::Size => __drpc_Files::Method::new(Self::MODULE, self.id(), self.name()),
        }
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
            501 => ::core::option::Option::Some(Self::Open),
            502 => ::core::option::Option::Some(Self::Send),
            503 => ::core::option::Option::Some(Self::Size),
            _ => ::core::option::Option::None,
        }
    }
}
impl ::core::convert::TryFrom<::core::primitive::i32> for FilesMethod {
    type Error = __drpc_Files::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Files::UnknownMethod> {
        Self::from_id(__id).ok_or(__drpc_Files::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<FilesMethod> for __drpc_Files::Method {
    fn from(__method: FilesMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for FilesMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
impl __drpc_Files::Module for Files
where
    for<'__module> Files: __drpc_Files::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        FilesMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "files"
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Files::Method> {
        FilesMethod::from_id(__id).map(FilesMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Files::private::Arc<Self>,
        __context: __drpc_Files::Context,
        __method: __drpc_Files::Method,
        __body: __drpc_Files::private::Bytes,
    ) -> __drpc_Files::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        use __drpc_Files::private::{
            BorrowsConversion as _, BorrowsNothing as _, BorrowsText as _,
            HasConversion as _, HoldsError as _, HoldsLocalError as _,
            HoldsSendError as _, IsError as _, IsLocalError as _, IsNoError as _,
        };
        let __failed_0 = |__error: Failure| {
            (&&&&&&&&__drpc_Files::private::Raised::of(&__error)).way().failure(__error)
        };
        match FilesMethod::from_id(__method.id()) {
            ::core::option::Option::Some(FilesMethod::Open) => {
                let mut __reading = __drpc_Files::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Files::private::Box::pin(async move {
                    let __request = <Open as __drpc_Files::private::Requested<
                        __FilesRequest0,
                    >>::decode(__body, &mut __reading)?;
                    match Self::open(&self, __request) {
                        ::core::result::Result::Ok(__reply) => {
                            <WithFds<
                                Opened,
                            > as __drpc_Files::private::Returned<
                                __FilesReply0,
                            >>::reply(__reply)
                        }
                        ::core::result::Result::Err(__error) => {
                            ::core::result::Result::Err(__failed_0(__error))
                        }
                    }
                })
            }
            ::core::option::Option::Some(FilesMethod::Send) => {
                let mut __reading = __drpc_Files::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Files::private::Box::pin(async move {
                    let __request = <WithFds<
                        Sent,
                    > as __drpc_Files::private::Requested<
                        __FilesRequest1,
                    >>::decode(__body, &mut __reading)?;
                    ::core::result::Result::Ok(
                        __drpc_Files::private::IntoReply::into_reply(
                            Self::send(&self, __request).await,
                        ),
                    )
                })
            }
            ::core::option::Option::Some(FilesMethod::Size) => {
                let mut __reading = __drpc_Files::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Files::private::Box::pin(async move {
                    let __request = <Open as __drpc_Files::private::Requested<
                        __FilesRequest2,
                    >>::decode(__body, &mut __reading)?;
                    <Opened as __drpc_Files::private::Returned<
                        __FilesReply1,
                    >>::answer(Self::size(&self, __request))
                        .map_err(|__error| {
                            (&&&&&&&&__drpc_Files::private::Raised::of(&__error))
                                .way()
                                .failure(__error)
                        })
                })
            }
            _ => __drpc_Files::private::unknown_method(),
        }
    }
}
const _: fn(&Files) = __drpc_Files::private::is_module::<Files>;
const _: () = {
    const __METHODS: &[__drpc_Files::Method] = &[
        FilesMethod::Open.method(),
        FilesMethod::Send.method(),
        FilesMethod::Size.method(),
    ];
    #[allow(forbidden_lint_groups)]
    const _: () = {
        __drpc_Files::private::inventory::submit! {
            __drpc_Files::private::ModuleDescriptor::new(FilesMethod::MODULE, "files",
            "Files", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
            __METHODS, ::core::option::Option::None,)
        }
    };
};
/// A client of module `files`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct FilesClient<C = __drpc_Files::private::DefaultCaller> {
    caller: C,
    options: __drpc_Files::CallOptions,
}
impl<__C: __drpc_Files::Caller> FilesClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Files::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: FilesMethod,
        __body: __drpc_Files::private::Bytes,
    ) -> <__C as __drpc_Files::Caller>::Outcome<__drpc_Files::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    /// Method `open`.
    pub fn open(
        &self,
        req: Open,
    ) -> <__C as __drpc_Files::Caller>::Outcome<
        <WithFds<Opened> as __drpc_Files::private::Returned<__FilesReply0>>::Received,
    > {
        self.caller
            .call::<
                <Open as __drpc_Files::private::Requested<__FilesRequest0>>::Sent,
                <WithFds<
                    Opened,
                > as __drpc_Files::private::Returned<__FilesReply0>>::Received,
            >(
                FilesMethod::Open.method(),
                <Open as __drpc_Files::private::Requested<__FilesRequest0>>::sent(req),
                &self.options,
            )
    }
    /// Method `send`.
    pub fn send(
        &self,
        req: WithFds<Sent>,
    ) -> <__C as __drpc_Files::Caller>::Outcome<()> {
        self.caller
            .call::<
                <WithFds<
                    Sent,
                > as __drpc_Files::private::Requested<__FilesRequest1>>::Sent,
                (),
            >(
                FilesMethod::Send.method(),
                <WithFds<
                    Sent,
                > as __drpc_Files::private::Requested<__FilesRequest1>>::sent(req),
                &self.options,
            )
    }
    /// Method `size`.
    pub fn size(
        &self,
        req: Open,
    ) -> <__C as __drpc_Files::Caller>::Outcome<
        <Opened as __drpc_Files::private::Returned<__FilesReply1>>::Received,
    > {
        self.caller
            .call::<
                <Open as __drpc_Files::private::Requested<__FilesRequest2>>::Sent,
                <Opened as __drpc_Files::private::Returned<__FilesReply1>>::Received,
            >(
                FilesMethod::Size.method(),
                <Open as __drpc_Files::private::Requested<__FilesRequest2>>::sent(req),
                &self.options,
            )
    }
}
type __FilesRequest0 = __drpc_Files::private::travels!(Open);
const _: () = __drpc_Files::private::assert_payload_with_fds::<Open>();
type __FilesRequest1 = __drpc_Files::private::travels!(WithFds < Sent >);
const _: () = __drpc_Files::private::assert_payload_with_fds::<WithFds<Sent>>();
type __FilesRequest2 = __drpc_Files::private::travels!(Open);
const _: () = __drpc_Files::private::assert_payload::<Open>();
type __FilesReply0 = __drpc_Files::private::kind!(WithFds < Opened >);
const _: () = __drpc_Files::private::assert_reply_with_fds::<WithFds<Opened>>();
type __FilesReply1 = __drpc_Files::private::kind!(Opened);
const _: () = __drpc_Files::private::assert_returned::<Opened, __FilesReply1>();
const _: () = __drpc_Files::private::assert_fds(
    <Open as __drpc_Files::private::Requested<__FilesRequest0>>::HAS_FDS,
    <WithFds<Opened> as __drpc_Files::private::Returned<__FilesReply0>>::HAS_FDS,
);
const _: () = __drpc_Files::private::assert_fds(
    <WithFds<Sent> as __drpc_Files::private::Requested<__FilesRequest1>>::HAS_FDS,
    false,
);
