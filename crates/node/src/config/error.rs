//! What is wrong with what a node is told, with the place where it stands and what would be right.

use std::path::PathBuf;

use yap_net::given::GivenError;

use super::value::Value;
use super::{Key, Origin};

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The producer's key, on a chain of signed blocks.
    #[error("this node's producer key: {0}")]
    Producer(#[from] Box<crate::producer::Error>),
    /// A value is not one that the key takes.
    #[error("{origin}: {key} can't be {found:?}: {wrong}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What is wrong.
        wrong: Wrong,
    },
    /// The file has a key that means nothing.
    #[error("{}:{line}: unknown key `{key}`{}{}", path.display(), within(section.as_ref()), meant(suggestion.as_ref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The section; none before the first.
        section: Option<String>,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The file has a section that means nothing.
    #[error("{}:{line}: unknown section [{section}]{}", path.display(), meant(suggestion.as_ref()))]
    UnknownSection {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The section.
        section: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// A section's name has a value.
    #[error("{}:{line}: `{section}` is a section: write [{section}], and its keys below", path.display())]
    NotASection {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The section.
        section: String,
    },
    /// The data directory can't stand in a file that lies there.
    #[error(
        "{}:{line}: `data_dir` can't stand in the file, which is looked for in the data directory: set --data-dir or \
         YAP_DATA_DIR",
        path.display()
    )]
    DataDir {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file is no TOML.
    #[error("{}:{line}: {}", path.display(), .cause.message())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        cause: Box<toml::de::Error>,
    },
    /// The file can't be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The file is too long.
    #[error("{} has more than {} bytes: that is no configuration", path.display(), super::MOST_FILE_BYTES)]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// A variable is no text.
    #[error("{name} in the environment is not UTF-8")]
    NotText {
        /// The variable.
        name: String,
    },
    /// One key is useless without another.
    #[error("{there} is set, but {missing} is not: set both or none")]
    Alone {
        /// The one that is set.
        there: &'static str,
        /// The one that is missing.
        missing: &'static str,
    },
    /// The address to mine for is none of the chain.
    #[error("{origin}: mining.address can't be {address:?}: {cause}")]
    Address {
        /// Where it stands.
        origin: Origin,
        /// What stands there.
        address: String,
        /// What is wrong with it.
        #[source]
        cause: Box<yap_chain::address::Error>,
    },
    /// Nobody said where the data is to be.
    #[error("no data directory: set --data-dir or YAP_DATA_DIR (the home directory is not known)")]
    NoHome,
}

impl Error {
    pub(super) fn value(key: &Key, value: &Value<'_>, origin: Origin, wrong: Wrong) -> Self {
        Self::Value { origin, key: key.name, found: value.shown(), wrong }
    }
}

fn within(section: Option<&String>) -> String {
    section.map_or_else(String::new, |section| format!(" in [{section}]"))
}

fn meant(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(|| "; `yap config` shows all keys".to_owned(), |text| format!("; did you mean {text}?"))
}

/// Why a key does not take a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// Not a number, or none of that range.
    #[error("a number from {least} to {most} is expected")]
    Number {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// Neither yes nor no.
    #[error("true or false is expected")]
    Switch,
    /// No text, or an empty one.
    #[error("text is expected, in quotes in a file")]
    Text,
    /// No list of texts.
    #[error("a list is expected: [\"a\", \"b\"] in a file, a,b elsewhere")]
    List,
    /// A list is too long.
    #[error("a list has at most {most} entries")]
    Many {
        /// The most.
        most: usize,
    },
    /// None of the words that are known.
    #[error("one of {} is expected", .0.join(", "))]
    OneOf(&'static [&'static str]),
    /// No IP address.
    #[error("an IP address is expected, such as 127.0.0.1")]
    Ip,
    /// No place to listen.
    #[error("all, loopback, none or a list of IP addresses is expected")]
    Hosts,
    /// No block.
    #[error("`chain`, 0 or a block's hash of 64 hexadecimal digits is expected")]
    Trust,
    /// No peer.
    #[error(transparent)]
    Peer(Box<GivenError>),
}

/// Something that is no error, but may not be what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A variable looks like one of ours and is none.
    #[error("{name} in the environment means nothing here{}", .suggestion.as_ref().map_or_else(String::new, |text| format!("; did you mean {text}?")))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// Kubernetes tells of a service by a variable that is named as one of ours.
    #[error(
        "{name}={value} in the environment is left aside: Kubernetes tells of a service by it (enableServiceLinks: false keeps it away)"
    )]
    ServiceLink {
        /// The variable.
        name: String,
        /// What it holds.
        value: String,
    },
}
