//! How a call fails: Bitcoin Core's codes, with a message that says what happened and what to do.
//!
//! Source of the numbers: Bitcoin Core, `src/rpc/protocol.h` (MIT).

use serde_json::Value;

/// A code of JSON-RPC, or of Bitcoin Core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Code {
    /// What came is no JSON.
    Parse = -32700,
    /// It is JSON, but no request.
    InvalidRequest = -32600,
    /// No method has that name.
    MethodNotFound = -32601,
    /// The parameters are wrong as JSON-RPC sees them.
    InvalidParams = -32602,
    /// The cookie is needed. A code of our own: Bitcoin Core answers nobody without credentials.
    Unauthorized = -32001,
    /// The node failed.
    Internal = -32603,
    /// Anything else (`RPC_MISC_ERROR`).
    Misc = -1,
    /// Not the type that was expected (`RPC_TYPE_ERROR`).
    Type = -3,
    /// No such address or key, or a transaction, block or script that is not known (`RPC_INVALID_ADDRESS_OR_KEY`).
    NotFound = -5,
    /// Not a value that can be used (`RPC_INVALID_PARAMETER`).
    InvalidParameter = -8,
    /// Not a transaction, block or script (`RPC_DESERIALIZATION_ERROR`).
    Deserialization = -22,
    /// A block or transaction could not be looked at (`RPC_VERIFY_ERROR`).
    Verify = -25,
    /// The network's rules refuse it (`RPC_VERIFY_REJECTED`).
    Rejected = -26,
    /// The transaction is in the chain already (`RPC_VERIFY_ALREADY_IN_UTXO_SET`).
    AlreadyInChain = -27,
    /// The node is starting (`RPC_IN_WARMUP`).
    Warmup = -28,
    /// The method is not served any more (`RPC_METHOD_DEPRECATED`).
    Deprecated = -32,
    /// No peer is connected (`RPC_CLIENT_NOT_CONNECTED`).
    NotConnected = -9,
    /// Blocks are still being fetched (`RPC_CLIENT_IN_INITIAL_DOWNLOAD`).
    InitialDownload = -10,
    /// The peer was added before (`RPC_CLIENT_NODE_ALREADY_ADDED`).
    NodeAlreadyAdded = -23,
    /// The peer was not added (`RPC_CLIENT_NODE_NOT_ADDED`).
    NodeNotAdded = -24,
    /// The peer is not connected (`RPC_CLIENT_NODE_NOT_CONNECTED`).
    NodeNotConnected = -29,
    /// The wallet can't do it (`RPC_WALLET_ERROR`).
    Wallet = -4,
    /// Too little money (`RPC_WALLET_INSUFFICIENT_FUNDS`).
    InsufficientFunds = -6,
    /// The wallet is locked (`RPC_WALLET_UNLOCK_NEEDED`).
    UnlockNeeded = -13,
    /// Not the passphrase (`RPC_WALLET_PASSPHRASE_INCORRECT`).
    PassphraseIncorrect = -14,
    /// Not for a wallet with or without a passphrase (`RPC_WALLET_WRONG_ENC_STATE`).
    WrongEncryptionState = -15,
    /// The wallet could not be encrypted (`RPC_WALLET_ENCRYPTION_FAILED`).
    EncryptionFailed = -16,
    /// No wallet of that name is loaded (`RPC_WALLET_NOT_FOUND`).
    WalletNotFound = -18,
    /// No label can have that name (`RPC_WALLET_INVALID_LABEL_NAME`).
    InvalidLabel = -11,
    /// Not an address or network that could be banned (`RPC_CLIENT_INVALID_IP_OR_SUBNET`).
    InvalidHost = -30,
    /// A wallet of that name is there already (`RPC_WALLET_ALREADY_EXISTS`).
    WalletAlreadyExists = -36,
    /// The wallet is loaded already (`RPC_WALLET_ALREADY_LOADED`).
    WalletAlreadyLoaded = -35,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} (code {})", *code as i32)]
pub struct Error {
    /// Bitcoin Core's code.
    pub code: Code,
    /// What happened, and what to do.
    pub message: String,
    /// More, for programs.
    pub data: Option<Value>,
}

impl Error {
    /// An error with that code and message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
}
