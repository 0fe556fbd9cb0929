//! What is said on the wire; [the chapter](crate::guide::reflection#on-the-wire) has the same as a `.proto`.

use std::time::{Duration, SystemTime};

/// The reply of `catalogue`: what a caller may call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Catalogue {
    /// By ascending ID.
    #[prost(message, repeated, tag = "1")]
    pub modules: Vec<ModuleInfo>,
    /// When the server was made, in milliseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub serving_since_unix_ms: u64,
}

impl Catalogue {
    /// When the server was made; `None` if no clock can show that.
    #[must_use]
    pub fn serving_since(&self) -> Option<SystemTime> {
        from_unix_ms(self.serving_since_unix_ms)
    }
}

/// A module that a caller may call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ModuleInfo {
    /// Its ID.
    #[prost(int32, tag = "1")]
    pub id: i32,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its doc comment, without the space that lines begin with; empty if it has none, or was written by hand.
    #[prost(string, tag = "3")]
    pub docs: String,
    /// The name of the rule that lets the caller in, if there is one.
    #[prost(string, optional, tag = "4")]
    pub rule: Option<String>,
    /// Those that the caller may call, by ascending ID.
    #[prost(message, repeated, tag = "5")]
    pub methods: Vec<MethodInfo>,
    /// Whether it is [for other hosts](crate::Module::is_remote), too.
    #[prost(bool, tag = "6")]
    pub is_remote: bool,
}

/// A method that a caller may call.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MethodInfo {
    /// Its system-wide ID: the module's × 100, and its number.
    #[prost(int32, tag = "1")]
    pub id: i32,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its doc comment, without the space that lines begin with; empty if it has none, or its module was written by hand.
    #[prost(string, tag = "3")]
    pub docs: String,
    /// The name of the rule that lets the caller in, beside its module's, if there is one.
    #[prost(string, optional, tag = "4")]
    pub rule: Option<String>,
    /// Whether executing it twice has the same effect as once.
    #[prost(bool, tag = "5")]
    pub is_idempotent: bool,
    /// How long its handler may take, in milliseconds, if it has a time-out of its own.
    #[prost(uint64, optional, tag = "6")]
    pub timeout_ms: Option<u64>,
    /// How many bytes of a request are decoded, if it has a limit of its own.
    #[prost(uint64, optional, tag = "7")]
    pub request_limit: Option<u64>,
    /// What a call carries.
    #[prost(message, required, tag = "8")]
    pub request: BodyInfo,
    /// What a response carries: each of them, if it is a stream.
    #[prost(message, required, tag = "9")]
    pub reply: BodyInfo,
    /// Whether it replies with a stream of items.
    #[prost(bool, tag = "10")]
    pub is_stream: bool,
    /// Whether file descriptors travel with its calls or responses.
    #[prost(bool, tag = "11")]
    pub has_fds: bool,
    /// What each item carries of the stream that the caller sends; `None` if it sends none.
    #[prost(message, optional, tag = "12")]
    pub items: Option<BodyInfo>,
}

impl MethodInfo {
    /// The time-out of its handler; `None` if the server's applies.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// What a body carries.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BodyInfo {
    /// Whether it is a message, and if so, whether protobuf has a name for it.
    #[prost(enumeration = "BodyKind", tag = "1")]
    pub kind: i32,
    /// The message's type: its full name in protobuf (`hello.Hello`), or else in Rust (`greeter::Hello`).
    #[prost(string, tag = "2")]
    pub type_name: String,
}

/// What sort of thing a body carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum BodyKind {
    /// It is not known: the module was written by hand.
    Unknown = 0,
    /// Nothing.
    Nothing = 1,
    /// Bytes, as they are.
    Raw = 2,
    /// A message that has a name in protobuf.
    Message = 3,
    /// A message that was declared in Rust, of which no descriptor tells.
    RustMessage = 4,
}

/// The request of `sessions`. [`ReflectionClient`](super::ReflectionClient) makes it.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SessionsRequest {
    /// The page begins with the first session whose number is above this.
    #[prost(uint64, tag = "1")]
    pub after: u64,
}

/// The reply of `sessions`: a page of them.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Sessions {
    /// The oldest first, at most 256.
    #[prost(message, repeated, tag = "1")]
    pub sessions: Vec<SessionInfo>,
    /// Whether there are sessions behind the last of these.
    #[prost(bool, tag = "2")]
    pub has_more: bool,
}

/// An open session.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SessionInfo {
    /// Its number, unique within its server.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The client's effective user.
    #[prost(uint32, tag = "2")]
    pub uid: u32,
    /// The client's effective group.
    #[prost(uint32, tag = "3")]
    pub gid: u32,
    /// The client's process, if it is visible to the server.
    #[prost(int32, optional, tag = "4")]
    pub pid: Option<i32>,
    /// What that process is called now (`/proc/PID/comm`); empty if that can't be read.
    #[prost(string, tag = "5")]
    pub process: String,
    /// When the connection was accepted, in milliseconds since 1970.
    #[prost(uint64, tag = "6")]
    pub opened_at_unix_ms: u64,
    /// How many calls have ended.
    #[prost(uint64, tag = "7")]
    pub calls_done: u64,
    /// How many calls are being carried out.
    #[prost(uint32, tag = "8")]
    pub calls_running: u32,
    /// Those of them whose methods the caller may call, the oldest first, at most 16.
    #[prost(message, repeated, tag = "9")]
    pub running: Vec<CallInfo>,
    /// Whether it is the session that asks.
    #[prost(bool, tag = "10")]
    pub is_own: bool,
}

impl SessionInfo {
    /// When the connection was accepted; `None` if no clock can show that.
    #[must_use]
    pub fn opened_at(&self) -> Option<SystemTime> {
        from_unix_ms(self.opened_at_unix_ms)
    }
}

/// A call that is being carried out.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CallInfo {
    /// Its module's ID.
    #[prost(int32, tag = "1")]
    pub module: i32,
    /// Its method's system-wide ID.
    #[prost(int32, tag = "2")]
    pub method: i32,
    /// Its module's name.
    #[prost(string, tag = "3")]
    pub module_name: String,
    /// Its method's name.
    #[prost(string, tag = "4")]
    pub method_name: String,
    /// Its sequence number, as the client chose it.
    #[prost(int64, tag = "5")]
    pub sequence: i64,
    /// For how long it has been seen to run, in microseconds: [`RunningCall::since`](crate::RunningCall::since) says from when on.
    #[prost(uint64, tag = "6")]
    pub age_us: u64,
}

impl CallInfo {
    /// For how long it has been seen to run.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_micros(self.age_us)
    }
}

fn from_unix_ms(ms: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))
}
