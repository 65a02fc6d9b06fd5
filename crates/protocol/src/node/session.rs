//! Sessions: connections that are open, from the first word to the parting.

use crate::handshake::{self, Established, Standing};
use crate::io::{Comparison, Event, Output};
use crate::link::{Direction, Link, PeerId, Purpose};
use crate::message::{Features, Goodbye, Inventory, Locate, Message, Services};
use crate::peers::Verdict;
use crate::penalty::Reason;
use crate::time::Time;
use crate::{blocks, compare, headers, peers, relay, tally};

use super::{Node, Turn};

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Link,
    /// What the handshake found, once it is done.
    pub(super) established: Option<Box<Established>>,
    /// How its chain compared with ours when it greeted us.
    pub(super) comparison: Option<Comparison>,
    /// When something last came from it, and was sent to it.
    pub(super) received: Option<Time>,
    pub(super) sent: Option<Time>,
    /// Why the peer says that it parts.
    pub(super) told: Option<Reason>,
    /// What is sent to it piles up.
    pub(super) congested: bool,
    /// The newest `getheaders` that came meanwhile: it is answered when the pile has drained, or else a peer that asks
    /// without reading would make it grow.
    pub(super) asked: Option<Locate>,
}

impl Node {
    pub(super) fn standing(&self, turn: &Turn<'_>) -> Standing {
        Standing::of(turn.ledger, self.irreversible.newest(), turn.wall)
    }

    pub(super) fn connected(&mut self, peer: PeerId, link: Link, turn: &mut Turn<'_>) {
        if self.sessions.contains_key(&peer) {
            return;
        }
        let verdict = self.peers.connected(peer, &link, turn.now);
        let instead = match verdict {
            Verdict::Refuse(why) => {
                tally::count(&mut self.tally.handshakes.begun, 1);
                self.tally.handshakes.failed(Some(why));
                self.outputs.push_back(Output::Disconnect { peer, why });
                return;
            }
            Verdict::Welcome { instead } => instead,
        };
        // A visit that takes the place of another connection with the same peer becomes a stay.
        let link = Link { purpose: self.peers.purpose(peer), ..link };
        let standing = self.standing(turn);
        let outcomes = self.handshake.connected(peer, &link, &standing, turn.now);
        tally::count(&mut self.tally.handshakes.begun, 1);
        let session = Session {
            link,
            established: None,
            comparison: None,
            received: None,
            sent: None,
            told: None,
            congested: false,
            asked: None,
        };
        self.sessions.insert(peer, session);
        if let Some((other, why)) = instead {
            self.part(other, why, turn);
        }
        self.handshake_outcomes(outcomes, turn);
    }

