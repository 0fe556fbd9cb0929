use tracing::{Span, info_span};

use crate::transport::{Address, PeerCredentials};

/// The span of a session. What it logs, and the spans of its calls, are in it.
pub(crate) fn session_span(id: u64, peer: &PeerCredentials, address: Option<&Address>) -> Span {
    info_span!(
        target: "drpc::server::session",
        parent: None,
        "session",
        session = id,
        uid = peer.uid(),
        pid = peer.pid(),
        gid = peer.gid(),
        address = address.map(display),
    )
}
