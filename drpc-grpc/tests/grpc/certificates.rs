//! Certificates for a test: an authority, and what it signs.

use drpc_grpc::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};

/// Signs certificates, and is known by its own.
pub(crate) struct Authority {
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// A host's, under the names of this one.
    pub(crate) fn host(&self) -> Signed {
        self.sign("host", this_host(), |_| {})
    }

    /// A host's, which is over.
    pub(crate) fn expired_host(&self) -> Signed {
        self.sign("host", this_host(), end_it)
    }

    /// A caller's.
    pub(crate) fn caller(&self, name: &str) -> Signed {
        let uri = SanType::URI(format!("spiffe://cluster/{name}").try_into().unwrap());
        self.sign(name, vec![uri], |_| {})
    }

    /// A caller's, which is over.
    pub(crate) fn expired(&self, name: &str) -> Signed {
        self.sign(name, Vec::new(), end_it)
    }

    /// What an end shows that has this certificate, and trusts this authority.
    pub(crate) fn tls(&self, own: &Signed) -> Tls {
        Tls::from_pem(&own.certificate, &own.key, &self.certificate).unwrap()
    }

    fn sign(&self, name: &str, names: Vec<SanType>, change: impl Fn(&mut CertificateParams)) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = names;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}

fn this_host() -> Vec<SanType> {
    vec![SanType::DnsName("localhost".try_into().unwrap())]
}

fn end_it(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
}
