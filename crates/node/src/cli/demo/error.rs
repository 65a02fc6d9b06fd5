//! Why a demonstration did not go as it should, with the nodes' last words.

use std::fmt;
use std::path::PathBuf;

use crate::cli::client;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was ended by Ctrl-C.
    #[error("stopped")]
    Stopped,
    /// Something did not happen in time.
    #[error("within {seconds} s it was to be seen that {what}, and was not. {last}{words}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen last.
        last: String,
        /// The ends of the nodes' logs.
        words: LastWords,
    },
    /// A node ended by itself.
    #[error("node {number} ended by itself ({status}).{words}")]
    Died {
        /// Which.
        number: usize,
        /// How.
        status: std::process::ExitStatus,
        /// The ends of the nodes' logs.
        words: LastWords,
    },
    /// A node refused something.
    #[error("node {number} did not do `{method}`: {cause}")]
    Refused {
        /// Which.
        number: usize,
        /// What was asked.
        method: String,
        /// Why not.
        #[source]
        cause: Box<client::Error>,
    },
    /// What the nodes say is not what it must be.
    #[error("{what}.{words}")]
    Wrong {
        /// What is wrong.
        what: String,
        /// The ends of the nodes' logs.
        words: LastWords,
    },
    /// The directory that was to be kept is in use.
    #[error("{} has something in it: name a directory that is new or empty", .0.display())]
    NotEmpty(PathBuf),
    /// A file, a directory or a process.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// No ports are free.
    #[error("no free ports were found on this computer")]
    NoPorts,
    /// The story can't be told: standard output failed.
    #[error("output: {0}")]
    Output(#[source] std::io::Error),
}

/// The last lines of each node's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords(pub(super) Vec<(usize, String)>);

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, text) in &self.0 {
            write!(f, "\nlast lines of node {number}:")?;
            for line in text.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}
