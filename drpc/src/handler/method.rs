use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// A method of a module: its IDs, its name, and who may call it. Generated code has one for each `#[method]`; make your own to call by number.
///
/// ```
/// use drpc::Method;
///
/// let hello = Method::new(5, 501, "hello");
/// assert_eq!((hello.module(), hello.id(), hello.name()), (5, 501, "hello"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method {
    module: i32,
    id: i32,
    name: &'static str,
    rule: Option<&'static str>,
    // Several copies are made a call, so it is kept small.
    timeout_nanos: Option<NonZeroU64>,
    request_limit: Option<NonZeroU32>,
    idempotent: bool,
    streams: Streams,
    fds: bool,
}

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Streams {
    #[default]
    Neither,
    Replies,
    Requests,
    Both,
}

impl Streams {
    pub(crate) const fn of(replies: bool, requests: bool) -> Self {
        match (replies, requests) {
            (false, false) => Streams::Neither,
            (true, false) => Streams::Replies,
            (false, true) => Streams::Requests,
            (true, true) => Streams::Both,
        }
    }

    pub(crate) const fn replies(self) -> bool {
        matches!(self, Streams::Replies | Streams::Both)
    }

    pub(crate) const fn requests(self) -> bool {
        matches!(self, Streams::Requests | Streams::Both)
    }
}

impl Method {
    /// A method by its module's ID, its own system-wide ID, and its name.
    #[must_use]
    pub const fn new(module: i32, id: i32, name: &'static str) -> Self {
        Method {
            module,
            id,
            name,
            rule: None,
            timeout_nanos: None,
            request_limit: None,
            idempotent: false,
            streams: Streams::Neither,
            fds: false,
        }
    }

    /// The same method, restricted to those whom a rule of the server allows; `ServerBuilder::rule` defines it by this name.
    ///
    /// For modules written by hand; `#[method]` takes the name as `allow = "admin"`. The [module's](crate::Module::rule) rule must allow the caller too.
    #[must_use]
    pub const fn with_rule(self, name: &'static str) -> Self {
        Method { rule: Some(name), ..self }
    }

    /// The same method, declared idempotent: executing it twice has the same effect as once. See [`RetryPolicy`](crate::RetryPolicy). `#[method(3, idempotent)]`
    /// declares it.
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const STATUS: Method = Method::new(7, 702, "status").idempotent();
    /// assert!(STATUS.is_idempotent());
    /// ```
    #[must_use]
    pub const fn idempotent(self) -> Self {
        Method { idempotent: true, ..self }
    }

