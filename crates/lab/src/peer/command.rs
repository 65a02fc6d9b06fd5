//! What a peer is told by JSON lines, and what it answers.
//!
//! ```text
//! {"id":1,"do":"mine","blocks":2,"bytes":100000}     {"id":1,"ok":{"height":112,"tip":"…","bytes":200000}}
//! {"id":2,"do":"get","key":"stone"}                  {"id":2,"error":"no peer that was asked has that record"}
//! ```

use bitcoin::Txid;
use bitcoin::hashes::{Hash, sha256};
use serde::Deserialize;
use serde_json::{Value, json};
use yap_net::given::GivenError;
use yap_net::identity::{Name, NameError};
use yap_net::{Given, PublishError, RecordError};
use yap_protocol::Address;
use yap_protocol::address::{Endpoint, Identity, Multiaddr};
use yap_sim::Random;

use super::event::name;
use super::{Peer, Place, RequestError};

/// Most bytes that [`Command::Put`] makes by itself: more than any record may have, so that the refusal can be tested.
const MOST_MADE: usize = 1 << 20;

/// What a peer can be told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Command {
    /// How it stands.
    Status,
    /// Mine blocks, each of that size if one is given.
    Mine {
        /// How many; one without it.
        blocks: Option<u32>,
        /// Bytes of each.
        bytes: Option<usize>,
    },
    /// Make a payment, and make it known.
    Pay,
    /// Whether a transaction is here.
    Has {
        /// Its id.
        txid: String,
    },
    /// Store a record in the DHT: the text, or so many bytes that follow from the key.
    Put {
        /// Its key.
        key: String,
        /// Its value.
        value: Option<String>,
        /// Or its length.
        bytes: Option<usize>,
    },
    /// Get a record of the DHT.
    Get {
        /// Its key.
        key: String,
    },
    /// Make known that this peer has what the key stands for.
    Provide {
        /// The key.
        key: String,
    },
    /// Who has what the key stands for.
    Providers {
        /// The key.
        key: String,
    },
    /// Hear what is published under a topic.
    Subscribe {
        /// The topic.
        topic: String,
    },
    /// Hear no more of it.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// Publish under a topic.
    Publish {
        /// The topic.
        topic: String,
        /// The message.
        text: String,
    },
    /// Connect to a peer, and again whenever the connection is lost.
    Dial {
        /// In any form in which users name peers.
        address: String,
    },
    /// Part from a connected peer.
    Part {
        /// Its name.
        identity: String,
    },
    /// Stop.
    Stop,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The line is no command.
    #[error("that is no command: {0}")]
    Form(#[from] serde_json::Error),
    /// The peer refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The DHT did.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The topics did.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The address has no form that is known.
    #[error(transparent)]
    Given(#[from] GivenError),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The transaction's id is none.
    #[error("that is no transaction's id: {0}")]
    Txid(#[from] bitcoin::hashes::hex::HexToArrayError),
    /// The name of the host has no address.
    #[error("{host} has no address: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// Neither value nor length was given, or both, or far too great a length.
    #[error("a record has either a value or a number of bytes, at most {MOST_MADE}")]
    Value,
    /// No such peer is connected.
    #[error("that peer is not connected")]
    NotConnected,
}

/// Reads a line: the id that the answer repeats, and the command.
pub(super) fn read(line: &str) -> (Value, Result<Command, CommandError>) {
    let mut value: Value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) => return (Value::Null, Err(error.into())),
    };
    let id = value.as_object_mut().and_then(|fields| fields.shift_remove("id")).unwrap_or_default();
    (id, Command::deserialize(value).map_err(CommandError::Form))
}

/// The line that answers.
pub(super) fn answer(id: &Value, outcome: Result<Value, CommandError>) -> String {
    match outcome {
        Ok(value) => json!({"id": id, "ok": value}),
        Err(error) => json!({"id": id, "error": error.to_string()}),
    }
    .to_string()
}

/// The bytes that follow from a key.
pub(super) fn made(key: &str, bytes: usize) -> Vec<u8> {
    let hash = sha256::Hash::hash(key.as_bytes()).to_byte_array();
    let seed = hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mut random = Random::new(seed);
    let mut value = Vec::with_capacity(bytes.saturating_add(8));
    while value.len() < bytes {
        value.extend_from_slice(&random.next().to_le_bytes());
    }
    value.truncate(bytes);
    value
}

