//! What a node's ledger makes of blocks and transactions in any order: forks, reorganisations, invalid blocks.

use bitcoin::{Amount, ScriptBuf};
use yap_protocol::Ledger as _;
use yap_protocol::io::Departure;

use super::*;
use crate::network::agent::{Payment, Purse};
use crate::network::forge::Draft;
use crate::network::{Config, Network, START};

const NOW: u32 = START.0 as u32;

/// A world with a chain of coins, and one node's ledger.
struct Fixture {
    network: Network,
    purse: Purse,
    ledger: Ledger,
    salt: u64,
}

impl Fixture {
    fn new() -> Self {
        let mut network = Network::new("ledger", Config::default(), 1);
        let mut purse = Purse::new(network.random("purse"));
        let tip = network.prepare(105, 4, &mut purse);
        let ledger = Ledger::new(network.world(), tip);
        Self { network, purse, ledger, salt: 0 }
    }

    fn pay(&mut self) -> Payment {
        self.purse.pay().unwrap()
    }

    fn judge(&mut self, payment: &Payment) -> Judged {
        let (judged, _) = self.ledger.judge(&payment.transaction, None, self.network.world_mut(), NOW);
        judged.into_iter().next().unwrap().1
    }

    /// A block on `parent`, which the world may not know.
    fn block(&mut self, parent: BlockHash, payments: &[&Payment]) -> Arc<Block> {
        self.block_with(parent, payments, Amount::ZERO)
    }

    fn block_with(&mut self, parent: BlockHash, payments: &[&Payment], extra: Amount) -> Arc<Block> {
        self.salt += 1;
        let transactions: Vec<_> = payments.iter().map(|payment| Arc::clone(&payment.transaction)).collect();
        let tree = self.ledger.tree();
        let draft = Draft {
            transactions: &transactions,
            payout: &[ScriptBuf::from(vec![0x51])],
            fees: payments.iter().map(|payment| payment.fee).sum::<Amount>() + extra,
            time: START.header_time(),
            salt: self.salt,
        };
        Arc::new(draft.seal(tree, tree.get(&parent).unwrap()))
    }

    fn process(&mut self, block: &Arc<Block>) -> Step {
        self.ledger.process(block, self.network.world_mut(), START.header_time())
    }

    /// Processes a block that becomes the tip.
    fn extend(&mut self, block: &Arc<Block>) -> Step {
        let step = self.process(block);
        assert_eq!(step.outcome, Processed::Stored);
        assert_eq!(self.ledger.tip_hash(), block.hash());
        step
    }

    fn supply_holds(&self) {
        let world = self.network.world();
        let (coins, made) = world.supply(world.tree().get(&self.ledger.tip_hash()).unwrap());
        assert_eq!(coins, made);
    }
}

fn reason(outcome: &Processed) -> Option<(&'static str, bool)> {
    match outcome {
        Processed::Invalid { reason, mutated } => Some((reason, *mutated)),
        Processed::Stored | Processed::Known | Processed::Failed => None,
    }
}

#[test]
fn confirmed_payments_leave_the_mempool_and_take_their_conflicts_along() {
    let mut fixture = Fixture::new();
    let (kept, paid, rival) = (fixture.pay(), fixture.pay(), fixture.pay());
    let confirmed = fixture.purse.again(&rival, Amount::ONE_SAT);
    for payment in [&kept, &paid, &rival] {
        assert_eq!(fixture.judge(payment), Judged::Accepted);
        assert_eq!(fixture.judge(payment), Judged::Known);
    }
    let child = fixture.purse.child(&rival).unwrap();
    assert_eq!(fixture.judge(&child), Judged::Accepted);
    let block = fixture.block(fixture.ledger.tip_hash(), &[&paid, &confirmed]);
    let step = fixture.extend(&block);
    let left: Vec<_> = step.pool.removed.iter().map(|removed| (removed.transaction.txid(), removed.why)).collect();
    assert_eq!(
        left,
        [
            (paid.transaction.txid(), Departure::Confirmed),
            (rival.transaction.txid(), Departure::Conflicted),
            (child.transaction.txid(), Departure::Conflicted),
        ]
    );
    assert_eq!(fixture.ledger.pool_len(), 1);
    fixture.supply_holds();
}

#[test]
fn more_work_wins_and_payments_of_the_lost_branch_return() {
    let mut fixture = Fixture::new();
    let root = fixture.ledger.tip_hash();
    let (common, lost, double) = (fixture.pay(), fixture.pay(), fixture.pay());
    let other = fixture.purse.again(&double, Amount::from_sat(500));
    let ours = fixture.block(root, &[&common, &lost, &double]);
    fixture.extend(&ours);
    let theirs = fixture.block(root, &[&common, &other]);
    assert_eq!(fixture.process(&theirs).outcome, Processed::Stored);
    assert_eq!(fixture.ledger.tip_hash(), ours.hash(), "the first of equals stays");
    let next = fixture.block(theirs.hash(), &[]);
    let step = fixture.extend(&next);
    let change = step.tip.unwrap();
    assert_eq!(change.disconnected, [ours.hash()]);
    let connected: Vec<_> = change.connected.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(connected, [theirs.hash(), next.hash()]);
    let added: Vec<_> = step.pool.added.iter().map(|transaction| transaction.txid()).collect();
    assert_eq!(added, [lost.transaction.txid()], "the other two are confirmed or in conflict");
    fixture.supply_holds();
}

