//! Topics: whoever subscribes hears what anybody publishes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_TOPIC, MAX_VALUE, read, refused};
use crate::backend::RecordError;
use crate::error::Error;
use crate::method::{Access, Context, Group, Method};

/// The name of a topic, if it is one.
pub(crate) fn topic(name: &str) -> Result<&str, Error> {
    read(name, false, "topic", (1, MAX_TOPIC)).map(|_| name)
}

/// Publishes a message under a topic: every peer that has subscribed to it hears it once. Nothing is kept for those who
/// subscribe later than half a minute.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Publish {
    /// The topic: 1 to 128 bytes.
    topic: String,
    /// The message: 60,000 bytes at most.
    message: String,
    /// Whether the message is hexadecimal digits.
    #[serde(default)]
    hex: bool,
}

/// Whether a message is on its way.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Published {
    /// Whether no peer is connected: the message is offered for half a minute to those that come.
    alone: bool,
}

impl Method for Publish {
    const NAME: &'static str = "publish";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = Published;

    async fn call(self, context: Context) -> Result<Published, Error> {
        let data = read(&self.message, self.hex, "message", (0, MAX_VALUE))?;
        match context.backend.publish(topic(&self.topic)?, data).await? {
            Ok(()) => Ok(Published { alone: false }),
            Err(RecordError::Alone) => Ok(Published { alone: true }),
            Err(error @ (RecordError::NotFound | RecordError::Refused(_))) => Err(refused(&error)),
        }
    }
}

/// Hears what is published under a topic: it comes by the event stream (`/events`). A stream that is opened for a topic,
/// with the cookie, subscribes by itself and for as long as it lasts; this stays until it is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Subscribe {
    /// The topic: 1 to 128 bytes.
    topic: String,
}

impl Method for Subscribe {
    const NAME: &'static str = "subscribe";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        context.backend.subscribe(topic(&self.topic)?).await?.map_err(|error| refused(&error))
    }
}

/// Hears no more of a topic, unless others at this node have subscribed to it too: who subscribed twice takes it back twice.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Unsubscribe {
    /// The topic: 1 to 128 bytes.
    topic: String,
}

impl Method for Unsubscribe {
    const NAME: &'static str = "unsubscribe";
    const GROUP: Group = Group::Records;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        Ok(context.backend.unsubscribe(topic(&self.topic)?).await?)
    }
}
