//! What `yap.toml` says.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use toml::de::{DeTable, DeValue};
use yap_chain::spec::Spec;

use super::value::{Table, Value};
use super::{Config, Error, KEYS, Key, MOST_FILE_BYTES, Origin, near};

/// The file's text; `None` if there is none and none is `required`.
pub(super) fn read(path: &Path, required: bool) -> Result<Option<String>, Error> {
    let failed = |cause| Error::Unreadable { path: path.to_path_buf(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        // Where there is no directory, whoever wants to make it says so.
        Err(error) if !required && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    // One byte more than it may have tells a longer one.
    file.take(MOST_FILE_BYTES.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MOST_FILE_BYTES) {
        Ok(Some(text))
    } else {
        Err(Error::Long { path: path.to_path_buf() })
    }
}

/// Sets what the file says.
pub(super) fn apply(config: &mut Config, text: &str, path: &Path) -> Result<(), Error> {
    let reading = Reading { text, path };
    let table = DeTable::parse(text).map_err(|cause| {
        let line = cause.span().map_or(1, |span| reading.line(span.start));
        Error::Syntax { path: path.to_path_buf(), line, cause: Box::new(cause) }
    })?;
    for (name, value) in table.get_ref() {
        let line = reading.line(name.span().start);
        if !is_section(name.get_ref()) {
            if value.get_ref().is_table() && Key::find(name.get_ref()).is_none() {
                return Err(reading.unknown_section(name.get_ref(), line));
            }
            reading.set(config, None, name.get_ref(), value.get_ref(), line)?;
        } else if let DeValue::Table(section) = value.get_ref() {
            reading.section(config, name.get_ref(), section)?;
        } else {
            return Err(Error::NotASection { path: path.into(), line, section: name.get_ref().to_string() });
        }
    }
    rebase(config, path);
    Ok(())
}

/// Files that the file names are looked for from where it lies, wherever the program is started.
fn rebase(config: &mut Config, path: &Path) {
    let Some(base) = path.parent() else { return };
    let is_ours = |config: &Config, name: &str| matches!(config.origin(name), Origin::File { .. });
    if is_ours(config, "chain") && Spec::builtin(&config.chain).is_none() {
        config.chain = base.join(&config.chain).display().to_string();
    }
    if is_ours(config, "p2p.tls_certificate") {
        config.p2p.tls_certificate = config.p2p.tls_certificate.take().map(|file| base.join(file));
    }
    if is_ours(config, "p2p.tls_key") {
        config.p2p.tls_key = config.p2p.tls_key.take().map(|file| base.join(file));
    }
    if is_ours(config, "p2p.trust") {
        config.p2p.trust = config.p2p.trust.iter().map(|file| base.join(file)).collect();
    }
}

fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|key| key.place().0)
}

fn is_section(name: &str) -> bool {
    sections().any(|section| section == name)
}

struct Reading<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Reading<'_> {
    /// The line of a byte, from 1.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|&&byte| byte == b'\n').count().saturating_add(1)
    }

    fn section(&self, config: &mut Config, section: &str, table: &Table<'_>) -> Result<(), Error> {
        for (name, value) in table {
            let line = self.line(name.span().start);
            self.set(config, Some(section), name.get_ref(), value.get_ref(), line)?;
        }
        Ok(())
    }

    fn set(
        &self,
        config: &mut Config,
        section: Option<&str>,
        name: &str,
        value: &DeValue<'_>,
        line: usize,
    ) -> Result<(), Error> {
        let key = KEYS.iter().find(|key| key.place() == (section, name)).filter(|key| key.place().1 == name);
        let Some(key) = key else { return Err(self.unknown_key(section, name, line)) };
        if !key.is_in_file() {
            return Err(Error::DataDir { path: self.path.to_path_buf(), line });
        }
        config.set(key, Value::Toml(value), Origin::File { path: self.path.to_path_buf(), line })
    }

    fn unknown_key(&self, section: Option<&str>, name: &str, line: usize) -> Error {
        let here = KEYS.iter().filter(|key| key.is_in_file() && key.place().0 == section).map(|key| key.place().1);
        let suggestion = near::nearest(name, here).map(|name| format!("`{name}`")).or_else(|| {
            let elsewhere = KEYS.iter().find(|key| key.is_in_file() && key.place().1 == name)?;
            Some(match elsewhere.place().0 {
                Some(section) => format!("`{name}` in [{section}]"),
                None => format!("`{name}` before the first section"),
            })
        });
        let (path, key) = (self.path.to_path_buf(), name.to_owned());
        Error::UnknownKey { path, line, key, section: section.map(str::to_owned), suggestion }
    }

    fn unknown_section(&self, section: &str, line: usize) -> Error {
        let suggestion = near::nearest(section, sections()).map(|name| format!("[{name}]"));
        Error::UnknownSection { path: self.path.to_path_buf(), line, section: section.to_owned(), suggestion }
    }
}
