//! Peers: who is connected, who is to be, who is not let in, and what is known of others.

mod addresses;
mod bans;
mod info;
mod peers;
#[cfg(test)]
mod tests;
mod wishes;

use crate::backend::{Peer, PeerError};
use crate::error::{Code, Error};
use crate::method::{Context, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<info::GetNetworkInfo>()
        .with::<info::GetConnectionCount>()
        .with::<info::GetNetTotals>()
        .with::<peers::GetPeerInfo>()
        .with::<peers::Ping>()
        .with::<peers::DisconnectNode>()
        .with::<wishes::AddNode>()
        .with::<wishes::GetAddedNodeInfo>()
        .with::<addresses::GetNodeAddresses>()
        .with::<bans::SetBan>()
        .with::<bans::ListBanned>()
        .with::<bans::ClearBanned>()
}

/// Every connected peer whose handshake is done, or goes on.
async fn peers(context: &Context) -> Result<Vec<Peer>, Error> {
    Ok(context.backend.ask(|view| view.peers()).await?)
}

/// What a peer's error is as an answer, where the method has no words of its own.
fn refused(error: &PeerError) -> Error {
    let code = match error {
        PeerError::Address(_) => Code::NotFound,
        PeerError::Added => Code::NodeAlreadyAdded,
        PeerError::None => Code::NodeNotAdded,
        PeerError::Full => Code::Misc,
    };
    Error::new(code, error.to_string())
}
