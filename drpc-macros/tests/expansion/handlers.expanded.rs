impl Forms {
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn nothing(&self) {}
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    async fn reply(&self) -> Hello {
        Hello::default()
    }
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn bytes(&self, body: Bytes) -> Bytes {
        body
    }
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    async fn context(&self, context: &Context, req: Hello) -> Result<(), MyError> {
        Ok(())
    }
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
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
    #[allow(
        forbidden_lint_groups,
        clippy::missing_const_for_fn,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::wrong_self_convention
    )]
    fn r#type(&self, Hello { name }: Hello) -> Self {
        Forms
    }
}
use ::drpc::private::root as __drpc_Forms;
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
#[allow(deprecated)]
impl FormsMethod {
    /// The module's ID.
    pub const MODULE: ::core::primitive::i32 = -3;
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
            Self::Nothing => "nothing",
            Self::Reply => "reply",
            Self::Bytes => "bytes",
            Self::Context => "context_first",
            Self::ContextLast => "context_last",
            Self::Type => "type",
        }
    }
    /// The method as a call names it.
    pub const fn method(self) -> __drpc_Forms::Method {
        __drpc_Forms::Method::new(Self::MODULE, self.id(), self.name())
    }
    /// The method of a system-wide ID.
    pub const fn from_id(__id: ::core::primitive::i32) -> ::core::option::Option<Self> {
        match __id {
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
impl ::core::convert::TryFrom<::core::primitive::i32> for FormsMethod {
    type Error = __drpc_Forms::UnknownMethod;
    fn try_from(
        __id: ::core::primitive::i32,
    ) -> ::core::result::Result<Self, __drpc_Forms::UnknownMethod> {
        Self::from_id(__id).ok_or(__drpc_Forms::UnknownMethod::new(Self::MODULE, __id))
    }
}
impl ::core::convert::From<FormsMethod> for __drpc_Forms::Method {
    fn from(__method: FormsMethod) -> Self {
        __method.method()
    }
}
impl ::core::fmt::Display for FormsMethod {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.pad(Self::name(*self))
    }
}
#[allow(deprecated)]
impl __drpc_Forms::Module for Forms
where
    for<'__module> Forms: __drpc_Forms::private::ModuleType,
{
    fn id(&self) -> ::core::primitive::i32 {
        FormsMethod::MODULE
    }
    fn name(&self) -> &::core::primitive::str {
        "every_form"
    }
    fn get_method(
        &self,
        __id: ::core::primitive::i32,
    ) -> ::core::option::Option<__drpc_Forms::Method> {
        FormsMethod::from_id(__id).map(FormsMethod::method)
    }
    fn handle_call<'async_trait>(
        self: __drpc_Forms::private::Arc<Self>,
        __context: __drpc_Forms::Context,
        __method: __drpc_Forms::Method,
        __body: __drpc_Forms::private::Bytes,
    ) -> __drpc_Forms::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        use __drpc_Forms::private::{
            BorrowsConversion as _, BorrowsNothing as _, BorrowsText as _,
            HasConversion as _, HoldsError as _, HoldsLocalError as _,
            HoldsSendError as _, IsError as _, IsLocalError as _, IsNoError as _,
        };
        let __failed_0 = |__error: MyError| {
            (&&&&&&&&__drpc_Forms::private::Raised::of(&__error)).way().failure(__error)
        };
        match FormsMethod::from_id(__method.id()) {
            ::core::option::Option::Some(FormsMethod::Nothing) => {
                __drpc_Forms::private::Box::pin(async move {
                    ::core::result::Result::Ok(
                        __drpc_Forms::private::IntoReply::into_reply(
                            Self::nothing(&self),
                        ),
                    )
                })
            }
            ::core::option::Option::Some(FormsMethod::Reply) => {
                __drpc_Forms::private::Box::pin(async move {
                    <Hello as __drpc_Forms::private::Returned<
                        __FormsReply0,
                    >>::answer(Self::reply(&self).await)
                        .map_err(|__error| {
                            (&&&&&&&&__drpc_Forms::private::Raised::of(&__error))
                                .way()
                                .failure(__error)
                        })
                })
            }
            ::core::option::Option::Some(FormsMethod::Bytes) => {
                let mut __reading = __drpc_Forms::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Forms::private::Box::pin(async move {
                    let __request = <Bytes as __drpc_Forms::private::Requested<
                        __FormsRequest0,
                    >>::decode(__body, &mut __reading)?;
                    <Bytes as __drpc_Forms::private::Returned<
                        __FormsReply1,
                    >>::answer(Self::bytes(&self, __request))
                        .map_err(|__error| {
                            (&&&&&&&&__drpc_Forms::private::Raised::of(&__error))
                                .way()
                                .failure(__error)
                        })
                })
            }
            ::core::option::Option::Some(FormsMethod::Context) => {
                let mut __reading = __drpc_Forms::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Forms::private::Box::pin(async move {
                    let __request = <Hello as __drpc_Forms::private::Requested<
                        __FormsRequest1,
                    >>::decode(__body, &mut __reading)?;
                    match Self::context(
                            &self,
                            <Context as __drpc_Forms::private::FromContext>::of(
                                &__context,
                            ),
                            __request,
                        )
                        .await
                    {
                        ::core::result::Result::Ok(__reply) => {
                            <() as __drpc_Forms::private::Returned<
                                __FormsReply2,
                            >>::reply(__reply)
                        }
                        ::core::result::Result::Err(__error) => {
                            ::core::result::Result::Err(__failed_0(__error))
                        }
                    }
                })
            }
            ::core::option::Option::Some(FormsMethod::ContextLast) => {
                let mut __reading = __drpc_Forms::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Forms::private::Box::pin(async move {
                    let __request = <Hello as __drpc_Forms::private::Requested<
                        __FormsRequest1,
                    >>::decode(__body, &mut __reading)?;
                    match Self::context_last(
                            &self,
                            __request,
                            <drpc::Context as __drpc_Forms::private::FromContext>::of(
                                &__context,
                            ),
                        )
                        .await
                    {
                        ::core::result::Result::Ok(__reply) => {
                            <Hello as __drpc_Forms::private::Returned<
                                __FormsReply0,
                            >>::reply(__reply)
                        }
                        ::core::result::Result::Err(__error) => {
                            ::core::result::Result::Err(
                                (&&&&&&&&__drpc_Forms::private::Raised::of(&__error))
                                    .way()
                                    .failure(__error),
                            )
                        }
                    }
                })
            }
            ::core::option::Option::Some(FormsMethod::Type) => {
                let mut __reading = __drpc_Forms::private::reading(
                    &__context,
                    __method,
                    &__body,
                );
                __drpc_Forms::private::Box::pin(async move {
                    let __request = <Hello as __drpc_Forms::private::Requested<
                        __FormsRequest1,
                    >>::decode(__body, &mut __reading)?;
                    <Forms as __drpc_Forms::private::Returned<
                        __FormsReply3,
                    >>::answer(Self::r#type(&self, __request))
                        .map_err(|__error| {
                            (&&&&&&&&__drpc_Forms::private::Raised::of(&__error))
                                .way()
                                .failure(__error)
                        })
                })
            }
            _ => __drpc_Forms::private::unknown_method(),
        }
    }
}
const _: fn(&Forms) = __drpc_Forms::private::is_module::<Forms>;
#[allow(deprecated)]
const _: () = {
    const __METHODS: &[__drpc_Forms::Method] = &[
        FormsMethod::Nothing.method(),
        FormsMethod::Reply.method(),
        FormsMethod::Bytes.method(),
        FormsMethod::Context.method(),
        FormsMethod::ContextLast.method(),
        FormsMethod::Type.method(),
    ];
    #[allow(forbidden_lint_groups)]
    const _: () = {
        __drpc_Forms::private::inventory::submit! {
            __drpc_Forms::private::ModuleDescriptor::new(FormsMethod::MODULE,
            "every_form", "Forms", ::core::env!("CARGO_PKG_NAME"), ::core::file!(),
            ::core::line!(), __METHODS, ::core::option::Option::None,)
        }
    };
};
/// A client of module `every_form`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct FormsClient<C = __drpc_Forms::private::DefaultCaller> {
    caller: C,
    options: __drpc_Forms::CallOptions,
}
#[allow(deprecated)]
impl<__C: __drpc_Forms::Caller> FormsClient<__C> {
    /// A client that calls through `caller`.
    pub fn new(__caller: __C) -> Self {
        Self {
            caller: __caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, __options: __drpc_Forms::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options: __options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        __method: FormsMethod,
        __body: __drpc_Forms::private::Bytes,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<__drpc_Forms::private::Bytes> {
        self.caller.call(__method.method(), __body, &self.options)
    }
    /// Method `nothing`.
    pub fn nothing(&self) -> <__C as __drpc_Forms::Caller>::Outcome<()> {
        self.caller.call::<(), ()>(FormsMethod::Nothing.method(), (), &self.options)
    }
    /// Method `reply`.
    pub fn reply(
        &self,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<
        <Hello as __drpc_Forms::private::Returned<__FormsReply0>>::Received,
    > {
        self.caller
            .call::<
                (),
                <Hello as __drpc_Forms::private::Returned<__FormsReply0>>::Received,
            >(FormsMethod::Reply.method(), (), &self.options)
    }
    /// Method `bytes`.
    pub fn bytes(
        &self,
        body: Bytes,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<
        <Bytes as __drpc_Forms::private::Returned<__FormsReply1>>::Received,
    > {
        self.caller
            .call::<
                <Bytes as __drpc_Forms::private::Requested<__FormsRequest0>>::Sent,
                <Bytes as __drpc_Forms::private::Returned<__FormsReply1>>::Received,
            >(
                FormsMethod::Bytes.method(),
                <Bytes as __drpc_Forms::private::Requested<__FormsRequest0>>::sent(body),
                &self.options,
            )
    }
    /// Method `context_first`.
    pub fn context(
        &self,
        req: Hello,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<
        <() as __drpc_Forms::private::Returned<__FormsReply2>>::Received,
    > {
        self.caller
            .call::<
                <Hello as __drpc_Forms::private::Requested<__FormsRequest1>>::Sent,
                <() as __drpc_Forms::private::Returned<__FormsReply2>>::Received,
            >(
                FormsMethod::Context.method(),
                <Hello as __drpc_Forms::private::Requested<__FormsRequest1>>::sent(req),
                &self.options,
            )
    }
    /// Method `context_last`.
    pub fn context_last(
        &self,
        __request: Hello,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<
        <Hello as __drpc_Forms::private::Returned<__FormsReply0>>::Received,
    > {
        self.caller
            .call::<
                <Hello as __drpc_Forms::private::Requested<__FormsRequest1>>::Sent,
                <Hello as __drpc_Forms::private::Returned<__FormsReply0>>::Received,
            >(
                FormsMethod::ContextLast.method(),
                <Hello as __drpc_Forms::private::Requested<
                    __FormsRequest1,
                >>::sent(__request),
                &self.options,
            )
    }
    /// Method `type`.
    #[deprecated = "say `hello`"]
    pub fn r#type(
        &self,
        __request: Hello,
    ) -> <__C as __drpc_Forms::Caller>::Outcome<
        <Forms as __drpc_Forms::private::Returned<__FormsReply3>>::Received,
    > {
        self.caller
            .call::<
                <Hello as __drpc_Forms::private::Requested<__FormsRequest1>>::Sent,
                <Forms as __drpc_Forms::private::Returned<__FormsReply3>>::Received,
            >(
                FormsMethod::Type.method(),
                <Hello as __drpc_Forms::private::Requested<
                    __FormsRequest1,
                >>::sent(__request),
                &self.options,
            )
    }
}
type __FormsRequest0 = __drpc_Forms::private::travels!(Bytes);
const _: () = __drpc_Forms::private::assert_payload::<Bytes>();
type __FormsRequest1 = __drpc_Forms::private::travels!(Hello);
const _: () = __drpc_Forms::private::assert_payload::<Hello>();
type __FormsReply0 = __drpc_Forms::private::kind!(Hello);
type __FormsReply1 = __drpc_Forms::private::kind!(Bytes);
type __FormsReply2 = __drpc_Forms::private::kind!(());
const _: () = __drpc_Forms::private::assert_reply::<()>();
type __FormsReply3 = __drpc_Forms::private::kind!(Forms);
const _: () = __drpc_Forms::private::assert_returned::<Forms, __FormsReply3>();
