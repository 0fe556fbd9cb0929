#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod caller;
mod causes;
mod codec;
mod forward;
mod hosts;
mod io;
mod names;
#[doc(hidden)]
pub mod private;
mod server;
mod status;
mod tls;

/// For threads: calls that block.
pub mod blocking {
    pub use crate::caller::blocking::{Exchange, GrpcCaller, Streaming, Upload};
}

pub use caller::{GrpcCaller, GrpcCallerBuilder};
pub use forward::Forwarded;
pub use hosts::{InvalidHosts, call_each, hosts};
pub use server::{GrpcServer, GrpcServerBuilder, ServeError};
pub use tls::{Tls, TlsError};
