//! What bytes go over: TCP, or TLS on it.

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
