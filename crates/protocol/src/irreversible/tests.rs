use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid, Wtxid};
use yap_chain::header;
use yap_chain::producer::MAX_WALK;

use super::*;
use crate::fixture::Chain;
use crate::ledger::Pooled;

const ALICE: PeerId = PeerId(1);
const BOB: PeerId = PeerId(2);

/// A chain whose blocks are signed by whom the test says.
#[derive(Clone)]
struct Signed {
    chain: Chain,
    producers: u16,
    signers: BTreeMap<tree::Id, u16>,
    salt: u64,
}

impl Signed {
    fn new(producers: u16) -> Self {
        Self { chain: Chain::new(), producers, signers: BTreeMap::new(), salt: 0 }
    }

    /// A block on `parent`, signed by `producer`.
    fn sign(&mut self, parent: tree::Id, producer: u16) -> tree::Id {
        self.salt += 1;
        let block = self.chain.mine(parent, self.salt, &[]);
        let id = self.chain.store(&block);
        self.signers.insert(id, producer);
        id
    }

    /// Blocks on the tip, signed by each in turn; gives what the machine makes of each.
    fn grow(&mut self, state: &mut State, signers: &[u16]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for signer in signers {
            self.chain.tip = self.sign(self.chain.tip, *signer);
            outcomes.extend(state.tip_changed(self));
            state.check(self);
        }
        outcomes
    }

    fn at(&self, height: u32) -> Irreversible {
        let id = self.chain.tree.ancestor(self.chain.tip, height).unwrap();
        Irreversible { height, hash: self.chain.tree.hash(id) }
    }
}

impl Ledger for Signed {
    fn tree(&self) -> &tree::Tree {
        &self.chain.tree
    }
    fn accept_header(&mut self, header: &Header, now: u32) -> Result<tree::Accepted, header::Error> {
        self.chain.accept_header(header, now)
    }
    fn tip(&self) -> tree::Id {
        self.chain.tip
    }
    fn has_block(&self, id: tree::Id) -> bool {
        self.chain.has_block(id)
    }
    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.chain.pooled(wtxid)
    }
    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.chain.pooled_by_txid(txid)
    }
    fn pool_len(&self) -> usize {
        0
    }
    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        self.chain.pool_by_age()
    }
    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        self.chain.pool_by_feerate()
    }
    fn min_feerate(&self) -> u64 {
        0
    }
    fn producers(&self) -> u16 {
        self.producers
    }
    fn producer(&self, id: tree::Id) -> Option<u16> {
        self.signers.get(&id).copied()
    }
}

fn news(outcomes: &[Outcome]) -> Vec<u32> {
    outcomes
        .iter()
        .filter_map(|outcome| if let Outcome::New(new) = outcome { Some(new.height) } else { None })
        .collect()
}

#[test]
fn more_than_two_thirds_make_a_block_irreversible() {
    // Of four producers three are more than two thirds; of three all, of six five.
    for (producers, needed) in [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5)] {
        let (mut ledger, mut state) = (Signed::new(producers), State::new());
        let mut signers = vec![0];
        signers.extend(0..needed - 1);
        assert_eq!(news(&ledger.grow(&mut state, &signers)), [] as [u32; 0], "{producers}");
        assert_eq!(news(&ledger.grow(&mut state, &[needed - 1])), [1], "{producers}");
        assert_eq!(state.newest(), Some(ledger.at(1)));
    }
}

#[test]
fn who_signs_twice_counts_once() {
    let (mut ledger, mut state) = (Signed::new(4), State::new());
    assert_eq!(news(&ledger.grow(&mut state, &[0, 1, 2, 1, 2, 1, 2])), [] as [u32; 0]);
    // 1, 2 and 3 stand on the fifth.
    assert_eq!(news(&ledger.grow(&mut state, &[3])), [5]);
}

#[test]
fn a_chain_in_turn_goes_on_for_ever() {
    let (mut ledger, mut state) = (Signed::new(4), State::new());
    let signers: Vec<u16> = (0..40).map(|turn| turn % 4).collect();
    assert_eq!(news(&ledger.grow(&mut state, &signers)), (1..=37).collect::<Vec<u32>>());
}

#[test]
fn unknown_producers_and_strangers_count_for_nothing() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    assert_eq!(ledger.grow(&mut state, &[0, 1, 3, 4, 5, u16::MAX]), []);
}

#[test]
fn work_alone_makes_nothing_irreversible() {
    let (mut ledger, mut state) = (Signed::new(0), State::new());
    assert_eq!(state.ready(ALICE, Features::ALL, None, &ledger), []);
    assert_eq!(ledger.grow(&mut state, &[0, 1, 2, 3]), []);
    let other = Irreversible { height: 1, hash: BlockHash::all_zeros() };
    assert_eq!(state.on_irreversible(ALICE, other, &ledger), []);
}