    /// Whether the method is declared idempotent.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        self.idempotent
    }

    /// The same method, which answers by a stream: [`Reply::stream`](crate::Reply::stream). `#[method(4, stream)]` declares it.
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const WATCH: Method = Method::new(7, 704, "watch").streaming();
    /// assert!(WATCH.is_streaming());
    /// ```
    #[must_use]
    pub const fn streaming(self) -> Self {
        Method { streams: Streams::of(true, self.streams.requests()), ..self }
    }

    /// Whether the method answers by a stream.
    #[must_use]
    pub const fn is_streaming(self) -> bool {
        self.streams.replies()
    }

    /// The same method, which takes a stream of items from its caller: [`Reply::taking`](crate::Reply::taking). `#[method(5, stream)]` declares it of a handler
    /// that takes an [`Incoming`](crate::Incoming).
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const UPLOAD: Method = Method::new(7, 705, "upload").client_streaming();
    /// assert!(UPLOAD.is_client_streaming() && !UPLOAD.is_streaming());
    /// ```
    #[must_use]
    pub const fn client_streaming(self) -> Self {
        Method { streams: Streams::of(self.streams.replies(), true), ..self }
    }

    /// Whether the method takes a stream of items from its caller.
    #[must_use]
    pub const fn is_client_streaming(self) -> bool {
        self.streams.requests()
    }

    pub(crate) const fn streams(self) -> Streams {
        self.streams
    }

    /// The same method, declared to pass descriptors with its request, its reply, or both: see [`WithFds`](crate::WithFds). `#[method(6, fds)]` declares it.
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const OPEN: Method = Method::new(7, 706, "open").fds();
    /// assert!(OPEN.has_fds());
    /// ```
    #[must_use]
    pub const fn fds(self) -> Self {
        Method { fds: true, ..self }
    }

    /// Whether the method is declared to pass descriptors.
    #[must_use]
    pub const fn has_fds(self) -> bool {
        self.fds
    }

    /// The same method with a time-out for its handler, which overrides `ServerBuilder::handler_timeout`, whether longer or shorter. It is at least a nanosecond,
    /// and at most 584 years.
    ///
    /// For modules written by hand; `#[method]` takes it as `timeout = "5s"`. [`handler_timeout`](crate::ServerBuilder::handler_timeout) says what happens to a handler that
    /// takes longer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use drpc::Method;
    ///
    /// const FORMAT: Method = Method::new(7, 703, "format").with_timeout(Duration::from_secs(60));
    /// assert_eq!(FORMAT.timeout(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        let nanos = if timeout.as_nanos() < u64::MAX as u128 { timeout.as_nanos() as u64 } else { u64::MAX };
        let nanos = if nanos == 0 { 1 } else { nanos };
        Method { timeout_nanos: NonZeroU64::new(nanos), ..self }
    }

    /// The time-out of the method's handler; `None` if the server's applies.
    #[must_use]
    pub const fn timeout(self) -> Option<Duration> {
        match self.timeout_nanos {
            Some(nanos) => Some(Duration::from_nanos(nanos.get())),
            None => None,
        }
    }

    /// The same method, whose requests may have so many bytes and are still decoded: in place of
    /// [`ServerBuilder::request_limit`](crate::ServerBuilder::request_limit), whether that is more or less. It is at least 1, and at most 4 GiB, which no message is.
    ///
    /// `#[method]` takes it as `request_limit = "64KiB"`. A module written by hand looks at the length of its bodies itself.
    ///
    /// ```
    /// use drpc::Method;
    ///
    /// const IMPORT: Method = Method::new(7, 704, "import").with_request_limit(16 << 20);
    /// assert_eq!(IMPORT.request_limit(), Some(16 << 20));
    /// ```
    #[must_use]
    pub const fn with_request_limit(self, bytes: usize) -> Self {
        let bytes = if bytes < u32::MAX as usize { bytes as u32 } else { u32::MAX };
        let bytes = if bytes == 0 { 1 } else { bytes };
        Method { request_limit: NonZeroU32::new(bytes), ..self }
    }

    /// How many bytes of a request of the method are decoded; `None` if its server says so for all.
    #[must_use]
    pub const fn request_limit(self) -> Option<usize> {
        match self.request_limit {
            Some(bytes) => Some(bytes.get() as usize),
            None => None,
        }
    }

    /// The ID of the method's module.
    #[must_use]
    pub const fn module(self) -> i32 {
        self.module
    }

    /// The method's system-wide ID: module × 100 + its number in the module.
    #[must_use]
    pub const fn id(self) -> i32 {
        self.id
    }

    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The rule for who may call the method; `None` if only its module's rule applies.
    #[must_use]
    pub const fn rule(self) -> Option<&'static str> {
        self.rule
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// The ID belongs to no method of the module.
///
/// ```
/// use drpc::{UnknownMethod, drpc_module};
///
/// struct Echo;
///
/// #[drpc_module(id = 7)]
/// impl Echo {
///     #[method(0)]
///     fn ping(&self) {}
/// }
///
/// assert_eq!(EchoMethod::try_from(700), Ok(EchoMethod::Ping));
/// assert_eq!(EchoMethod::try_from(701), Err(UnknownMethod::new(7, 701)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    module: i32,
    id: i32,
}

impl UnknownMethod {
    /// The ID that the module does not have.
    #[must_use]
    pub const fn new(module: i32, id: i32) -> Self {
        UnknownMethod { module, id }
    }
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module {} has no method {}", self.module, self.id)
    }
}

impl std::error::Error for UnknownMethod {}
