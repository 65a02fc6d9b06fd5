//! Why a wallet's file is not opened.

use bitcoin::BlockHash;

use super::MAX_RECORD;

/// Why a wallet's file is not opened. Nothing of it is changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is something else.
    #[error("this is not a wallet file")]
    NotAWallet,
    /// Its format is of another version.
    #[error("this wallet file has another format (\"{0}\"): a newer program wrote it. Use that one, or the words")]
    Version(String),
    /// Its head can't be read.
    #[error("the head of the wallet file is damaged: restore a backup of the file, or the wallet from its words")]
    Header,
    /// It is of another chain.
    #[error("this wallet belongs to another chain: its genesis block is {genesis}")]
    OtherChain {
        /// Hash of its genesis block.
        genesis: BlockHash,
    },
    /// The key file is not the one that belongs to it.
    #[error("the key file does not belong to this wallet file: restore both from one backup")]
    WrongKeyFile,
    /// The passphrase is wrong.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// It has no passphrase.
    #[error("this wallet has no passphrase: its key file opens it")]
    NoPassphrase,
    /// A record in the middle does not open.
    #[error(
        "record {record} of the wallet file is damaged, or not from this file. The file was left as it is: restore a \
         backup of the file, or the wallet from its words"
    )]
    Damaged {
        /// Which one, from 0.
        record: u64,
    },
    /// A record is longer than any that is written.
    #[error("record {record} of the wallet file has {length} bytes, where at most {MAX_RECORD} are written")]
    TooLong {
        /// Which one, from 0.
        record: u64,
        /// Its bytes.
        length: usize,
    },
    /// A record opens, and does not say what one says.
    #[error("record {record} of the wallet file can't be understood: {why}")]
    Content {
        /// Which one, from 0.
        record: u64,
        /// What is wrong with it, from the parser.
        why: String,
    },
}
