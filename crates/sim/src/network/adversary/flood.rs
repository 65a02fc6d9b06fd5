//! Floods: as much as fits into messages, again and again.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxIn, TxOut, Txid, Wtxid};
use yap_chain::transaction::Transaction;
use yap_protocol::address::Host;
use yap_protocol::message::{Announced, Inventory, KnownAddress, MAX_ADDRESSES, MAX_INVENTORY, NetworkId, Services};
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::Random;
use crate::network::actor::Port;

/// What floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Transactions that spend what nobody knows.
    Orphans,
    /// Announcements of transactions that don't exist, by `inv`.
    Inventory,
    /// The same, by short id.
    Announcements,
    /// Addresses that don't exist.
    Addresses,
    /// Pings.
    Pings,
    /// Requests for blocks, the answers to which are large.
    BlockRequests,
    /// Requests for headers.
    HeaderRequests,
    /// More items than any message may have.
    TooMany,
}

/// Small messages of one tick; of large ones it is one.
const BURST: usize = 20;

/// Sends a burst to each peer at each tick.
#[derive(Debug)]
pub struct Flood {
    what: What,
    random: Random,
}

impl Flood {
    /// Floods with this.
    #[must_use]
    pub const fn new(what: What, random: Random) -> Self {
        Self { what, random }
    }

    fn one(&mut self, port: &Port<'_>) -> Message {
        let random = &mut self.random;
        match self.what {
            What::Orphans => Message::Transaction(orphan(random)),
            What::Inventory => Message::Inv(
                (0..MAX_INVENTORY / 50).map(|_| Inventory::Wtx(Wtxid::from_byte_array(random.bytes()))).collect(),
            ),
            What::Announcements => Message::Announce((0..1000).map(|_| Announced(random.next())).collect()),
            What::Addresses => Message::AddrV2((0..MAX_ADDRESSES).map(|_| address(random, port)).collect()),
            What::Pings => Message::Ping(random.next()),
            What::BlockRequests => {
                let tree = port.network().world().tree();
                let hashes = tree.iter().skip(1).map(|id| Inventory::WitnessBlock(tree.hash(id)));
                Message::GetData(hashes.take(500).collect())
            }
            What::HeaderRequests => {
                let tree = port.network().world().tree();
                Message::GetHeaders(yap_protocol::message::Locate {
                    locator: vec![tree.hash(tree.genesis())],
                    stop: Hash::all_zeros(),
                })
            }
            What::TooMany => Message::Inv(vec![Inventory::Wtx(Wtxid::all_zeros()); MAX_INVENTORY + 1]),
        }
    }
}

impl Vice for Flood {
    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        let burst = match self.what {
            What::Orphans | What::Pings => BURST,
            What::Inventory
            | What::Announcements
            | What::Addresses
            | What::BlockRequests
            | What::HeaderRequests
            | What::TooMany => 1,
        };
        for peer in peers {
            for _ in 0..burst {
                let message = self.one(port);
                port.send(*peer, message);
            }
        }
    }
}

fn orphan(random: &mut Random) -> Arc<Transaction> {
    let transaction = bitcoin::Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: Txid::from_byte_array(random.bytes()), vout: 0 },
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: Amount::from_sat(10_000),
            script_pubkey: ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array(random.bytes())),
        }],
    };
    Arc::new(Transaction::parse(serialize(&transaction)).expect("it was serialised"))
}

fn address(random: &mut Random, port: &Port<'_>) -> KnownAddress {
    KnownAddress {
        seen: port.network().wall(),
        services: Services::NETWORK.with(Services::WITNESS),
        // One network group, where nobody is.
        host: NetworkId::Known(Host::Ipv4(Ipv4Addr::from(0xc801_0000 | random.small(1 << 16)))),
        port: 8333,
    }
}
