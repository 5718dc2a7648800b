use std::io;
use std::sync::OnceLock;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// Trusted certificates, and our own.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificates in PEM that are trusted in addition to those of the system.
    pub authorities: Vec<Vec<u8>>,
    /// Certificate for servers that ask for one.
    pub identity: Option<ClientIdentity>,
    /// Trust every certificate.
    pub anybody: bool,
}

/// A certificate and its key, both in PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate, followed by its intermediate certificates.
    pub certificates: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClientIdentity(secret)")
    }
}

impl Trust {
    pub(super) fn config(&self) -> io::Result<TlsConfig> {
        let mut roots = system_roots().to_vec();
        for authority in &self.authorities {
            roots.extend(certificates(authority)?);
        }
        let identity = match &self.identity {
            Some(identity) => {
                let key =
                    PrivateKey::from_pem(&identity.key).map_err(|_| io::Error::other("contains no private key"))?;
                Some(ClientCert::new_with_certs(&certificates(&identity.certificates)?, key))
            }
            None => None,
        };
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .client_cert(identity)
            .disable_verification(self.anybody)
            .build())
    }
}

fn certificates(pem: &[u8]) -> io::Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| io::Error::other("not a PEM file"))? {
            found.push(certificate);
        }
    }
    Ok(found)
}

/// Returns the system's certificate authorities, read once. Unreadable ones are skipped: a server that needs one then
/// fails with its own message.
fn system_roots() -> &'static [Certificate<'static>] {
    static ROOTS: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let loaded = rustls_native_certs::load_native_certs();
        loaded.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
    })
}
