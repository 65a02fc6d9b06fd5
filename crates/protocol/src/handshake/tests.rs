use std::collections::VecDeque;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use super::*;
use crate::address::{Address, Endpoint, Host, Identity, Multiaddr};
use crate::fixture::Chain;
use crate::penalty::Penalty;
use crate::time::Timestamp;

mod meet;
mod rules;

const PEER: PeerId = PeerId(1);

fn state(seed: u8) -> State {
    State::new(Config::default(), Random::new([seed; 32]))
}

fn standing() -> Standing {
    let chain = Chain::of(3);
    Standing::of(&chain, None, Timestamp(u64::from(chain.tree.time(chain.tip)) + 60))
}

fn libp2p(direction: Direction, purpose: Option<Purpose>) -> Link {
    let endpoint = Endpoint::Libp2p(Multiaddr::new(&[4, 127, 0, 0, 1]).unwrap());
    Link { direction, carrier: Carrier::Libp2p, address: Address { identity: None, endpoint }, identity: None, purpose }
}

fn bitcoin(direction: Direction, purpose: Option<Purpose>) -> Link {
    let endpoint = Endpoint::Bitcoin { host: Host::Ipv4([10, 0, 0, 1].into()), port: 8333 };
    Link { carrier: Carrier::Bitcoin, address: Address { identity: None, endpoint }, ..libp2p(direction, purpose) }
}

/// What a node of Bitcoin's network says.
fn version() -> Version {
    Version {
        version: PROTOCOL_VERSION,
        services: Services::NETWORK.with(Services::WITNESS),
        timestamp: Timestamp(1_296_690_000),
        receiver: (Services::NONE, NetworkId::Known(Host::Ipv4([1, 2, 3, 4].into())), 99),
        nonce: 77,
        user_agent: "/Satoshi:29.0.0/".into(),
        start_height: 12,
        relay: true,
    }
}

fn say(state: &mut State, message: &Message, now: Time) -> Vec<Outcome> {
    let outcomes = state.on_message(PEER, message, &standing(), now);
    state.check();
    outcomes
}

fn sent(outcomes: &[Outcome]) -> Vec<&Message> {
    outcomes.iter().filter_map(|outcome| if let Outcome::Send(_, sent) = outcome { Some(sent) } else { None }).collect()
}

fn done(outcomes: Vec<Outcome>) -> Option<Established> {
    outcomes.into_iter().find_map(|outcome| if let Outcome::Done(_, done) = outcome { Some(*done) } else { None })
}
