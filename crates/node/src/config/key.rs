//! What can be set: one [`Key`] each.

use serde_json::Value as Json;

use super::value::Value;
use super::{Config, Wrong};

/// Something that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name: `p2p.port` is `port` in the file's section `[p2p]`.
    pub name: &'static str,
    /// Its flag.
    pub flag: Flag,
    /// Its short name in the environment, besides the one that begins with `YAP_`.
    pub short: Option<&'static str>,
    /// For which commands it counts.
    pub scope: Scope,
    /// What it is, in one or two sentences, for help and reference.
    pub help: &'static str,
    /// Takes a value over.
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), Wrong>,
    /// The value, as in the file.
    pub(super) show: fn(&Config) -> Json,
}

/// The flag of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `--NAME VALUE`; the second says what the value is.
    Value(&'static str, &'static str),
    /// `--NAME VALUE`, any number of times.
    List(&'static str, &'static str),
    /// `--no-NAME` says no, `--NAME` says yes; the key is on unless it is said.
    Switch {
        /// `NAME`.
        yes: &'static str,
        /// `no-NAME`.
        no: &'static str,
    },
}

/// For which commands a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For all.
    All,
    /// For `yap up` alone.
    Up,
}

impl Flag {
    /// The name, without dashes.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Value(name, _) | Self::List(name, _) => name,
            Self::Switch { no, .. } => no,
        }
    }
}

impl Key {
    /// The key of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        super::KEYS.iter().find(|key| key.name == name)
    }

    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        let name = self.name.to_ascii_uppercase().replace('.', "_");
        format!("YAP_{name}")
    }

    /// Its section in the file, and its name there.
    #[must_use]
    pub fn place(&self) -> (Option<&'static str>, &'static str) {
        match self.name.split_once('.') {
            Some((section, name)) => (Some(section), name),
            None => (None, self.name),
        }
    }

    /// Whether it may stand in the file.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        // The file lies in the data directory, so it can't say where that is.
        self.name != "data_dir"
    }
}