#[test]
fn peers_are_told_once_each() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    assert_eq!(state.ready(ALICE, Features::ALL, None, &ledger), []);
    assert_eq!(state.ready(BOB, Features::GOODBYE, None, &ledger), []);
    let told = ledger.grow(&mut state, &[0, 0, 1, 2]);
    let first = ledger.at(1);
    assert_eq!(
        told,
        [Outcome::New(first), Outcome::Send(ALICE, Message::Irreversible(first))],
        "BOB would not know it"
    );
    assert_eq!(state.tip_changed(&ledger), []);
    // ALICE knows the next before we do, and is not told again.
    let mut later = ledger.clone();
    let next = later.grow(&mut State::new(), &[0]);
    assert_eq!(news(&next), [2]);
    assert_eq!(state.on_irreversible(ALICE, later.at(2), &ledger), []);
    ledger = later;
    assert_eq!(state.tip_changed(&ledger), [Outcome::New(ledger.at(2))]);
    let carol = PeerId(3);
    let sent = Outcome::Send(carol, Message::Irreversible(ledger.at(2)));
    assert_eq!(state.ready(carol, Features::ALL, Some(ledger.at(1)), &ledger), [sent], "it is behind");
}

#[test]
fn whoever_contradicts_is_left() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    ledger.grow(&mut state, &[0, 0, 1, 2]);
    assert_eq!(state.newest(), Some(ledger.at(1)));
    let forked = |peer| vec![Outcome::Part(peer, Reason::Forked)];
    let genesis = ledger.at(0);
    assert_eq!(state.ready(ALICE, Features::NONE, Some(genesis), &ledger), []);
    let other = Irreversible { height: 1, hash: BlockHash::all_zeros() };
    assert_eq!(state.ready(BOB, Features::ALL, Some(other), &ledger), forked(BOB));
    assert_eq!(state.on_irreversible(ALICE, other, &ledger), forked(ALICE));
    // A known block above ours on another branch.
    let aside = ledger.sign(ledger.chain.tree.genesis(), 1);
    let above = ledger.sign(aside, 2);
    let claim = Irreversible { height: 2, hash: ledger.chain.tree.hash(above) };
    assert_eq!(state.on_irreversible(ALICE, claim, &ledger), forked(ALICE));
    // The right block, at another height.
    let claim = Irreversible { height: 3, hash: ledger.at(2).hash };
    assert_eq!(state.on_irreversible(ALICE, claim, &ledger), forked(ALICE));
    assert_eq!(state.on_irreversible(ALICE, ledger.at(4), &ledger), [], "ahead on our branch");
}

#[test]
fn a_claim_that_nobody_can_place_is_placed_later() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    state.ready(ALICE, Features::ALL, None, &ledger).clear();
    let far = Irreversible { height: 2, hash: BlockHash::from_byte_array([9; 32]) };
    assert_eq!(state.on_irreversible(ALICE, far, &ledger), [], "it may be on our branch");
    let outcomes = ledger.grow(&mut state, &[0, 0, 1, 2]);
    assert_eq!(news(&outcomes), [1]);
    let outcomes = ledger.grow(&mut state, &[0]);
    assert!(outcomes.contains(&Outcome::Part(ALICE, Reason::Forked)), "{outcomes:?}");
}

#[test]
fn what_is_irreversible_stays_so_whatever_the_ledger_does() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    ledger.grow(&mut state, &[0, 0, 1, 2]);
    let (kept, tip) = (state.newest(), ledger.chain.tip);
    let mut aside = ledger.chain.tree.genesis();
    for signer in [1, 2, 0, 1, 2, 0] {
        aside = ledger.sign(aside, signer);
    }
    assert!(!state.allows(&ledger.chain.tree, aside));
    assert!(state.allows(&ledger.chain.tree, tip) && state.allows(&ledger.chain.tree, ledger.chain.tree.genesis()));
    ledger.chain.tip = aside;
    assert_eq!(state.tip_changed(&ledger), []);
    assert_eq!(state.newest(), kept);
    let parent = ledger.chain.tree.parent(tip).unwrap();
    ledger.chain.tip = parent;
    assert_eq!(state.tip_changed(&ledger), []);
    assert_eq!(state.newest(), kept);
}

#[test]
fn who_follows_another_branch_than_the_producers_is_told() {
    let (mut ledger, mut state) = (Signed::new(3), State::new());
    state.ready(ALICE, Features::ALL, None, &ledger).clear();
    assert_eq!(state.elsewhere(&ledger), None);
    let first = ledger.sign(ledger.chain.tree.genesis(), 0);
    let above = ledger.sign(first, 1);
    let claim = Irreversible { height: 1, hash: ledger.chain.tree.hash(first) };
    ledger.chain.tip = above;
    assert_eq!(state.on_irreversible(ALICE, claim, &ledger), []);
    assert_eq!(state.elsewhere(&ledger), None, "the tip stands on it");
    // One producer's branch was longer, and came first.
    let mut rogue = ledger.chain.tree.genesis();
    for _ in 0..5 {
        rogue = ledger.sign(rogue, 2);
    }
    ledger.chain.tip = rogue;
    assert_eq!(state.elsewhere(&ledger), Some(claim));
    state.disconnected(ALICE);
    assert_eq!(state.elsewhere(&ledger), None);
}

#[test]
fn the_walk_is_bounded() {
    let mut ledger = Signed::new(2);
    let first = ledger.sign(ledger.chain.tree.genesis(), 0);
    let second = ledger.sign(first, 1);
    ledger.chain.tip = second;
    // The other producer falls silent. At the bound the second block is still seen, one past it no more.
    for _ in 0..MAX_WALK - 1 {
        ledger.chain.tip = ledger.sign(ledger.chain.tip, 0);
    }
    let mut state = State::new();
    assert_eq!(news(&state.tip_changed(&ledger)), [1]);
    ledger.chain.tip = ledger.sign(ledger.chain.tip, 0);
    let mut state = State::new();
    assert_eq!(state.tip_changed(&ledger), []);
}
