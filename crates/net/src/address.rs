//! Our addresses and libp2p's.

use libp2p::PeerId;
use libp2p::identity::PublicKey;
use yap_protocol::address::Identity;

/// libp2p's name of an identity; `None` if the bytes are no key.
pub(crate) fn peer_id(identity: &Identity) -> Option<PeerId> {
    crate::identity::public(identity).map(|key| key.to_peer_id())
}

/// The identity that libp2p's name holds; `None` if it is not an ed25519 key.
pub(crate) fn identity(peer: &PeerId) -> Option<Identity> {
    let multihash = peer.as_ref();
    // The identity multihash: the name holds the key itself.
    let key = (multihash.code() == 0).then(|| PublicKey::try_decode_protobuf(multihash.digest()).ok()).flatten()?;
    key.try_into_ed25519().ok().map(|key| Identity(key.to_bytes()))
}
