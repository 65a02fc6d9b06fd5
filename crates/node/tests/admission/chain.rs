//! Blocks that come and go.

use yap_chain::bitcoin::Txid;
use yap_chain::mempool::{Reason, Room};
use yap_protocol::io::Judged;
use yap_sim::builder::Payment;
use yap_sim::lock::Kind;

use crate::town::{FEE, Town};

fn reasons(town: &Town) -> Vec<(Txid, Reason)> {
    town.removed.iter().map(|removed| (removed.entry.txid(), removed.reason)).collect()
}

#[test]
fn block_takes_out_what_it_has_and_what_it_forbids() {
    let mut town = Town::new(60);
    let kept = town.pay_from(Kind::TrKey);
    let mined = town.pay_from(Kind::WshMultisig);
    let coin = town.coin(Kind::Wpkh);
    let loser = town.pay(coin.clone(), FEE);
    let winner = town.pay(coin, FEE);
    for transaction in [&kept, &mined, &loser] {
        assert_eq!(town.offer(transaction), Judged::Accepted);
    }
    town.mine(&[mined.clone(), winner.clone()]);
    town.settle();
    let conflict = Reason::Conflict { with: winner.compute_txid() };
    assert_eq!(reasons(&town), [(mined.compute_txid(), Reason::Confirmed), (loser.compute_txid(), conflict)]);
    assert!(town.has(&kept));
    assert_eq!(town.offer(&mined), Judged::Known);
}

#[test]
fn block_may_come_before_the_verdict() {
    let mut town = Town::new(61);
    let [mined, kept] = [Kind::Wpkh, Kind::TrKey].map(|kind| town.pay_from(kind));
    town.submit(&mined);
    town.submit(&kept);
    town.mine(std::slice::from_ref(&mined));
    let judged = town.settle();
    assert_eq!(judged.len(), 2);
    assert!(judged.contains(&(mined.compute_txid(), Judged::Known)), "{judged:?}");
    assert!(judged.contains(&(kept.compute_txid(), Judged::Accepted)), "{judged:?}");
}

#[test]
fn nothing_is_judged_by_coins_of_another_tip() {
    let mut town = Town::new(62);
    let parent = town.pay_from(Kind::Wpkh);
    let output = town.output_of(&parent);
    let block = town.builder.mine(&[parent]);
    town.let_connect([&block]);
    let child = town.pay(output, FEE);
    town.submit(&child);
    assert_eq!(town.settle(), []);
    assert_eq!(town.admission.on_the_way(), 1);
    town.tell();
    assert_eq!(town.settle(), [(child.compute_txid(), Judged::Accepted)]);
}

#[test]
fn blocks_taken_back_give_their_transactions_back() {
    let mut town = Town::new(63);
    let mut fork = town.builder.fork_at(town.builder.height());
    let parent = town.pay_from(Kind::Wpkh);
    let output = town.output_of(&parent);
    let child = town.pay(output, FEE);
    // Free of charge: only a block would take it, and what a block gave back is taken too.
    let coin = town.coin(Kind::TrKey);
    let free = town.pay(coin, 0);
    town.mine(std::slice::from_ref(&parent));
    town.mine(&[child.clone(), free.clone()]);
    let output = town.output_of(&child);
    let grandchild = town.pay(output, FEE);
    assert_eq!(town.offer(&grandchild), Judged::Accepted);

    fork.mine_empty(3);
    let blocks: Vec<_> = fork.blocks().skip(fork.height() as usize - 3).cloned().collect();
    town.give(&blocks);
    town.settle();
    assert_eq!(town.admission.pool().len(), 4);
    for transaction in [&parent, &child, &grandchild, &free] {
        assert!(town.has(transaction));
    }
    let room = Room::of_block(town.builder.height() + 2, town.builder.median_time());
    assert_eq!(town.admission.template(&room).unwrap().entries.len(), 3, "what pays nothing is not mined");
}

#[test]
fn what_the_new_branch_spends_does_not_come_back() {
    let mut town = Town::new(64);
    let mut fork = town.builder.fork_at(town.builder.height());
    let coin = town.coin(Kind::Wpkh);
    let here = town.pay(coin.clone(), FEE);
    let output = town.output_of(&here);
    town.mine(&[here]);
    let child = town.pay(output, FEE);
    assert_eq!(town.offer(&child), Judged::Accepted);

    // The wallet of the branch must know the script that it is paid to.
    let mut payment = Payment::of(vec![(coin.0, fork.coins()[&coin.0].clone())]);
    payment.outputs = vec![fork.output(Kind::Wpkh, coin.1.output.value)];
    let there = fork.sign(&payment);
    let blocks = [fork.mine(&[there]), fork.mine(&[])];
    town.give(&blocks);
    town.settle();
    assert!(town.admission.pool().is_empty(), "{:?}", reasons(&town));
}

#[test]
fn what_is_on_its_way_while_the_chain_turns_is_judged_by_the_new_one() {
    let mut town = Town::new(65);
    let mut fork = town.builder.fork_at(town.builder.height());
    let parent = town.pay_from(Kind::Wpkh);
    let output = town.output_of(&parent);
    town.mine(std::slice::from_ref(&parent));
    let child = town.pay(output, FEE);
    let other = town.pay_from(Kind::TrKey);
    town.submit(&child);
    town.submit(&other);
    let blocks = [fork.mine(&[]), fork.mine(&[])];
    town.give(&blocks);
    let judged = town.settle();
    assert!(judged.iter().all(|(_, judged)| *judged == Judged::Accepted), "{judged:?}");
    assert_eq!(town.admission.pool().len(), 3, "the parent came back");
}
