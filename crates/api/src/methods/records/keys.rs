//! Values under keys, and who has what a key stands for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_VALUE, key, read, refused, write};
use crate::backend::RecordError;
use crate::error::Error;
use crate::method::{Access, Context, Group, Method};

/// Stores a value in the network under a key: the peers whose names are closest to the key keep it, and this node puts it
/// anew until it is withdrawn. Whoever knows a key may put another value under it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Put {
    /// The key: 1 to 256 bytes.
    key: String,
    /// The value: 60,000 bytes at most.
    value: String,
    /// Whether key and value are hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

/// What became of a value.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stored {
    /// Peers that hold it now, beside this node.
    holders: usize,
    /// Whether no peer is connected: it is kept here, and offered to peers when they come.
    alone: bool,
}

impl Method for Put {
    const NAME: &'static str = "put";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = Stored;

    async fn call(self, context: Context) -> Result<Stored, Error> {
        let value = read(&self.value, self.hex, "value", (0, MAX_VALUE))?;
        match context.backend.put(key(&self.key, self.hex)?, value).await? {
            Ok(holders) => Ok(Stored { holders, alone: false }),
            Err(RecordError::Alone) => Ok(Stored { holders: 0, alone: true }),
            Err(error @ (RecordError::NotFound | RecordError::Refused(_))) => Err(refused(&error)),
        }
    }
}

/// The value of a key, wherever in the network it is kept.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Get {
    /// The key: 1 to 256 bytes.
    key: String,
    /// Whether the key is hexadecimal digits, and the value shall be.
    #[serde(default)]
    hex: bool,
}

/// A value.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Found {
    /// The value.
    value: String,
    /// Whether it is in hexadecimal digits: as asked for, or because it is no text.
    hex: bool,
}

impl Method for Get {
    const NAME: &'static str = "get";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Open;
    type Reply = Found;

    async fn call(self, context: Context) -> Result<Found, Error> {
        let found = context.backend.get(key(&self.key, self.hex)?).await?.map_err(|error| refused(&error))?;
        let (value, hex) = write(found, self.hex);
        Ok(Found { value, hex })
    }
}

/// Takes back `put`: this node keeps the value no more. Peers that hold it do until it expires.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Withdraw {
    /// The key: 1 to 256 bytes.
    key: String,
    /// Whether the key is hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

impl Method for Withdraw {
    const NAME: &'static str = "withdraw";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        context.backend.withdraw(key(&self.key, self.hex)?).await?.map_err(|error| refused(&error))
    }
}

/// Makes known in the network that this node has what a key stands for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Provide {
    /// The key: 1 to 256 bytes.
    key: String,
    /// Whether the key is hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

/// Whether the network knows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Provided {
    /// Whether no peer is connected: it is kept here, and told to peers when they come.
    alone: bool,
}

impl Method for Provide {
    const NAME: &'static str = "provide";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = Provided;

    async fn call(self, context: Context) -> Result<Provided, Error> {
        match context.backend.provide(key(&self.key, self.hex)?).await? {
            Ok(()) => Ok(Provided { alone: false }),
            Err(RecordError::Alone) => Ok(Provided { alone: true }),
            Err(error @ (RecordError::NotFound | RecordError::Refused(_))) => Err(refused(&error)),
        }
    }
}

/// Takes back `provide`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StopProviding {
    /// The key: 1 to 256 bytes.
    key: String,
    /// Whether the key is hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

impl Method for StopProviding {
    const NAME: &'static str = "stopproviding";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        Ok(context.backend.stop_providing(key(&self.key, self.hex)?).await?)
    }
}

/// Names of the peers that have what a key stands for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Providers {
    /// The key: 1 to 256 bytes.
    key: String,
    /// Whether the key is hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

impl Method for Providers {
    const NAME: &'static str = "providers";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Open;
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        context.backend.providers(key(&self.key, self.hex)?).await?.map_err(|error| refused(&error))
    }
}
