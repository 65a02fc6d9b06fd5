//! One handshake.

use std::time::Duration;

use super::duplicate::Precedence;
use super::standing::Standing;
use super::{Config, Established, MIN_VERSION};
use crate::address::Endpoint;
use crate::link::{Carrier, Direction, Link, Purpose};
use crate::message::{Features, Greeting, Message, NetworkId, PROTOCOL_VERSION, Services, Version};
use crate::time::{Time, Timestamp};

/// What was said on a connection so far.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) direction: Direction,
    pub(super) carrier: Carrier,
    purpose: Option<Purpose>,
    /// The other end, for our `version`.
    receiver: (NetworkId, u16),
    /// Whether we want transactions on this link.
    relay: bool,
    pub(super) nonce: u64,
    short_id_key: [u64; 2],
    pub(super) deadline: Time,
    /// When our `version` left.
    pub(super) sent: Option<Time>,
    pub(super) theirs: Option<Theirs>,
    pub(super) wtxid_relay: bool,
    pub(super) addrv2: bool,
    pub(super) greeting: Option<Greeting>,
}

/// Their `version`.
#[derive(Debug)]
pub(super) struct Theirs {
    version: Version,
    clock_offset: i64,
    /// If we spoke first: how long it took them to answer.
    latency: Option<Duration>,
}

impl Exchange {
    pub(super) fn new(link: &Link, nonce: u64, short_id_key: [u64; 2], relay: bool, deadline: Time) -> Self {
        let receiver = match &link.address.endpoint {
            Endpoint::Bitcoin { host, port } => (NetworkId::Known(*host), *port),
            Endpoint::Libp2p(_) => (NetworkId::None, 0),
        };
        Self {
            direction: link.direction,
            carrier: link.carrier,
            purpose: link.purpose,
            receiver,
            relay,
            nonce,
            short_id_key,
            deadline,
            sent: None,
            theirs: None,
            wtxid_relay: false,
            addrv2: false,
            greeting: None,
        }
    }

    pub(super) fn our_version(&self, config: &Config, standing: &Standing) -> Message {
        let (host, port) = self.receiver.clone();
        Message::Version(Box::new(Version {
            version: PROTOCOL_VERSION,
            services: config.services,
            timestamp: standing.wall,
            receiver: (Services::NONE, host, port),
            nonce: self.nonce,
            user_agent: config.user_agent.clone(),
            start_height: i32::try_from(standing.height).unwrap_or(i32::MAX),
            relay: self.relay,
        }))
    }

    /// What follows our `version`, up to `verack`.
    pub(super) fn our_features(&self, config: &Config, standing: &Standing) -> Vec<Message> {
        let mut messages = Vec::with_capacity(4);
        // BIP-0339 and BIP-0155 let both be sent to anyone, but some old programs leave at what they don't know.
        if self.common_version() >= PROTOCOL_VERSION {
            if self.relay {
                messages.push(Message::WtxidRelay);
            }
            messages.push(Message::SendAddrV2);
        }
        if self.carrier == Carrier::Libp2p {
            messages.push(Message::Greeting(Greeting {
                features: config.features,
                genesis: standing.genesis,
                tip: standing.tip,
                work: standing.work.to_be_bytes(),
                irreversible: standing.irreversible,
                short_id_key: self.short_id_key,
                push: config.push && self.relay,
            }));
        }
        messages.push(Message::Verack);
        messages
    }

    /// Whether a peer that says so of itself is worth the connection.
    pub(super) fn is_useful(&self, version: &Version, standing: &Standing) -> bool {
        if self.carrier == Carrier::Libp2p {
            // Whoever speaks on this carrier came after `wtxidrelay`. It may be a light node: those are of use too.
            return version.version >= PROTOCOL_VERSION;
        }
        // As Bitcoin Core's `ExpectServicesFromConn`: nothing is expected of those who came by themselves, whom the user
        // named, or who are only looked at.
        let expected = matches!(self.purpose, Some(Purpose::Full | Purpose::BlockOnly | Purpose::Seed));
        version.version >= MIN_VERSION && (!expected || has_blocks(version.services, standing))
    }

    pub(super) fn take(&mut self, version: &Version, wall: Timestamp, now: Time) {
        let seconds = |time: Timestamp| i64::try_from(time.0).unwrap_or(i64::MAX);
        let clock_offset = seconds(version.timestamp).saturating_sub(seconds(wall));
        let latency = self.sent.map(|sent| now.since(sent));
        self.theirs = Some(Theirs { version: version.clone(), clock_offset, latency });
    }

    /// The version of the protocol that both speak; 0 while theirs is not known.
    pub(super) fn common_version(&self) -> u32 {
        self.theirs.as_ref().map_or(0, |theirs| theirs.version.version.min(PROTOCOL_VERSION))
    }

    /// What came of it; `None` if they never said `version`.
    pub(super) fn established(self, features: Features, now: Time) -> Option<Established> {
        let version = self.common_version();
        let Theirs { version: theirs, clock_offset, latency } = self.theirs?;
        let (_, host, port) = theirs.receiver;
        Some(Established {
            version,
            services: theirs.services,
            user_agent: theirs.user_agent,
            start_height: theirs.start_height,
            seen_as: (host, port),
            relay: theirs.relay && !matches!(self.purpose, Some(Purpose::BlockOnly | Purpose::Feeler)),
            wtxid_relay: self.wtxid_relay,
            addrv2: self.addrv2,
            features: self.greeting.map_or(Features::NONE, |greeting| greeting.features.common(features)),
            greeting: self.greeting,
            clock_offset,
            latency: latency.unwrap_or_else(|| now.since(self.sent.unwrap_or(now))),
            precedence: Precedence::new(self.direction, self.nonce, theirs.nonce),
        })
    }
}

/// As Bitcoin Core's `GetDesirableServiceFlags`: all blocks, or the newest ones once only those are missing.
fn has_blocks(services: Services, standing: &Standing) -> bool {
    let limited = services.contains(Services::NETWORK_LIMITED) && standing.is_near_tip();
    services.contains(Services::WITNESS) && (services.contains(Services::NETWORK) || limited)
}
