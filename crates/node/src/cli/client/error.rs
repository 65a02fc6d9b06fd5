//! Why a command that talks to a node failed, in words for whoever typed it.

use std::path::PathBuf;

use super::amount::AmountError;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No node runs, or not the one that was meant.
    #[error("{0}")]
    NoNode(String),
    /// The node refused, or could not be asked.
    #[error(transparent)]
    Call(#[from] yap_api::ClientError),
    /// What was typed is no amount.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// What was typed is no address.
    #[error("{given:?} can't be paid: {cause}")]
    Address {
        /// What was typed.
        given: String,
        /// What is wrong with it.
        #[source]
        cause: yap_chain::address::Error,
    },
    /// What was typed is no payment request.
    #[error("{given:?} can't be paid: {cause}")]
    Request {
        /// What was typed.
        given: String,
        /// What is wrong with it.
        #[source]
        cause: yap_chain::address::uri::Error,
    },
    /// Nobody said how much.
    #[error("how much? Give an amount after the address, such as `0.5`, or --all")]
    NoAmount,
    /// Two amounts were given.
    #[error("the address asks for {asked}, and {given} was typed: leave the amount out, or give the address alone")]
    TwoAmounts {
        /// What the URI asks for.
        asked: String,
        /// What was typed.
        given: String,
    },
    /// Nothing can be paid with nothing.
    #[error("an amount of zero can't be paid")]
    Zero,
    /// There is nothing to spend.
    #[error("there is nothing that can be spent: `yap balance` shows what is pending or still young")]
    Empty,
    /// Nobody agreed.
    #[error("nothing was sent")]
    Declined,
    /// Nobody can be asked.
    #[error("nothing was sent: there is no terminal to ask on. Add --yes to pay without being asked")]
    CannotAsk,
    /// A secret can't be asked for.
    #[error("there is no terminal to ask on: give a file with --passphrase-file FILE (-: standard input)")]
    NoTerminal,
    /// No passphrase was chosen.
    #[error("a passphrase can't be empty; nothing was changed")]
    NoPassphrase,
    /// Two different passphrases were typed.
    #[error("these are not the same; nothing was changed")]
    NotTheSame,
    /// The terminal, or standard input.
    #[error("the terminal can't be used: {0}")]
    Terminal(#[source] std::io::Error),
    /// A file can't be read.
    #[error("{} can't be read: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A file can't be written.
    #[error("{} can't be written: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A parameter without a name.
    #[error("{0:?} has no name: with --named every parameter is written name=value")]
    NotNamed(String),
    /// A parameter that is there twice.
    #[error("the parameter {0} is given twice")]
    NamedTwice(String),
    /// A parameter that has to be JSON.
    #[error("the parameter {name} can't be {text:?}: a number, true, false, a list or an object is expected, as JSON")]
    NotJson {
        /// Its name.
        name: String,
        /// What was typed.
        text: String,
    },
    /// What was typed are no wallet's words.
    #[error("these words make no wallet: {0}")]
    Words(#[from] yap_wallet::WordsError),
    /// A wallet was not made.
    #[error(transparent)]
    Purse(#[from] crate::purse::PurseError),
    /// A node runs, and the wallet's files are its own.
    #[error("a node runs, and its wallet's files are its own: stop it first (`yap stop`)")]
    NodeRuns,
    /// The node has no such method.
    #[error("there is no method {0:?}: `yap rpc help` lists those that there are")]
    NoMethod(String),
    /// The node's answer makes no sense.
    #[error("the node's answer to {method} is not understood; `yap --version` and the node's should be the same")]
    Strange {
        /// What was asked.
        method: &'static str,
    },
    /// What was waited for will not come.
    #[error("{0}")]
    Lost(String),
    /// It takes longer than anybody waits.
    #[error("the node was asked to stop {seconds} s ago and still answers; `-v` in its own terminal says why")]
    StillThere {
        /// How long ago.
        seconds: u64,
    },
}

impl Error {
    /// Whether the node answered with that code.
    pub(super) fn is(&self, code: yap_api::error::Code) -> bool {
        matches!(self, Self::Call(error) if error.code() == Some(i64::from(code as i32)))
    }

    /// Whether what was typed is wrong, whatever the node says.
    pub(in crate::cli) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Amount(_)
                | Self::Address { .. }
                | Self::Request { .. }
                | Self::NoAmount
                | Self::TwoAmounts { .. }
                | Self::Zero
                | Self::CannotAsk
                | Self::NoTerminal
                | Self::Words(_)
                | Self::NotNamed(_)
                | Self::NamedTwice(_)
                | Self::NotJson { .. }
        )
    }

    /// Whether no node runs.
    pub(in crate::cli) fn is_no_node(&self) -> bool {
        matches!(self, Self::NoNode(_) | Self::Call(yap_api::ClientError::NotRunning { .. }))
    }
}
