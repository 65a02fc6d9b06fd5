//! Which machine hears of which message.

use bitcoin::BlockHash;

use crate::headers::Place;
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{CompactBlock, Inventory, Message};
use crate::time::Time;
use crate::{blocks, peers, relay};

use super::{Node, Turn};

impl Node {
    pub(super) fn message(&mut self, peer: PeerId, message: Message, size: usize, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        session.received = Some(turn.now);
        tracing::trace!(%peer, message = message.name(), size, "received");
        self.messages.count_received(&message, size);
        self.tally.received(&message);
        if session.established.is_some() {
            self.keepalive.heard(peer, turn.now);
            self.dispatch(peer, message, turn);
        } else {
            self.greet(peer, &message, turn);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each message")]
    fn dispatch(&mut self, peer: PeerId, message: Message, turn: &mut Turn<'_>) {
        match message {
            Message::Version(_)
            | Message::Verack
            | Message::WtxidRelay
            | Message::SendAddrV2
            | Message::Greeting(_) => self.greet(peer, &message, turn),
            Message::Ping(nonce) => {
                let outcomes = self.keepalive.on_ping(peer, nonce);
                self.keepalive_outcomes(outcomes, turn);
            }
            Message::Pong(nonce) => self.pong(peer, nonce, turn),
            Message::Goodbye(goodbye) => {
                if let (Ok(why), Some(session)) = (goodbye.reason, self.sessions.get_mut(&peer)) {
                    session.told = Some(why);
                }
            }
            Message::Irreversible(block) => {
                let outcomes = self.irreversible.on_irreversible(peer, block, turn.ledger);
                self.irreversible_outcomes(outcomes, turn);
            }
            Message::GetAddr => self.in_peers(turn, |peers, now| peers.on_get_addresses(peer, now)),
            Message::Addr(addresses) | Message::AddrV2(addresses) => {
                self.in_peers(turn, |peers, now| peers.on_addresses(peer, &addresses, now));
            }
            Message::PeerRecords(records) => self.in_peers(turn, |peers, now| peers.on_records(peer, &records, now)),
            Message::GetHeaders(locate) => match self.sessions.get_mut(&peer) {
                Some(session) if session.congested => session.asked = Some(locate),
                _ => self.getheaders(peer, &locate, turn),
            },
            Message::Headers(headers) => {
                let at = turn.moment();
                let outcomes = self.headers.on_headers(peer, &headers, turn.ledger, at);
                self.headers_outcomes(outcomes, turn);
            }
            Message::Inv(items) => {
                // As in Bitcoin Core, of several blocks only the last is looked at: the others lead to it.
                if let Some(hash) = items.iter().rev().find_map(block_of) {
                    let outcomes = self.headers.on_inv(peer, hash, turn.ledger, turn.moment());
                    self.headers_outcomes(outcomes, turn);
                }
                self.in_relay(turn, |relay, now, ledger| relay.on_inv(peer, &items, now, ledger));
            }
            Message::GetData(items) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_getdata(peer, &items, now, ledger));
                self.in_relay(turn, |relay, now, ledger| relay.on_getdata(peer, &items, now, ledger));
            }
            Message::NotFound(items) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_notfound(peer, &items, now, ledger));
                self.block_answered(peer, turn);
                self.in_relay(turn, |relay, now, _| relay.on_notfound(peer, &items, now));
            }
            Message::SendHeaders => self.blocks.on_sendheaders(peer),
            Message::SendCompact(wish) => self.blocks.on_sendcmpct(peer, wish),
            Message::GetBlocks(locate) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_getblocks(peer, &locate, now, ledger));
            }
            Message::Block(block) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_block(peer, block, now, ledger));
                self.block_answered(peer, turn);
            }
            Message::CompactBlock(block) => self.compact_block(peer, &block, turn),
            Message::GetBlockTransactions(wanted) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_getblocktxn(peer, wanted, now, ledger));
            }
            Message::BlockTransactions(given) => {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_blocktxn(peer, &given, now, ledger));
            }
            Message::Transaction(transaction) => {
                self.in_relay(turn, |relay, now, _| relay.on_tx(peer, transaction, now));
            }
            Message::FeeFilter(feerate) => self.relay.on_feefilter(peer, feerate),
            Message::Mempool => self.in_relay(turn, |relay, now, _| relay.on_mempool(peer, now)),
            Message::Announce(announced) => {
                self.in_relay(turn, |relay, now, _| relay.on_announce(peer, &announced, now));
            }
            Message::Request(wanted) => {
                self.in_relay(turn, |relay, now, ledger| relay.on_request(peer, &wanted, now, ledger));
            }
            Message::Gone(gone) => self.in_relay(turn, |relay, now, _| relay.on_gone(peer, &gone, now)),
            Message::Push(push) => self.in_relay(turn, |relay, _, _| relay.on_push(peer, push)),
            Message::PoolSummary(summary) => {
                self.in_relay(turn, |relay, now, _| relay.on_pool_summary(peer, &summary, now));
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

    /// Messages of the handshake, and every one before it is done.
    fn greet(&mut self, peer: PeerId, message: &Message, turn: &mut Turn<'_>) {
        let standing = self.standing(turn);
        let outcomes = self.handshake.on_message(peer, message, &standing, turn.now);
        self.handshake_outcomes(outcomes, turn);
    }

    fn pong(&mut self, peer: PeerId, nonce: u64, turn: &mut Turn<'_>) {
        let outcomes = self.keepalive.on_pong(peer, nonce, turn.now);
        if let Some(latency) = self.keepalive.latency(peer) {
            self.peers.latency(peer, latency.min);
            self.relay.latency(peer, latency.smoothed);
        }
        self.keepalive_outcomes(outcomes, turn);
    }

    /// The header first: work, order, time. Only then is the block worth a look.
    fn compact_block(&mut self, peer: PeerId, block: &CompactBlock, turn: &mut Turn<'_>) {
        let at = turn.moment();
        let (place, outcomes) = self.headers.on_header(peer, &block.header, turn.ledger, at);
        self.headers_outcomes(outcomes, turn);
        match place {
            Place::Accepted { id, .. }
                if self.sessions.contains_key(&peer) && self.irreversible.allows(turn.ledger.tree(), id) =>
            {
                self.in_blocks(turn, |blocks, now, ledger| blocks.on_compact_block(peer, block, now, ledger));
            }
            Place::Accepted { .. } | Place::Orphan | Place::LowWork | Place::Early | Place::Invalid | Place::Full => {}
        }
    }

    fn in_peers(&mut self, turn: &mut Turn<'_>, tell: impl FnOnce(&mut peers::State, Time) -> Vec<peers::Outcome>) {
        let outcomes = tell(&mut self.peers, turn.now);
        self.peers_outcomes(outcomes, turn);
    }

    fn in_blocks(
        &mut self,
        turn: &mut Turn<'_>,
        tell: impl FnOnce(&mut blocks::State, Time, &dyn Ledger) -> Vec<blocks::Outcome>,
    ) {
        let outcomes = tell(&mut self.blocks, turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
    }

    fn in_relay(
        &mut self,
        turn: &mut Turn<'_>,
        tell: impl FnOnce(&mut relay::State, Time, &dyn Ledger) -> Vec<relay::Outcome>,
    ) {
        let outcomes = tell(&mut self.relay, turn.now, turn.ledger);
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
