//! Which machine hears of which message.

use bitcoin::BlockHash;

use crate::headers::Place;
use crate::link::PeerId;
use crate::message::{CompactBlock, Inventory, Message};

use super::{Node, Turn};

impl Node {
    pub(super) fn message(&mut self, peer: PeerId, message: Message, size: usize, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get(&peer) else { return };
        if session.established.is_none() {
            let standing = self.standing(turn);
            let outcomes = self.handshake.on_message(peer, &message, &standing, turn.now);
            self.handshake_outcomes(outcomes, turn);
            return;
        }
        tracing::trace!(%peer, message = message.name(), size, "received");
        self.keepalive.heard(peer, turn.now);
        match message {
            Message::Version(_)
            | Message::Verack
            | Message::WtxidRelay
            | Message::SendAddrV2
            | Message::Greeting(_) => {
                let standing = self.standing(turn);
                let outcomes = self.handshake.on_message(peer, &message, &standing, turn.now);
                self.handshake_outcomes(outcomes, turn);
            }
            Message::Ping(_) | Message::Pong(_) => self.liveness(peer, &message, turn),
            Message::GetAddr | Message::Addr(_) | Message::AddrV2(_) | Message::PeerRecords(_) => {
                self.addresses(peer, &message, turn);
            }
            Message::Inv(items) => self.inventory(peer, &items, turn),
            Message::GetData(items) => {
                let outcomes = self.blocks.on_getdata(peer, &items, turn.now, turn.ledger);
                self.blocks_outcomes(outcomes, turn);
                let outcomes = self.relay.on_getdata(peer, &items, turn.now, turn.ledger);
                self.relay_outcomes(outcomes, turn);
            }
            Message::NotFound(items) => {
                let outcomes = self.blocks.on_notfound(peer, &items, turn.now, turn.ledger);
                self.blocks_outcomes(outcomes, turn);
                let outcomes = self.relay.on_notfound(peer, &items, turn.now);
                self.relay_outcomes(outcomes, turn);
            }
            Message::GetHeaders(_) | Message::Headers(_) => self.headers(peer, message, turn),
            Message::SendHeaders
            | Message::SendCompact(_)
            | Message::GetBlocks(_)
            | Message::Block(_)
            | Message::CompactBlock(_)
            | Message::GetBlockTransactions(_)
            | Message::BlockTransactions(_) => self.block_message(peer, message, turn),
            Message::Transaction(_)
            | Message::FeeFilter(_)
            | Message::Mempool
            | Message::Announce(_)
            | Message::Request(_)
            | Message::Gone(_)
            | Message::Push(_)
            | Message::PoolSummary(_) => self.transaction_message(peer, message, turn),
            Message::Irreversible(block) => {
                let outcomes = self.irreversible.on_irreversible(peer, block, turn.ledger);
                self.irreversible_outcomes(outcomes, turn);
            }
            Message::Goodbye(goodbye) => {
                if let (Ok(why), Some(session)) = (goodbye.reason, self.sessions.get_mut(&peer)) {
                    session.told = Some(why);
                }
            }
            // We don't say that we serve filters, so nobody asks (BIP-0157); and we ask nobody for any.
            Message::GetCFilters(_)
            | Message::CFilter(_)
            | Message::GetCFHeaders(_)
            | Message::CFHeaders(_)
            | Message::GetCFCheckpoints(_)
            | Message::CFCheckpoints(_)
            | Message::Unknown { .. } => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whoever calls it chose the message")]
    fn liveness(&mut self, peer: PeerId, message: &Message, turn: &mut Turn<'_>) {
        let outcomes = match *message {
            Message::Ping(nonce) => self.keepalive.on_ping(peer, nonce),
            Message::Pong(nonce) => {
                let outcomes = self.keepalive.on_pong(peer, nonce, turn.now);
                if let Some(latency) = self.keepalive.latency(peer) {
                    self.peers.latency(peer, latency.min);
                    self.relay.latency(peer, latency.smoothed);
                }
                outcomes
            }
            _ => Vec::new(),
        };
        self.keepalive_outcomes(outcomes, turn);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whoever calls it chose the message")]
    fn addresses(&mut self, peer: PeerId, message: &Message, turn: &mut Turn<'_>) {
        let outcomes = match message {
            Message::GetAddr => self.peers.on_get_addresses(peer, turn.now),
            Message::Addr(addresses) | Message::AddrV2(addresses) => self.peers.on_addresses(peer, addresses, turn.now),
            Message::PeerRecords(records) => self.peers.on_records(peer, records, turn.now),
            _ => Vec::new(),
        };
        self.peers_outcomes(outcomes, turn);
    }

    fn inventory(&mut self, peer: PeerId, items: &[Inventory], turn: &mut Turn<'_>) {
        // As Bitcoin Core, of several blocks only the last is looked at: the others lead to it.
        if let Some(hash) = items.iter().rev().find_map(block_of) {
            let outcomes = self.headers.on_inv(peer, hash, turn.ledger, turn.moment());
            self.headers_outcomes(outcomes, turn);
        }
        let outcomes = self.relay.on_inv(peer, items, turn.now, turn.ledger);
        self.relay_outcomes(outcomes, turn);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whoever calls it chose the message")]
    fn headers(&mut self, peer: PeerId, message: Message, turn: &mut Turn<'_>) {
        match message {
            Message::GetHeaders(locate) => match self.sessions.get_mut(&peer) {
                Some(session) if session.congested => session.asked = Some(locate),
                _ => self.send(peer, self.headers.on_getheaders(&locate, turn.ledger)),
            },
            Message::Headers(headers) => {
                let at = turn.moment();
                let outcomes = self.headers.on_headers(peer, &headers, turn.ledger, at);
                self.headers_outcomes(outcomes, turn);
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whoever calls it chose the message")]
    fn block_message(&mut self, peer: PeerId, message: Message, turn: &mut Turn<'_>) {
        let now = turn.now;
        let outcomes = match message {
            Message::SendHeaders => {
                self.blocks.on_sendheaders(peer);
                Vec::new()
            }
            Message::SendCompact(wish) => {
                self.blocks.on_sendcmpct(peer, wish);
                Vec::new()
            }
            Message::GetBlocks(locate) => self.blocks.on_getblocks(peer, &locate, now, turn.ledger),
            Message::Block(block) => self.blocks.on_block(peer, block, now, turn.ledger),
            Message::CompactBlock(block) => self.compact_block(peer, &block, turn),
            Message::GetBlockTransactions(ask) => self.blocks.on_getblocktxn(peer, ask, now, turn.ledger),
            Message::BlockTransactions(answer) => self.blocks.on_blocktxn(peer, &answer, now, turn.ledger),
            _ => Vec::new(),
        };
        self.blocks_outcomes(outcomes, turn);
    }

    /// The header first: work, order, time. Only then is the block worth a look.
    fn compact_block(
        &mut self,
        peer: PeerId,
        block: &CompactBlock,
        turn: &mut Turn<'_>,
    ) -> Vec<crate::blocks::Outcome> {
        let at = turn.moment();
        let (place, outcomes) = self.headers.on_header(peer, &block.header, turn.ledger, at);
        self.headers_outcomes(outcomes, turn);
        match place {
            Place::Accepted { id, .. }
                if self.sessions.contains_key(&peer) && self.irreversible.allows(turn.ledger.tree(), id) =>
            {
                self.blocks.on_compact_block(peer, block, turn.now, turn.ledger)
            }
            Place::Accepted { .. } | Place::Orphan | Place::LowWork | Place::Early | Place::Invalid | Place::Full => {
                Vec::new()
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whoever calls it chose the message")]
    fn transaction_message(&mut self, peer: PeerId, message: Message, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, &*turn.ledger);
        let outcomes = match message {
            Message::Transaction(transaction) => self.relay.on_tx(peer, transaction, now),
            Message::FeeFilter(feerate) => {
                self.relay.on_feefilter(peer, feerate);
                Vec::new()
            }
            Message::Mempool => self.relay.on_mempool(peer, now),
            Message::Announce(announced) => self.relay.on_announce(peer, &announced, now),
            Message::Request(wanted) => self.relay.on_request(peer, &wanted, now, ledger),
            Message::Gone(gone) => self.relay.on_gone(peer, &gone, now),
            Message::Push(push) => self.relay.on_push(peer, push),
            Message::PoolSummary(summary) => self.relay.on_pool_summary(peer, &summary, now),
            _ => Vec::new(),
        };
        self.relay_outcomes(outcomes, turn);
    }
}

/// The block that an item names.
fn block_of(item: &Inventory) -> Option<BlockHash> {
    match *item {
        Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => Some(hash),
        Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. } => None,
    }
}
