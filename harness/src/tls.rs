//! The certificate authority of a run: the front gets a certificate of it, and the
//! clients trust it and nothing else.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Error, Result};

/// An authority and the certificate it issued for the front.
pub struct Authority {
    root: CertificateDer<'static>,
    /// The authority's own certificate, PEM.
    pub root_pem: String,
    /// The front's certificate chain, PEM.
    pub cert_pem: String,
    /// The front's private key, PEM.
    pub key_pem: String,
    /// The host name in the certificate.
    pub host: String,
}

impl Authority {
    /// A new authority, and a certificate for `host`.
    pub fn issue(host: &str) -> Result<Self> {
        let fail = |e: rcgen::Error| Error::system(format!("no certificate for {host:?}"), e);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "restore-drill authority of one run");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(fail)?;
        let root = params.self_signed(&key).map_err(fail)?;
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(fail)?;
        params.distinguished_name.push(DnType::CommonName, host);
        let leaf_key = KeyPair::generate().map_err(fail)?;
        let leaf = params.signed_by(&leaf_key, &issuer).map_err(fail)?;
        Ok(Self {
            cert_pem: leaf.pem(),
            key_pem: leaf_key.serialize_pem(),
            root: root.der().clone(),
            root_pem: root.pem(),
            host: host.to_owned(),
        })
    }

    /// The authority's own certificate, DER.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// A connection with TLS from its first byte, to a port on which the front answers.
    pub async fn connect(&self, host: &str, port: u16) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect((host, port)).await?;
        self.encrypt(tcp).await
    }

    /// TLS on a connection to the front.
    pub async fn encrypt(&self, tcp: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        // Commands are short and each waits for its answer: none may wait for the packet before it to be acknowledged.
        tcp.set_nodelay(true)?;
        let config = self.client().map_err(std::io::Error::other)?;
        let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
        TlsConnector::from(config).connect(name, tcp).await
    }

    /// A TLS client that trusts this authority alone.
    pub fn client(&self) -> Result<Arc<rustls::ClientConfig>> {
        let fail = |e: rustls::Error| Error::system("TLS client", e);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).map_err(fail)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(fail)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
