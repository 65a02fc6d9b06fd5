//! Several transactions on their way at once.

use yap_node::admission::{Bounds, Full, Options};
use yap_protocol::io::Judged;
use yap_sim::lock::Kind;

use crate::entering::spoil;
use crate::town::{FEE, NOW, Town, options, read};

fn bounded(transactions: usize, bytes: usize) -> Options {
    Options { bounds: Bounds { transactions, bytes }, ..options() }
}

#[test]
fn a_family_may_be_offered_in_one_breath() {
    let mut town = Town::new(20);
    let mut family = vec![town.pay_from(Kind::WshMultisig)];
    for _ in 0..20 {
        let output = town.output_of(family.last().unwrap());
        family.push(town.pay(output, FEE));
    }
    family.iter().for_each(|transaction| town.submit(transaction));
    assert_eq!(town.admission.on_the_way(), 21);
    let judged = town.settle();
    let expected: Vec<_> = family.iter().map(|one| (one.compute_txid(), Judged::Accepted)).collect();
    assert_eq!(judged, expected);
    assert_eq!(town.admission.on_the_way(), 0);
}

#[test]
fn children_of_what_fails_miss_their_parent() {
    let mut town = Town::new(21);
    let mut parent = town.pay_from(Kind::Wpkh);
    let output = town.output_of(&parent);
    let child = town.pay(output.clone(), FEE);
    spoil(&mut parent);
    town.submit(&parent);
    town.submit(&child);
    let judged = town.settle();
    assert!(matches!(judged[0].1, Judged::Invalid { .. }), "{judged:?}");
    assert_eq!(judged[1].1, Judged::MissingInputs(vec![output.0]));
}

#[test]
fn child_finds_the_good_one_of_two_twins() {
    let mut town = Town::new(22);
    let good = town.pay_from(Kind::Wpkh);
    let mut bad = good.clone();
    spoil(&mut bad);
    let output = town.output_of(&good);
    let child = town.pay(output, FEE);
    town.submit(&good);
    town.submit(&bad);
    town.submit(&child);
    let judged = town.settle();
    assert!(town.has(&good) && town.has(&child), "{judged:?}");
    assert_eq!(judged.iter().filter(|(_, judged)| *judged == Judged::Accepted).count(), 2);
}

#[test]
fn of_two_that_spend_the_same_coin_one_is_taken() {
    let mut town = Town::new(23);
    let coin = town.coin(Kind::Wpkh);
    let pair = [(); 2].map(|()| town.pay(coin.clone(), FEE));
    pair.iter().for_each(|transaction| town.submit(transaction));
    let judged = town.settle();
    let outcomes: Vec<_> = judged.into_iter().map(|(_, judged)| judged).collect();
    assert_eq!(outcomes, [Judged::Accepted, Judged::LowFee { reason: "insufficient fee" }]);
    assert_eq!(town.admission.pool().len(), 1);
}

#[test]
fn one_offered_twice_is_judged_once() {
    let mut town = Town::new(24);
    let transaction = town.pay_from(Kind::Wpkh);
    town.submit(&transaction);
    town.submit(&transaction);
    assert_eq!(town.settle(), [(transaction.compute_txid(), Judged::Accepted)]);
}

#[test]
fn caller_hears_when_too_many_are_on_their_way() {
    let mut town = Town::with(25, bounded(3, usize::MAX));
    let all = [Kind::Wpkh, Kind::TrKey, Kind::ShWpkh, Kind::WshMultisig].map(|kind| town.pay_from(kind));
    all[..3].iter().for_each(|transaction| town.submit(transaction));
    let one_more = town.admission.submit(&mut town.chain, read(&all[3]), None, NOW);
    assert_eq!(one_more, Err(Full));
    assert_eq!(town.settle().len(), 3);
    assert_eq!(town.offer(&all[3]), Judged::Accepted);
}

#[test]
fn caller_hears_when_they_are_too_large_together() {
    let all = |town: &mut Town| [Kind::Wpkh, Kind::TrKey].map(|kind| town.pay_from(kind));
    let size = all(&mut Town::new(26)).iter().map(|one| one.total_size()).sum::<usize>();
    for (bytes, second) in [(size, Ok(())), (size - 1, Err(Full))] {
        let mut town = Town::with(26, bounded(100, bytes));
        let all = all(&mut town);
        assert_eq!(all.iter().map(|one| one.total_size()).sum::<usize>(), size);
        town.submit(&all[0]);
        assert_eq!(town.admission.submit(&mut town.chain, read(&all[1]), None, NOW), second);
    }
}

#[test]
fn one_over_the_bound_is_taken_when_alone() {
    let mut town = Town::with(27, bounded(1, 1));
    let transaction = town.pay_from(Kind::Wpkh);
    assert_eq!(town.offer(&transaction), Judged::Accepted);
}
