//! Certificates for hosts, and the authority that signs them: what an operator of secure WebSocket has.
//!
//! An [`Authority`] is made anew in each run, so that nobody trusts it who is not told to.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};

/// How long a certificate lasts of which nothing else is said.
pub const LASTING: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before it was made a certificate begins to be valid: clocks differ.
const BEFORE: Duration = Duration::from_secs(60 * 60);

/// Signs certificates.
pub struct Authority {
    certificate: Certificate,
    key: KeyPair,
    folder: PathBuf,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one. Its files, and those of what it signs, are in this folder.
    ///
    /// # Errors
    ///
    /// A file can't be written.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let authority = Self { certificate, key, folder: folder.to_owned() };
        std::fs::write(authority.path(), authority.certificate.pem())?;
        Ok(authority)
    }

    /// Its own certificate: the file of whoever trusts it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Signs a certificate for this host, a name or an address, that is valid until `lasting` from now.
    ///
    /// # Errors
    ///
    /// The host is neither, or a file can't be written.
    pub fn sign(&self, host: &str, lasting: Duration) -> io::Result<Files> {
        let mut params = CertificateParams::new([host.to_owned()]).map_err(io::Error::other)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let after = |since: Duration| since.try_into().map(|since| date_time_ymd(1970, 1, 1).saturating_add(since));
        params.not_before = after(now.saturating_sub(BEFORE)).map_err(io::Error::other)?;
        params.not_after = after(now.saturating_add(lasting)).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.certificate, &self.key).map_err(io::Error::other)?;
        let file = |end: &str| self.folder.join(format!("{host}.{end}"));
        let files = Files { certificate: file("pem"), key: file("key") };
        std::fs::write(&files.certificate, certificate.pem())?;
        std::fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::{Authority, LASTING};

    #[test]
    fn what_an_authority_signs_is_a_certificate_with_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path()).unwrap();
        let files = authority.sign("11.50.0.1", LASTING).unwrap();
        let texts = [authority.path(), files.certificate, files.key].map(|path| std::fs::read_to_string(path).unwrap());
        assert!(texts[0].contains("BEGIN CERTIFICATE") && texts[1].contains("BEGIN CERTIFICATE"));
        assert!(texts[0] != texts[1] && texts[2].contains("PRIVATE KEY"));
    }
}
