//! Certificates of secure WebSocket: ours, read from PEM files and checked before anything listens, and those that we trust.
//!
//! rustls is given its cryptography (`ring`) by name: two are compiled in, and it would refuse to choose.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_rustls::rustls::crypto::{CryptoProvider, ring};
use futures_rustls::rustls::pki_types::pem::{self, PemObject};
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::certificate::Validity;

use crate::config::Tls;
use crate::error::CertificateError;

/// Our end of TLS when others dial.
///
/// # Errors
///
/// Everything that would make every dial fail: an unreadable or empty file, a certificate that is not valid at `now`, a key
/// that is another's.
pub(super) fn acceptor(files: &Tls, now: SystemTime) -> Result<TlsAcceptor, CertificateError> {
    let chain = certificates(&files.certificate)?;
    for certificate in &chain {
        check_time(&files.certificate, certificate, now)?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error, "private key"))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&files.certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Our end of TLS when we dial: trusts the usual authorities (those of Mozilla's list), and those in the files.
///
/// # Errors
///
/// If a file can't be read, holds no certificate, or one that can't be an authority's.
pub(super) fn connector(trust: &[PathBuf]) -> Result<TlsConnector, CertificateError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in trust {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| CertificateError::Authority { path: path.clone(), why: error.to_string() })?;
        }
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every version that rustls knows")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Every certificate of a file, of which there must be one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let what = "certificate";
    let all = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, error, what))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| unreadable(path, error, what))?;
    if all.is_empty() {
        return Err(CertificateError::Missing { path: path.to_owned(), what });
    }
    Ok(all)
}

/// RFC 5280, section 4.1.2.5: valid from the first moment to the last, both included.
fn check_time(path: &Path, certificate: &CertificateDer<'_>, now: SystemTime) -> Result<(), CertificateError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| unusable(path, &error))?;
    let Validity { not_before, not_after } = *parsed.validity();
    let now = now.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0);
    if (not_before.timestamp()..=not_after.timestamp()).contains(&now) {
        return Ok(());
    }
    Err(CertificateError::Expired { path: path.to_owned(), from: not_before.to_string(), until: not_after.to_string() })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is wrong with the text, it holds nothing usable")]
fn unreadable(path: &Path, error: pem::Error, what: &'static str) -> CertificateError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => CertificateError::Unreadable { path, source },
        // Damaged text, or text without what was looked for.
        _ => CertificateError::Missing { path, what },
    }
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> CertificateError {
    CertificateError::Unusable { path: path.to_owned(), why: error.to_string() }
}
