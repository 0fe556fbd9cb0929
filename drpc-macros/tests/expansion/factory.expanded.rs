impl Greeter {
    fn hello(&self) {}
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
    pub const fn method(self) -> crate::rpc::Method {
        crate::rpc::Method::new(Self::MODULE, self.id(), self.name())
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
    type Error = crate::rpc::UnknownMethod;
    fn try_from(id: i32) -> ::core::result::Result<Self, Self::Error> {
        Self::from_id(id).ok_or(crate::rpc::UnknownMethod::new(Self::MODULE, id))
    }
}
impl ::core::convert::From<GreeterMethod> for crate::rpc::Method {
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
impl crate::rpc::Module for Greeter {
    fn id(&self) -> i32 {
        GreeterMethod::MODULE
    }
    fn name(&self) -> &str {
        "greeter"
    }
    fn get_method(&self, id: i32) -> ::core::option::Option<crate::rpc::Method> {
        GreeterMethod::from_id(id).map(GreeterMethod::method)
    }
    fn handle_call<'async_trait>(
        self: crate::rpc::private::Arc<Self>,
        context: crate::rpc::Context,
        method: crate::rpc::Method,
        body: crate::rpc::private::Bytes,
    ) -> crate::rpc::private::HandlerFuture<'async_trait>
    where
        Self: 'async_trait,
    {
        match GreeterMethod::from_id(method.id()) {
            ::core::option::Option::Some(GreeterMethod::Hello) => {
                crate::rpc::private::Box::pin(async move {
                    let this = &*self;
                    let reply = this.hello();
                    ::core::result::Result::Ok(
                        <() as crate::rpc::private::IntoReply>::into_reply(reply),
                    )
                })
            }
            _ => {
                let unknown = crate::rpc::Failure::unknown_method();
                crate::rpc::private::Box::pin(
                    ::core::future::ready(::core::result::Result::Err(unknown)),
                )
            }
        }
    }
}
const _: () = {
    #[allow(deprecated)]
    const METHODS: &[crate::rpc::Method] = &[GreeterMethod::Hello.method()];
    fn create() -> crate::rpc::private::Arc<dyn crate::rpc::Module> {
        let module: Greeter = Greeter::from_env();
        crate::rpc::private::Arc::new(module)
    }
    crate::rpc::private::inventory::submit! {
        crate ::rpc::private::ModuleDescriptor::new(GreeterMethod::MODULE, "greeter",
        "Greeter", ::core::env!("CARGO_PKG_NAME"), ::core::file!(), ::core::line!(),
        METHODS, ::core::option::Option::Some(create),)
    }
};
/// A client of module `greeter`.
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
#[allow(dead_code, unreachable_pub, rustdoc::broken_intra_doc_links)]
pub struct GreeterClient<C = crate::rpc::private::DefaultCaller> {
    caller: C,
    options: crate::rpc::CallOptions,
}
#[allow(
    dead_code,
    deprecated,
    non_snake_case,
    private_interfaces,
    unreachable_pub,
    rustdoc::broken_intra_doc_links
)]
impl<C: crate::rpc::Caller> GreeterClient<C> {
    /// A client that calls through `caller`.
    pub fn new(caller: C) -> Self {
        Self {
            caller,
            options: ::core::default::Default::default(),
        }
    }
    /// The same client with options for the calls to come.
    pub fn with(&self, options: crate::rpc::CallOptions) -> Self {
        Self {
            caller: ::core::clone::Clone::clone(&self.caller),
            options,
        }
    }
    /// Calls a method with a body as it is, and gives the reply's body as it is.
    pub fn raw(
        &self,
        method: GreeterMethod,
        body: crate::rpc::private::Bytes,
    ) -> C::Reply<crate::rpc::private::Bytes> {
        self.caller.call(method.method(), body, &self.options)
    }
    /// Method `hello`.
    pub fn hello(
        &self,
    ) -> <C as crate::rpc::Caller>::Reply<
        <() as crate::rpc::private::IntoReply>::Received,
    > {
        self.caller
            .call::<
                (),
                <() as crate::rpc::private::IntoReply>::Received,
            >(GreeterMethod::Hello.method(), (), &self.options)
    }
}
