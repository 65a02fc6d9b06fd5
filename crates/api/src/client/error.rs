//! Why a node was not asked, or did not do what it was asked, in words for a user.

use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// Longest part of an answer that is no node's that is shown, characters.
const SHOWN: usize = 200;

/// Why a node was not asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// What was given is no address.
    #[error("`{address}` is no address of a node: give host and port, such as 127.0.0.1:3001")]
    Address {
        /// What was given.
        address: String,
    },
    /// Nobody listens there.
    #[error("no node answers at {address}: start one with `yap`")]
    NotRunning {
        /// Host and port.
        address: String,
    },
    /// No answer came in time.
    #[error("the node at {address} did not answer in time: it may be busy, try again")]
    Timeout {
        /// Host and port.
        address: String,
    },
    /// The connection broke.
    #[error("the connection to the node at {address} broke: {why}")]
    Connection {
        /// Host and port.
        address: String,
        /// What the system says.
        why: io::Error,
    },
    /// The cookie file can't be read.
    #[error("the cookie file {} can't be read ({why}): does the node run, as this user, in this directory?", path.display())]
    Cookie {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The node has another cookie.
    #[error("the node at {address} refuses the cookie in {}: it is another node's; name the directory of this one", path.display())]
    WrongCookie {
        /// The file.
        path: PathBuf,
        /// Host and port.
        address: String,
    },
    /// It needs the cookie, and none was given.
    #[error("this needs the node's cookie file: run it where the node's directory is")]
    NoCookie,
    /// The method failed.
    #[error("{message}")]
    Rpc {
        /// Bitcoin Core's code.
        code: i64,
        /// What happened, and what to do.
        message: String,
        /// More, for programs.
        data: Option<Value>,
    },
    /// The node refused the request.
    #[error("the node at {address} answered {status}: {text}")]
    Refused {
        /// Host and port.
        address: String,
        /// Of HTTP.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// What answers is no node.
    #[error("what answers at {address} is no node of this program: {why}")]
    NotANode {
        /// Host and port.
        address: String,
        /// In words.
        why: &'static str,
    },
}

impl ClientError {
    /// The code of a method that failed.
    #[must_use]
    pub const fn code(&self) -> Option<i64> {
        if let Self::Rpc { code, .. } = self { Some(*code) } else { None }
    }

    pub(super) fn rpc(error: &Map<String, Value>) -> Self {
        Self::Rpc {
            code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
            message: error.get("message").and_then(Value::as_str).unwrap_or("the node gave no reason").to_owned(),
            data: error.get("data").cloned(),
        }
    }

    pub(super) fn http(address: &str, status: u16, body: &[u8]) -> Self {
        if status == 200 {
            return Self::NotANode { address: address.to_owned(), why: "its answer is not JSON-RPC" };
        }
        let text = String::from_utf8_lossy(body).trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Self::Refused { address: address.to_owned(), status, text }
    }

    pub(super) fn io(address: &str, why: io::Error) -> Self {
        use io::ErrorKind::{ConnectionRefused, NotFound, TimedOut, WouldBlock};
        let address = address.to_owned();
        let kind = why.kind();
        if kind == ConnectionRefused || kind == NotFound {
            Self::NotRunning { address }
        } else if kind == TimedOut || kind == WouldBlock {
            Self::Timeout { address }
        } else {
            Self::Connection { address, why }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign list of failures, few of which need words of their own"
    )]
    pub(super) fn transport(address: &str, error: ureq::Error) -> Self {
        match error {
            ureq::Error::Io(why) => Self::io(address, why),
            ureq::Error::Timeout(ureq::Timeout::Connect)
            | ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound => Self::NotRunning { address: address.to_owned() },
            ureq::Error::Timeout(_) => Self::Timeout { address: address.to_owned() },
            ureq::Error::BodyExceedsLimit(_) => {
                Self::NotANode { address: address.to_owned(), why: "its answer has no end" }
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                Self::NotANode { address: address.to_owned(), why: "it does not speak HTTP" }
            }
            other => Self::Connection { address: address.to_owned(), why: io::Error::other(other) },
        }
    }
}
