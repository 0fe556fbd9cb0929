use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// What one end of a connection shows of itself, and whom it trusts: its certificate and key, and the authority that has signed the other end's.
///
/// Both ends must have one: a server lets no caller in without a certificate of its authority, and a caller calls no server without one for the host's name.
/// All of it is PEM. The certificate may be a chain; the authority may be several.
///
/// ```no_run
/// use drpc_grpc::Tls;
///
/// let tls = Tls::from_files("/etc/greeterd/host.pem", "/etc/greeterd/host.key", "/etc/greeterd/ca.pem")?;
/// # Ok::<(), drpc_grpc::TlsError>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    identity: Identity,
    authority: Certificate,
}

/// A caller that shows nothing in that time is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

impl Tls {
    /// From texts in PEM. They are looked at when a server starts or a caller is made.
    #[must_use]
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
    ) -> Self {
        Tls { identity: Identity::from_pem(certificate, key), authority: Certificate::from_pem(authority) }
    }

    /// From files in PEM, which are read now: a certificate that is renewed needs a new start.
    ///
    /// # Errors
    ///
    /// [`TlsError`], with its path, if a file can't be read.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        authority: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|cause| TlsError { path: path.to_owned(), cause });
        Ok(Tls::from_pem(read(certificate.as_ref())?, read(key.as_ref())?, read(authority.as_ref())?))
    }

    pub(crate) fn of_server(&self) -> ServerTlsConfig {
        let config = ServerTlsConfig::new().identity(self.identity.clone());
        config.client_ca_root(self.authority.clone()).timeout(HANDSHAKE_TIMEOUT)
    }

    pub(crate) fn of_caller(&self, server_name: Option<&str>) -> ClientTlsConfig {
        let config =
            ClientTlsConfig::new().identity(self.identity.clone()).ca_certificate(self.authority.clone());
        match server_name {
            Some(name) => config.domain_name(name),
            None => config,
        }
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A certificate, a key or an authority can't be read.
#[derive(Debug)]
pub struct TlsError {
    path: PathBuf,
    cause: io::Error,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't read {}: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
