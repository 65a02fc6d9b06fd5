//! Peers that the user wants connected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{Peer, PeerError};
use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};

/// Keeps a peer connected, forgets it again, or connects to it once.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AddNode {
    /// The peer: `host:port`, a multiaddr, a URL (`ws://host:port`) or a name.
    node: String,
    /// `add` to keep it connected, `remove` to forget it, `onetry` to connect to it once.
    command: String,
    /// Has no effect: how the connection is encrypted follows from the address.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and addresses say more")]
    v2transport: bool,
}

impl Method for AddNode {
    const NAME: &'static str = "addnode";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        match self.command.as_str() {
            "add" | "onetry" => {
                let added = context.backend.add_peer(&self.node, self.command == "onetry").await?;
                added.map_err(|error| match error {
                    PeerError::Added => Error::new(Code::NodeAlreadyAdded, "Error: Node already added"),
                    PeerError::Address(_) | PeerError::None | PeerError::Full => super::refused(&error),
                })
            }
            "remove" => {
                let removed = context.backend.remove_peer(&self.node).await?;
                removed.map_err(|error| match error {
                    PeerError::None => {
                        let text = "Error: Node could not be removed. It has not been added previously.";
                        Error::new(Code::NodeNotAdded, text)
                    }
                    PeerError::Address(_) | PeerError::Added | PeerError::Full => super::refused(&error),
                })
            }
            other => {
                let text = format!("\"{other}\" is no command: it is add, remove or onetry");
                Err(Error::new(Code::InvalidParameter, text))
            }
        }
    }
}

/// Peers that were added with `addnode`, and whether they are connected.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetAddedNodeInfo {
    /// One of them, as it was given; all are told otherwise.
    node: Option<String>,
}

/// A peer that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AddedNode {
    /// As it was given.
    addednode: String,
    /// Whether it is connected.
    connected: bool,
    /// Its connections.
    addresses: Vec<Connection>,
    /// Unix time until which it is not let in, if it is banned; `setban` lets it in sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<u64>,
    /// What `setban` calls it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_as: Option<String>,
}

/// A connection with a peer that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connection {
    /// Where it leads.
    address: String,
    /// Who opened it: `inbound` or `outbound`.
    connected: String,
}

impl Connection {
    fn of(peer: &Peer) -> Self {
        let connected = if peer.inbound { "inbound" } else { "outbound" };
        Self { address: peer.address.clone(), connected: connected.to_owned() }
    }
}

impl Method for GetAddedNodeInfo {
    const NAME: &'static str = "getaddednodeinfo";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = Vec<AddedNode>;

    async fn call(self, context: Context) -> Result<Vec<AddedNode>, Error> {
        let (mut added, peers) = context.backend.ask(|view| (view.added_peers(), view.peers())).await?;
        if let Some(node) = &self.node {
            added.retain(|added| added.peer == *node);
            if added.is_empty() {
                return Err(Error::new(Code::NodeNotAdded, "Error: Node has not been added."));
            }
        }
        let peers: BTreeMap<u64, &Peer> = peers.iter().map(|peer| (peer.id, peer)).collect();
        let told = added.into_iter().map(|added| {
            let connections = added.connections.iter().filter_map(|id| peers.get(id));
            let addresses: Vec<Connection> = connections.map(|peer| Connection::of(peer)).collect();
            let (banned_as, banned_until) = added.ban.map(|ban| (ban.target, ban.until)).unzip();
            let connected = !addresses.is_empty();
            AddedNode { addednode: added.peer, connected, addresses, banned_until, banned_as }
        });
        Ok(told.collect())
    }
}
