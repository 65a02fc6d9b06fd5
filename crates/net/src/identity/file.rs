//! The file that keeps the key.
//!
//! Text: lines that begin with `#` are for people; the one other line is `yap-key-1` and the secret half in 64 hex digits.
//! A program that finds a version it does not know leaves the file alone.
//!
//! The key is written under another name first, and comes under its own whole and on disk, or not at all. What was there is
//! never written to: whoever loses a key loses the node's name.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Keys, SECRET};
use crate::private;

/// Longest file that is read. Room for a few lines for people.
pub(super) const MAX_FILE: usize = 4096;

/// What the line of the key begins with; a number follows.
const TAG: &str = "yap-key-";

/// The version that is written, and the one that is known.
const VERSION: &str = "1";

const COMMENT: &str = "\
# The secret key of a Yap node: its name among peers hangs on it.
# Keep a copy, and show it to nobody: whoever has it can pass for this node.
";

/// Why the key of a node can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file belongs to somebody else.
    #[error(
        "this user may not read the key file {path}: run the node as the owner of that file, or give it another with chown",
        path = path.display()
    )]
    Forbidden {
        /// Which.
        path: PathBuf,
    },
    /// Others may read or change the file.
    #[error(
        "others may use the key file {path} (its mode is {mode:03o}), so it is not safe: if nobody else has seen it, run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is something, but no file.
    #[error("the key file {} is not a file: give the path of a file, or of one that is to be made", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A link that leads to nothing.
    #[error(
        "the key file {} is a link to a file that is not there: bring that file back, or remove the link for a new key",
        path.display()
    )]
    Dangling {
        /// Which.
        path: PathBuf,
    },
    /// The file holds no key.
    #[error(
        "the key file {} is damaged: bring it back from a copy, or move it away for a new key, under which peers won't know this node",
        path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The file is of a version that came later.
    #[error("the key file {} is of version {version}, which this program does not know: use a newer one", path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// The version.
        version: String,
    },
}

pub(super) fn load_or_create(path: &Path) -> Result<Keys, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    match load(path) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        loaded => return loaded,
    }
    // Something is there that is not: a link that leads nowhere.
    if path.symlink_metadata().is_ok() {
        return Err(KeyError::Dangling { path: path.to_owned() });
    }
    match create(path) {
        Ok(keys) => Ok(keys),
        // Another program was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        Err(error) => Err(io(error)),
    }
}

fn load(path: &Path) -> Result<Keys, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    // Before it is opened: to open a pipe would be to wait.
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(|error| {
        let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
        if forbidden { KeyError::Forbidden { path: path.to_owned() } } else { io(error) }
    })?;
    check(path, &file.metadata().map_err(io)?)?;
    // One byte more than is taken.
    let mut bytes = Zeroizing::new([0; MAX_FILE + 1]);
    let mut length = 0_usize;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
    let damaged = || KeyError::Damaged { path: path.to_owned() };
    if length > MAX_FILE {
        return Err(damaged());
    }
    let text = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(damaged)?;
    match parse(text) {
        Ok(secret) => Ok(Keys::from_secret(secret)),
        Err(Unread::Damaged) => Err(damaged()),
        Err(Unread::Version(version)) => Err(KeyError::Version { path: path.to_owned(), version }),
    }
}

#[cfg(unix)]
fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check(_: &Path, _: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

/// Why a text is not taken for a key.
enum Unread {
    Damaged,
    Version(String),
}

fn parse(text: &str) -> Result<Zeroizing<[u8; SECRET]>, Unread> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Unread::Damaged) };
    let (version, digits) = line.strip_prefix(TAG).and_then(|line| line.split_once(' ')).ok_or(Unread::Damaged)?;
    if version != VERSION {
        let known = version.len() <= 8 && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if known { Unread::Version(version.to_owned()) } else { Unread::Damaged });
    }
    from_hex(digits.trim()).ok_or(Unread::Damaged)
}

fn from_hex(digits: &str) -> Option<Zeroizing<[u8; SECRET]>> {
    let mut secret = Zeroizing::new([0; SECRET]);
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != SECRET {
        return None;
    }
    for (byte, [high, low]) in secret.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(secret)
}

fn text(keys: &Keys) -> Zeroizing<String> {
    // All of it at once: what grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE));
    text.push_str(COMMENT);
    text.push_str(TAG);
    text.push_str(VERSION);
    text.push(' ');
    for byte in keys.secret().iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a digit"));
        }
    }
    text.push('\n');
    text
}

/// Makes the file.
///
/// # Errors
/// `AlreadyExists` if it is there by now.
fn create(path: &Path) -> io::Result<Keys> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    private::folders().create(folder)?;
    let keys = Keys::generate();
    let draft = Draft::new(path, text(&keys).as_bytes())?;
    draft.publish(path)?;
    drop(draft);
    sync(folder)?;
    Ok(keys)
}

/// A whole file under a name of its own, which goes with it.
struct Draft(PathBuf);

/// Names that are tried for a draft: those of programs that crashed may be taken.
const DRAFTS: u32 = 64;

impl Draft {
    fn new(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..DRAFTS {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".new-{}-{number}", std::process::id()));
            let draft = path.with_file_name(name);
            // Neither what is there nor what a link there leads to is written to.
            let mut file = match private::file().create_new(true).open(&draft) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    taken = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let draft = Self(draft);
            file.write_all(bytes)?;
            file.sync_all()?;
            return Ok(draft);
        }
        Err(taken)
    }

    /// Gives it its name, unless something has that name.
    fn publish(&self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.0, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A disk without links, such as a FAT. There, two programs that start at this very moment may each take the
            // other's place; the key that stays is whole.
            Err(_) if path.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(&self.0, path),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename nothing is there; otherwise a name that stays costs nothing but a place.
        let _ = fs::remove_file(&self.0);
    }
}

/// The file's name comes on disk with its folder.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
