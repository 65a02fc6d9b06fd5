//! A parent that pays too little, and its child.

use yap_chain::bitcoin::Transaction;
use yap_protocol::io::Judged;
use yap_sim::lock::Kind;

use crate::entering::spoil;
use crate::town::{FEE, NOW, Town, read};

const LOW: Judged = Judged::LowFee { reason: "min relay fee not met" };

fn family(town: &mut Town, fee: u64) -> [Transaction; 2] {
    let coin = town.coin(Kind::WshMultisig);
    let parent = town.pay(coin, fee);
    let output = town.output_of(&parent);
    let child = town.pay(output, 2 * FEE);
    [parent, child]
}

#[test]
fn child_pays_for_its_parent() {
    let mut town = Town::new(40);
    let [parent, child] = family(&mut town, 0);
    assert_eq!(town.offer(&parent), LOW);
    assert_eq!(town.offer_pair(&parent, &child), [Judged::Accepted, Judged::Accepted]);
    assert!(town.has(&parent) && town.has(&child));
    assert_eq!(town.offer_pair(&parent, &child), [Judged::Known, Judged::Known]);
}

#[test]
fn parent_that_pays_for_itself_goes_first() {
    let mut town = Town::new(41);
    let [parent, child] = family(&mut town, FEE);
    assert_eq!(town.offer_pair(&parent, &child), [Judged::Accepted, Judged::Accepted]);
}

#[test]
fn each_is_blamed_for_its_own_signature() {
    let mut town = Town::new(42);
    let [parent, child] = family(&mut town, 0);
    let mut bad = child.clone();
    spoil(&mut bad);
    let [first, second] = town.offer_pair(&parent, &bad);
    assert_eq!(first, LOW);
    assert!(matches!(second, Judged::Invalid { witness: true, .. }), "{second:?}");

    let mut bad = parent.clone();
    spoil(&mut bad);
    let [first, second] = town.offer_pair(&bad, &child);
    assert!(matches!(first, Judged::Invalid { witness: true, .. }), "{first:?}");
    assert_eq!(second, Judged::MissingInputs(vec![child.input[0].previous_output]));
    assert_eq!(town.offer_pair(&parent, &child), [Judged::Accepted, Judged::Accepted]);
}

#[test]
fn pair_that_pays_too_little_is_refused_for_that() {
    let mut town = Town::new(43);
    let coin = town.coin(Kind::Wpkh);
    let parent = town.pay(coin, 0);
    let output = town.output_of(&parent);
    let child = town.pay(output, 12);
    assert_eq!(town.offer_pair(&parent, &child), [LOW, LOW]);
}

#[test]
fn child_whose_parent_is_refused_is_judged_alone() {
    let mut town = Town::new(44);
    let coin = town.coin(Kind::Wpkh);
    let payment = town.payment(coin, Kind::Wpkh, FEE);
    let mut bad = payment.clone();
    bad.version = 4;
    let parent = town.builder.sign(&bad);
    let output = town.output_of(&parent);
    let child = town.pay(output.clone(), FEE);
    let expected = [Judged::Policy { reason: "version", witness: false }, Judged::MissingInputs(vec![output.0])];
    assert_eq!(town.offer_pair(&parent, &child), expected);
}

#[test]
fn pair_may_be_offered_while_its_parent_is_on_its_way() {
    let mut town = Town::new(45);
    let [parent, child] = family(&mut town, FEE);
    town.submit(&parent);
    let [first, second] = [&parent, &child].map(read);
    town.admission.submit(&mut town.chain, second, Some(first), NOW).unwrap();
    let [by_itself, again, child_of_it] = [&parent, &parent, &child].map(|one| one.compute_txid());
    let expected = [(by_itself, Judged::Accepted), (again, Judged::Known), (child_of_it, Judged::Accepted)];
    assert_eq!(town.settle(), expected);
}