#[test]
fn blocks_wait_for_their_parents() {
    let mut fixture = Fixture::new();
    let root = fixture.ledger.tip_hash();
    let first = fixture.block(root, &[]);
    let _ = fixture.ledger.accept_header(first.header(), START.header_time()).unwrap();
    let second = fixture.block(first.hash(), &[]);
    let _ = fixture.ledger.accept_header(second.header(), START.header_time()).unwrap();
    let third = fixture.block(second.hash(), &[]);
    assert_eq!(fixture.process(&third).outcome, Processed::Stored);
    assert_eq!(fixture.process(&second).outcome, Processed::Stored);
    assert_eq!(fixture.process(&second).outcome, Processed::Known);
    assert_eq!(fixture.ledger.tip_hash(), root);
    let step = fixture.process(&first);
    assert_eq!(step.tip.unwrap().connected.len(), 3);
    assert_eq!(fixture.ledger.tip_hash(), third.hash());
}

#[test]
fn an_invalid_block_is_left_with_all_that_follows_it() {
    let mut fixture = Fixture::new();
    let root = fixture.ledger.tip_hash();
    let payment = fixture.pay();
    let good = fixture.block(root, &[]);
    fixture.extend(&good);
    let greedy = fixture.block_with(root, &[&payment], Amount::ONE_SAT);
    assert_eq!(fixture.process(&greedy).outcome, Processed::Stored, "not connected, so not known to be invalid");
    let child = fixture.block(greedy.hash(), &[]);
    assert_eq!(reason(&fixture.process(&child).outcome), Some(("bad-prevblk", false)));
    assert_eq!(fixture.ledger.tip_hash(), good.hash());
    let grandchild = fixture.block(child.hash(), &[]);
    assert_eq!(reason(&fixture.process(&grandchild).outcome), Some(("bad-prevblk", false)));
    // Another node is told the same, from memory.
    let mut other = Ledger::new(fixture.network.world(), fixture.network.world().tree().get(&root).unwrap());
    let step = other.process(&greedy, fixture.network.world_mut(), START.header_time());
    assert_eq!(reason(&step.outcome), Some(("bad-cb-amount", false)));
    assert_eq!(other.tip_hash(), root);
}

#[test]
fn a_changed_block_is_not_held_against_its_header() {
    let mut fixture = Fixture::new();
    let payment = fixture.pay();
    let block = fixture.block(fixture.ledger.tip_hash(), &[&payment]);
    let mut changed: bitcoin::Block = bitcoin::consensus::deserialize(block.bytes()).unwrap();
    changed.txdata[1].input[0].witness.clear();
    let changed = Arc::new(Block::parse(bitcoin::consensus::serialize(&changed)).unwrap());
    assert_eq!(changed.hash(), block.hash());
    assert_eq!(reason(&fixture.process(&changed).outcome), Some(("bad-witness-merkle-match", true)));
    fixture.extend(&block);
    let mut other = Fixture::new();
    other.network = fixture.network;
    assert_eq!(
        reason(&other.process(&changed).outcome),
        Some(("bad-witness-merkle-match", true)),
        "known by its bytes"
    );
    other.extend(&block);
}

#[test]
fn what_is_no_block_is_not_held_against_its_header() {
    let mut fixture = Fixture::new();
    let block = fixture.block(fixture.ledger.tip_hash(), &[]);
    let rubbish = Arc::new(Block::unread(block.bytes()[..block.bytes().len() - 1].to_vec()).unwrap());
    assert_eq!(reason(&fixture.process(&rubbish).outcome), Some(("bad-blk-malformed", true)));
    fixture.extend(&block);
    assert_eq!(fixture.process(&rubbish).outcome, Processed::Known);
}

#[test]
fn scripts_are_verified() {
    let mut fixture = Fixture::new();
    let payment = fixture.pay();
    let mut forged = payment.transaction.decoded().clone();
    forged.output[0].value -= Amount::from_sat(7);
    let forged = Arc::new(Transaction::parse(bitcoin::consensus::serialize(&forged)).unwrap());
    let forged = Payment { transaction: forged, ..payment.clone() };
    assert!(matches!(fixture.judge(&forged), Judged::Invalid { witness: true, .. }));
    let block = fixture.block(fixture.ledger.tip_hash(), &[&forged]);
    assert_eq!(reason(&fixture.process(&block).outcome), Some(("block-script-verify-flag-failed", false)));
}

#[test]
fn a_replacement_must_pay_more_than_all_it_replaces() {
    let mut fixture = Fixture::new();
    let first = fixture.purse.pay_at(10).unwrap();
    let same = fixture.purse.again(&first, Amount::ZERO);
    let more = fixture.purse.again(&first, Amount::from_sat(10_000));
    assert_eq!(fixture.judge(&first), Judged::Accepted);
    assert!(matches!(fixture.judge(&same), Judged::LowFee { .. }));
    let (_, change) = fixture.ledger.judge(&more.transaction, None, fixture.network.world_mut(), NOW);
    assert_eq!(change.removed.iter().map(|removed| removed.why).collect::<Vec<_>>(), [Departure::Replaced]);
}

#[test]
fn a_child_pays_for_its_parent_only_in_its_company() {
    let mut fixture = Fixture::new();
    let parent = fixture.purse.pay_at(0).unwrap();
    let child = fixture.purse.child(&parent).unwrap();
    assert!(matches!(fixture.judge(&parent), Judged::LowFee { .. }));
    assert!(matches!(fixture.judge(&child), Judged::MissingInputs(missing) if missing.len() == 1));
    let world = fixture.network.world_mut();
    let (judged, change) = fixture.ledger.judge(&child.transaction, Some(&parent.transaction), world, NOW);
    assert!(judged.iter().all(|(_, judged)| *judged == Judged::Accepted), "{judged:?}");
    assert_eq!(change.added.len(), 2);
    let order: Vec<_> = fixture.ledger.pool_by_feerate().map(|pooled| pooled.transaction.txid()).collect();
    assert_eq!(order, [parent.transaction.txid(), child.transaction.txid()]);
}
