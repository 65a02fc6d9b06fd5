//! The cookie: what a program shows to prove that it may read the node's directory.
//!
//! As with Bitcoin Core: a file `.cookie` with `__cookie__:<64 hex digits>`, made anew at each start, readable by its
//! owner alone, gone when the node stops. A request carries it by HTTP Basic (RFC 7617).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// User name that goes with the cookie, as Bitcoin Core has it.
pub const USER: &str = "__cookie__";

/// Random bytes of a cookie.
const SECRET_BYTES: usize = 32;

/// Longest cookie file that is read: a longer one is none.
const FILE_MAX: usize = 1024;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What an `Authorization` header must say.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

/// A secret is not for logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Those of `user:password`, as a cookie file has them.
    #[must_use]
    pub fn new(pair: &str) -> Self {
        Self(format!("Basic {}", base64(pair.as_bytes())))
    }

    /// Those of a cookie file.
    ///
    /// # Errors
    /// If it can't be read, or is no cookie.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let pair = text.lines().next().unwrap_or_default();
        if text.len() > FILE_MAX || !pair.contains(':') {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no cookie file"));
        }
        Ok(Self::new(pair))
    }

    /// The value of the `Authorization` header.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.0
    }

    /// Whether a header says so. Takes as long for one that is nearly right as for one that is not.
    #[must_use]
    pub fn admit(&self, header: &[u8]) -> bool {
        let ours = self.0.as_bytes();
        let differ = ours.iter().zip(header).fold(0_u8, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)));
        ours.len() == header.len() && differ == 0
    }
}

/// The cookie file of a running node. It is deleted with this value.
#[derive(Debug)]
pub struct CookieFile {
    path: PathBuf,
    pair: String,
}

impl CookieFile {
    /// Makes a new cookie, in the place of any that is there. The file appears at once and whole.
    ///
    /// # Errors
    /// If there is no randomness, or the file can't be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut secret = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let pair = secret.iter().fold(format!("{USER}:"), |pair, byte| pair + &format!("{byte:02x}"));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&temporary)?.write_all(pair.as_bytes())?;
        fs::rename(&temporary, path)?;
        Ok(Self { path: path.to_owned(), pair })
    }

    /// What a request must show.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.pair)
    }
}

impl Drop for CookieFile {
    /// Deletes the file, unless another node has put its own there since.
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|now| now == self.pair) {
            // What can't be deleted is worthless: the next start makes another secret.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Base 64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18_u32, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET.get((word >> shift & 63) as usize).filter(|_| at <= chunk.len());
            text.push(digit.map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn only_the_whole_secret_is_admitted() {
        let ours = Credentials::new("__cookie__:00ff");
        assert!(ours.admit(ours.header().as_bytes()));
        assert!(!ours.admit(Credentials::new("__cookie__:00fe").header().as_bytes()));
        assert!(!ours.admit(b""));
        assert!(!ours.admit(&ours.header().as_bytes()[..10]));
        assert!(!ours.admit(format!("{}=", ours.header()).as_bytes()));
        assert_eq!(format!("{ours:?}"), "Credentials(..)");
    }

    #[test]
    fn cookie_is_new_each_time_private_and_gone_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".cookie");
        let first = CookieFile::create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), USER.len() + 1 + 64);
        assert!(text.starts_with("__cookie__:") && text[11..].bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(Credentials::read(&path).unwrap(), first.credentials());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let second = CookieFile::create(&path).unwrap();
        assert_ne!(first.credentials(), second.credentials());
        drop(first);
        assert_eq!(Credentials::read(&path).unwrap(), second.credentials(), "the other node's cookie stays");
        drop(second);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_cookie_is_not_read_as_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".cookie");
        assert_eq!(Credentials::read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for text in [String::new(), "no pair".into(), format!("a:{}", "b".repeat(FILE_MAX))] {
            fs::write(&path, text).unwrap();
            assert_eq!(Credentials::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
