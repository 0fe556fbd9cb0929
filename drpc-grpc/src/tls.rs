use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, fs, io};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

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
///
/// It is a handle: give a clone to a server or a caller, and [`reload`](Self::reload) the other when the files have changed. Connections that are made from
/// then on show and ask for what is new; those that are there go on.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    /// Certificate, key and authority.
    files: Option<[PathBuf; 3]>,
    current: Mutex<Ends>,
}

/// Both ends of a connection, as whom it is made.
#[derive(Clone)]
struct Ends {
    server: Arc<ServerConfig>,
    caller: Arc<ClientConfig>,
}

/// What both ends agree to speak.
pub(crate) const HTTP2: &[u8] = b"h2";

impl Tls {
    /// From texts in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if one is not PEM, or they do not belong together.
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let current = Ends::of(certificate.as_ref(), key.as_ref(), authority.as_ref())?;
        Ok(Tls(Arc::new(Shared { files: None, current: current.into() })))
    }

    /// From files in PEM, which are read now, and again by [`reload`](Self::reload).
    ///
    /// # Errors
    ///
    /// [`TlsError`] if one can't be read, is not PEM, or they do not belong together.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        authority: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let files = [certificate.as_ref(), key.as_ref(), authority.as_ref()].map(Path::to_owned);
        let current = read(&files)?;
        Ok(Tls(Arc::new(Shared { files: Some(files), current: current.into() })))
    }

    /// Reads the files again, for servers and callers that have this: call it when a certificate was renewed, on SIGHUP or from time to time.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # async fn example(tls: drpc_grpc::Tls) {
    /// let renewed = tls.clone();
    /// tokio::spawn(async move {
    ///     loop {
    ///         tokio::time::sleep(Duration::from_secs(3600)).await;
    ///         if let Err(error) = renewed.reload() {
    ///             eprintln!("the certificates stay as they were: {error}");
    ///         }
    ///     }
    /// });
    /// # }
    /// ```
    ///
    /// One from texts is not changed by it; [`renew`](Self::renew) does that.
    ///
    /// # Errors
    ///
    /// [`TlsError`], and everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Some(files) = &self.0.files {
            self.replace(read(files)?);
        }
        Ok(())
    }

    /// The same as [`reload`](Self::reload), with texts in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`], and everything stays as it was.
    pub fn renew(
        &self,
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
    ) -> Result<(), TlsError> {
        self.replace(Ends::of(certificate.as_ref(), key.as_ref(), authority.as_ref())?);
        Ok(())
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.current().server
    }

    pub(crate) fn caller(&self) -> Arc<ClientConfig> {
        self.current().caller
    }

    fn current(&self) -> Ends {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, ends: Ends) {
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }
}

fn read(files: &[PathBuf; 3]) -> Result<Ends, TlsError> {
    let [certificate, key, authority] =
        files.each_ref().map(|path| fs::read(path).map_err(|cause| TlsError::of_file(path, cause)));
    Ends::of(&certificate?, &key?, &authority?)
}

const HAS_SUITES: &str = "the provider has suites for TLS 1.2 and 1.3";

impl Ends {
    fn of(certificate: &[u8], key: &[u8], authority: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|cause| TlsError::of_text("key", cause))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(authority, "authority")? {
            roots.add(root).map_err(|cause| TlsError::of_use("authority", cause))?;
        }
        let (provider, roots) = (Arc::new(ring::default_provider()), Arc::new(roots));
        let callers = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let callers = callers.map_err(|cause| TlsError::of_use("authority", cause))?;
        let of_pair = |cause| TlsError::of_use("certificate and key", cause);
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect(HAS_SUITES)
            .with_client_cert_verifier(callers)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(of_pair)?;
        let mut caller = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect(HAS_SUITES)
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(of_pair)?;
        server.alpn_protocols = vec![HTTP2.to_vec()];
        // A session that is resumed is one whose certificate nobody looks at again, though it may have expired.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        caller.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Ends { server: server.into(), caller: caller.into() })
    }
}

/// One at least.
fn certificates(text: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::of_text(what, pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(cause) => Err(TlsError::of_text(what, cause)),
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

/// A certificate, a key or an authority can't be read or used.
#[derive(Debug)]
pub struct TlsError {
    what: What,
    cause: Box<dyn Error + Send + Sync>,
}

#[derive(Debug)]
enum What {
    File(PathBuf),
    Text(&'static str),
    Use(&'static str),
}

impl TlsError {
    fn of_file(path: &Path, cause: io::Error) -> Self {
        TlsError { what: What::File(path.to_owned()), cause: cause.into() }
    }

    fn of_text(what: &'static str, cause: pem::Error) -> Self {
        TlsError { what: What::Text(what), cause: cause.into() }
    }

    fn of_use(what: &'static str, cause: impl Error + Send + Sync + 'static) -> Self {
        TlsError { what: What::Use(what), cause: cause.into() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = &self.cause;
        match &self.what {
            What::File(path) => write!(f, "can't read {}: {cause}", path.display()),
            What::Text(what) => write!(f, "the {what} is not PEM: {cause}"),
            What::Use(what) => write!(f, "the {what} can't be used: {cause}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