    pub(super) fn handshake_outcomes(&mut self, outcomes: Vec<handshake::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                handshake::Outcome::Send(peer, message) => self.send(peer, message),
                handshake::Outcome::Done(peer, established) => self.ready(peer, established, turn),
                handshake::Outcome::Part(peer, why) => self.part(peer, why, turn),
                handshake::Outcome::Fault(peer, fault) => self.fault(peer, fault.into(), turn),
                handshake::Outcome::Clock(offset) => self.event(Event::Clock(offset)),
            }
        }
    }

    /// Every machine hears of the peer; the first that parts from it ends this.
    fn ready(&mut self, peer: PeerId, established: Box<Established>, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let known = *established.clone();
        let link = session.link.clone();
        session.established = Some(established);
        tally::count(&mut self.tally.handshakes.done, 1);
        let comparison = known.greeting.map(|greeting| compare::compare(turn.ledger, &greeting.tip, greeting.work()));
        session.comparison = comparison;
        if let Some(comparison) = comparison {
            self.tally.compared(comparison);
        }
        self.event(Event::PeerReady { peer, comparison });
        self.keepalive.ready(peer, link.carrier, known.latency, turn.now);
        let outcomes = self.peers.ready(peer, peers_facts(&known), turn.now);
        self.peers_outcomes(outcomes, turn);
        if !self.sessions.contains_key(&peer) {
            return;
        }
        let claim = known.greeting.and_then(|greeting| greeting.irreversible);
        let outcomes = self.irreversible.ready(peer, known.features, claim, turn.ledger);
        self.irreversible_outcomes(outcomes, turn);
        if !self.sessions.contains_key(&peer) {
            return;
        }
        // BIP-0130: new blocks by header, which is all that is needed where compact blocks don't come unasked.
        self.send(peer, Message::SendHeaders);
        let outcomes = self.blocks.ready(peer, blocks_facts(&known, &link), turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
        if !self.sessions.contains_key(&peer) {
            return;
        }
        // Whoever reads in our greeting that it is ahead asks for nothing, and what came since was told to others alone.
        let tip = turn.ledger.tree().hash(turn.ledger.tip());
        if known.told.is_some_and(|told| told != tip) {
            self.send(peer, Message::Inv(vec![Inventory::Block(tip)]));
        }
        let facts = relay_facts(&known, &link, self.config.relay.relay);
        let outcomes = self.relay.ready(peer, facts, turn.now, turn.ledger);
        self.relay_outcomes(outcomes, turn);
        if !self.sessions.contains_key(&peer) {
            return;
        }
        let claim = known.greeting.map(|greeting| headers::Claim { tip: greeting.tip, work: greeting.work() });
        let outcomes = self.headers.ready(peer, &link, claim, turn.ledger, turn.moment());
        self.headers_outcomes(outcomes, turn);
        if self.sessions.get(&peer).is_some_and(|session| session.congested) {
            self.congested(peer, true, turn);
        }
    }

    /// Ends a connection from our side.
    pub(super) fn part(&mut self, peer: PeerId, why: Reason, turn: &mut Turn<'_>) {
        if self.sessions.contains_key(&peer) {
            self.say_goodbye(peer, why);
            self.forget(peer, Some(why), turn);
        }
    }

    /// Tells why (E7), where that is understood, and has the connection closed.
    pub(super) fn say_goodbye(&mut self, peer: PeerId, why: Reason) {
        let speaks = |known: &Established| known.features.contains(Features::GOODBYE);
        if self.established(peer).is_some_and(speaks) {
            let text = why.to_string().into_boxed_str();
            self.send(peer, Message::Goodbye(Goodbye { reason: Ok(why), text }));
        }
        self.outputs.push_back(Output::Disconnect { peer, why });
    }

    /// Every machine forgets the peer. What it owed is asked of others.
    pub(super) fn forget(&mut self, peer: PeerId, why: Option<Reason>, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.remove(&peer) else { return };
        let why = why.or(session.told);
        if session.established.is_none() {
            self.tally.handshakes.failed(why);
        } else {
            self.event(Event::PeerGone { peer, why });
        }
        self.handshake.disconnected(peer);
        self.keepalive.disconnected(peer);
        self.irreversible.disconnected(peer);
        let outcomes = self.headers.disconnected(peer, turn.ledger, turn.moment());
        self.headers_outcomes(outcomes, turn);
        let outcomes = self.blocks.disconnected(peer, turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
        let outcomes = self.relay.disconnected(peer, turn.now);
        self.relay_outcomes(outcomes, turn);
        let outcomes = self.peers.disconnected(peer, turn.now);
        self.peers_outcomes(outcomes, turn);
    }
}

fn peers_facts(known: &Established) -> peers::Facts {
    peers::Facts {
        services: known.services,
        relay: known.relay,
        addrv2: known.addrv2,
        features: known.features,
        latency: known.latency,
    }
}

fn blocks_facts(known: &Established, link: &Link) -> blocks::Facts {
    let services = known.services;
    let serves = if !services.contains(Services::WITNESS) {
        blocks::Serves::Nothing
    } else if services.contains(Services::NETWORK) {
        blocks::Serves::All
    } else if services.contains(Services::NETWORK_LIMITED) {
        blocks::Serves::Recent
    } else {
        blocks::Serves::Nothing
    };
    blocks::Facts { direction: link.direction, carrier: link.carrier, serves }
}

fn relay_facts(known: &Established, link: &Link, ours: bool) -> relay::Facts {
    let short_ids = known.features.contains(Features::SHORT_IDS);
    let greeting = known.greeting.filter(|_| short_ids);
    relay::Facts {
        outbound: link.direction == Direction::Outbound,
        announce: known.relay,
        accept: ours && !matches!(link.purpose, Some(Purpose::BlockOnly | Purpose::Feeler)),
        wtxid: known.wtxid_relay,
        short_id_key: greeting.map(|greeting| greeting.short_id_key),
        push: greeting.is_some_and(|greeting| greeting.push),
        latency: Some(known.latency),
    }
}
