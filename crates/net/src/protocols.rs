//! Names of our protocols: each has the chain in it, so that peers of other chains, and of other projects, have nothing
//! in common with us (docs/protocol.md).

use libp2p::StreamProtocol;

use crate::config::Chain;

impl Chain {
    /// What sessions speak.
    pub(crate) fn session_protocol(&self) -> StreamProtocol {
        self.protocol("1")
    }

    /// The DHT.
    pub(crate) fn dht_protocol(&self) -> StreamProtocol {
        self.protocol("kad/1")
    }

    /// Topics.
    pub(crate) fn topics_protocol(&self) -> StreamProtocol {
        self.protocol("topics/1")
    }

    /// What peers call the network when they introduce themselves.
    pub(crate) fn network(&self) -> StreamProtocol {
        self.protocol("id/1")
    }

    fn protocol(&self, rest: &str) -> StreamProtocol {
        let genesis = self.genesis.to_string();
        let prefix = genesis.get(..8).unwrap_or(&genesis);
        StreamProtocol::try_from_owned(format!("/yap/{prefix}/{rest}")).expect("it begins with a slash")
    }
}