impl Peer {
    /// Does what a command says, but for [`Command::Stop`], which is for whoever holds the peer.
    ///
    /// # Errors
    /// If it was not done.
    pub async fn execute(&self, command: Command) -> Result<Value, CommandError> {
        let network = self.network();
        Ok(match command {
            Command::Status => serde_json::to_value(self.status().await?)?,
            Command::Mine { blocks, bytes } => {
                let mined = self.mine(blocks.unwrap_or(1), bytes).await?;
                json!({"height": mined.height, "tip": mined.tip.to_string(), "bytes": mined.bytes})
            }
            Command::Pay => json!({"txid": self.pay().await?.to_string()}),
            Command::Has { txid } => {
                let place = self.place(txid.parse::<Txid>()?).await?;
                let height = place.and_then(Place::height);
                json!({"has": place.is_some(), "height": height})
            }
            Command::Put { key, value, bytes } => self.put(&key, value, bytes).await?,
            Command::Get { key } => hashed(&network.get(key.into_bytes()).await?),
            Command::Provide { key } => {
                network.provide(key.into_bytes()).await?;
                json!({})
            }
            Command::Providers { key } => {
                let providers = network.providers(key.into_bytes()).await?;
                json!({"providers": providers.into_iter().map(name).collect::<Vec<_>>()})
            }
            Command::Subscribe { topic } => {
                network.subscribe(&topic, None).await?;
                json!({})
            }
            Command::Unsubscribe { topic } => {
                network.unsubscribe(&topic);
                json!({})
            }
            Command::Publish { topic, text } => {
                network.publish(&topic, text.into_bytes()).await?;
                json!({})
            }
            Command::Dial { address } => {
                for address in addresses(&address.parse()?).await? {
                    self.dial(address).await?;
                }
                json!({})
            }
            Command::Part { identity } => {
                let Name(identity) = identity.parse()?;
                if !self.part(identity).await? {
                    return Err(CommandError::NotConnected);
                }
                json!({})
            }
            Command::Stop => json!({}),
        })
    }

    async fn put(&self, key: &str, value: Option<String>, bytes: Option<usize>) -> Result<Value, CommandError> {
        let value = match (value, bytes) {
            (Some(value), None) => value.into_bytes(),
            (None, Some(bytes)) if bytes <= MOST_MADE => made(key, bytes),
            _ => return Err(CommandError::Value),
        };
        let mut outcome = hashed(&value);
        let stored = self.network().put(key.as_bytes().to_vec(), value).await?;
        if let Some(fields) = outcome.as_object_mut() {
            fields.insert("copies".into(), stored.copies.into());
        }
        Ok(outcome)
    }
}

fn hashed(value: &[u8]) -> Value {
    json!({"length": value.len(), "sha256": sha256::Hash::hash(value).to_string()})
}

/// What is dialled for a peer that the user named.
async fn addresses(given: &Given) -> Result<Vec<Address>, CommandError> {
    if let Given::Peer(identity) = given {
        return Ok(vec![anywhere(*identity)]);
    }
    let Some(host) = given.name() else { return Ok(given.addresses(&[])) };
    let found = tokio::net::lookup_host((host, 0)).await;
    let found = found.map_err(|why| CommandError::Resolve { host: host.to_owned(), why })?;
    Ok(given.addresses(&found.map(|address| address.ip()).collect::<Vec<_>>()))
}

/// `/p2p/<name>`: the peer, wherever it is.
fn anywhere(identity: Identity) -> Address {
    // Code 421 and the length of the multihash; then that of the identity function over an ed25519 key in protobuf.
    let mut bytes = vec![0xa5, 0x03, 38, 0, 36, 0x08, 0x01, 0x12, 32];
    bytes.extend_from_slice(&identity.0);
    let endpoint = Endpoint::Libp2p(Multiaddr::new(&bytes).expect("41 bytes are not too many"));
    Address { identity: Some(identity), endpoint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command {
        read(line).1.unwrap()
    }

    #[test]
    fn lines_become_commands() {
        let (id, status) = read(r#"{"id":7,"do":"status"}"#);
        assert_eq!((id, status.unwrap()), (json!(7), Command::Status));
        let mine = command(r#"{"do":"mine","blocks":3,"bytes":4000,"id":"a"}"#);
        assert_eq!(mine, Command::Mine { blocks: Some(3), bytes: Some(4000) });
        assert_eq!(command(r#"{"do":"mine"}"#), Command::Mine { blocks: None, bytes: None });
        let put = Command::Put { key: "k".into(), value: Some("v".into()), bytes: None };
        assert_eq!(command(r#"{"do":"put","key":"k","value":"v"}"#), put);
    }

    #[test]
    fn whatever_is_no_command_is_answered_with_what_is_wrong() {
        for (line, id, word) in [
            ("nonsense", Value::Null, "expected"),
            ("[]", Value::Null, "do"),
            ("7", Value::Null, "invalid"),
            (r#"{"id":1}"#, json!(1), "do"),
            (r#"{"id":2,"do":"dance"}"#, json!(2), "dance"),
            (r#"{"id":3,"do":"get"}"#, json!(3), "key"),
            (r#"{"id":4,"do":"get","key":"a","size":1}"#, json!(4), "size"),
            (r#"{"id":5,"do":"mine","blocks":-1}"#, json!(5), "-1"),
        ] {
            let (found, outcome) = read(line);
            assert_eq!(found, id, "{line}");
            let answer: Value = serde_json::from_str(&answer(&id, outcome.map(|_| json!({})))).unwrap();
            assert!(answer["error"].as_str().unwrap().contains(word), "{line}: {answer}");
        }
    }

    #[test]
    fn made_values_follow_from_their_keys() {
        assert_eq!(made("a", 1000), made("a", 1000));
        assert_ne!(made("a", 1000), made("b", 1000));
        assert_eq!(made("a", 13).len(), 13);
        assert!(made("a", 1000).starts_with(&made("a", 13)));
    }

    #[test]
    fn a_peer_anywhere_has_its_name_alone() {
        let identity = yap_net::identity::Keys::generate().identity();
        assert_eq!(anywhere(identity).endpoint.to_string(), format!("/p2p/{}", Name(identity)));
    }
}
