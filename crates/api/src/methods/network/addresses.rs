//! Addresses of peers that are known, connected or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};
use crate::methods::types::place::{NETWORKS, Place};

/// Most addresses that one answer has. The address book holds no more.
const MOST: usize = 100_000;

/// Addresses of peers that are known, those of which was heard last first.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetNodeAddresses {
    /// How many at most; 0 for all.
    #[serde(default = "one")]
    count: i64,
    /// Those of one network alone: `ipv4`, `ipv6`, `onion`, `i2p`, `cjdns` or `not_publicly_routable`.
    network: Option<String>,
}

const fn one() -> i64 {
    1
}

/// An address of a peer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NodeAddress {
    /// Unix time at which somebody last heard of it.
    time: u64,
    /// Services that are offered there, as bits.
    services: u64,
    /// The host.
    address: String,
    /// The port.
    port: u16,
    /// Its network.
    network: String,
    /// The whole address, as `addnode` takes it.
    node: String,
}

impl Method for GetNodeAddresses {
    const NAME: &'static str = "getnodeaddresses";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = Vec<NodeAddress>;

    async fn call(self, context: Context) -> Result<Vec<NodeAddress>, Error> {
        let count = usize::try_from(self.count)
            .map_err(|_| Error::new(Code::InvalidParameter, "Address count out of range"))?;
        if let Some(network) = self.network.as_deref().filter(|network| !NETWORKS.contains(network)) {
            return Err(Error::new(Code::InvalidParameter, format!("Network not recognized: {network}")));
        }
        let count = if count == 0 { MOST } else { count.min(MOST) };
        // Of one network, whichever come first: so all are asked for.
        let asked = if self.network.is_some() { MOST } else { count };
        let known = context.backend.ask(move |view| view.known_addresses(asked)).await?;
        let told = known.into_iter().map(|(node, services, time)| {
            let Place { host: address, port, network } = Place::of(&node);
            NodeAddress { time, services, address, port, network: network.to_owned(), node }
        });
        let wanted = |address: &NodeAddress| self.network.as_ref().is_none_or(|network| *network == address.network);
        Ok(told.filter(wanted).take(count).collect())
    }
}
