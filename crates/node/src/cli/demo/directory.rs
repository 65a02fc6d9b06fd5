//! Where the nodes of a demonstration keep their state.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Error;

/// Names that are tried for a temporary directory.
const ATTEMPTS: u32 = 16;

/// A directory, removed when this is dropped unless it is to be kept.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    kept: bool,
}

impl Directory {
    /// A directory that stays. It must be new, or empty.
    pub(super) fn kept(path: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::System { what: format!("{} can't be made", path.display()), cause };
        fs::create_dir_all(path).map_err(failed)?;
        // The nodes' own directories are told to people, who may be elsewhere.
        let path = fs::canonicalize(path).map_err(failed)?;
        if fs::read_dir(&path).map_err(failed)?.next().is_some() {
            return Err(Error::NotEmpty(path));
        }
        Ok(Self { path, kept: true })
    }

    /// A new directory among the temporary ones, for this user alone.
    pub(super) fn temporary() -> Result<Self, Error> {
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
            let name = format!("yap-demo-{}-{:x}", std::process::id(), nanoseconds.wrapping_add(attempt));
            let path = std::env::temp_dir().join(name);
            match private(&path) {
                Ok(()) => return Ok(Self { path, kept: false }),
                Err(cause) => last = Some((path, cause)),
            }
        }
        let (path, cause) = last.unwrap_or_else(|| (PathBuf::new(), std::io::Error::other("not tried")));
        Err(Error::System { what: format!("{} can't be made", path.display()), cause })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn private(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(directory = %self.path.display(), %error, "not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_goes_and_a_kept_one_stays() {
        let temporary = Directory::temporary().unwrap();
        let path = temporary.path().to_owned();
        fs::write(path.join("file"), "something").unwrap();
        drop(temporary);
        assert!(!path.exists());

        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("deep/demo");
        let kept = Directory::kept(&path).unwrap();
        fs::write(path.join("file"), "something").unwrap();
        drop(kept);
        assert!(path.join("file").exists());
        assert!(matches!(Directory::kept(&path), Err(Error::NotEmpty(_))));
    }
}
