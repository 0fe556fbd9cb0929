//! A caller on another host.

use std::fmt;

/// Who calls from another host: the names in its certificate, for which an authority vouches that the server trusts, and its address.
///
/// A name is written with its kind, so that one kind is never taken for another: `CN=admin` (the subject's common name), and of the alternative names
/// `DNS:host-3.example`, `URI:spiffe://cluster/admin`, `email:ops@example.org`, `IP:192.0.2.7`. [`Allow::certificate`](crate::Allow::certificate) allows
/// by name.
///
/// ```
/// use drpc::RemotePeer;
///
/// let peer = RemotePeer::new("192.0.2.7:50112").with_names(["CN=admin", "DNS:host-3.example"]);
/// assert!(peer.has_name("DNS:host-3.example") && !peer.has_name("host-3.example"));
/// assert_eq!(peer.to_string(), "CN=admin DNS:host-3.example at 192.0.2.7:50112");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePeer {
    address: String,
    names: Vec<String>,
}

/// What the name of a host begins with.
const DNS: &str = "DNS:";

impl RemotePeer {
    /// A caller at an address, of whom nothing else is known.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        RemotePeer { address: address.into(), names: Vec::new() }
    }

    /// The same with the names of its certificate.
    #[must_use]
    pub fn with_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        RemotePeer { names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Where it calls from, for the log.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The names in its certificate; none if it has shown none.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether its certificate has a name, which is compared as it is; that of a host (`DNS:`) in whatever case.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        let host = name.strip_prefix(DNS);
        self.names.iter().any(|known| match (host, known.strip_prefix(DNS)) {
            (Some(host), Some(known)) => known.eq_ignore_ascii_case(host),
            _ => known == name,
        })
    }
}

impl fmt::Display for RemotePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names[..] {
            [] => f.write_str("a caller without a certificate")?,
            names => write!(f, "{}", names.join(" ").escape_debug())?,
        }
        write!(f, " at {}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_hosts_name_says_nothing_and_that_of_others_does() {
        let peer = RemotePeer::new("here").with_names(["CN=Admin", "DNS:Host-3.example"]);
        for (name, has) in [
            ("DNS:host-3.EXAMPLE", true),
            ("dns:host-3.example", false),
            ("DNS:host-4.example", false),
            ("CN=Admin", true),
            ("CN=admin", false),
        ] {
            assert_eq!(peer.has_name(name), has, "{name}");
        }
    }
}
