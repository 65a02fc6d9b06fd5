//! One transaction at a time: what is taken, and what is said of what is not.

use yap_chain::bitcoin::{Amount, ScriptBuf, Transaction, TxOut, Witness};
use yap_chain::mempool::Reason;
use yap_protocol::io::Judged;
use yap_sim::lock::Kind;

use crate::town::{FEE, Town};

const SCRIPT: &str = "mempool-script-verify-flag-failed";

/// Changes a byte in the middle of the first signature of an input's witness.
pub(crate) fn spoil(transaction: &mut Transaction) {
    let mut items = transaction.input[0].witness.to_vec();
    let signature = items.iter_mut().find(|item| item.len() >= 64).unwrap();
    signature[40] ^= 1;
    transaction.input[0].witness = Witness::from_slice(&items);
}

#[test]
fn payments_of_every_signed_kind_are_taken() {
    let mut town = Town::new(1);
    let mut taken = 0;
    for kind in Kind::SIGNED {
        let transaction = town.pay_from(kind);
        assert_eq!(town.offer(&transaction), Judged::Accepted, "{kind:?}");
        taken += 1;
        assert!(town.has(&transaction));
    }
    assert_eq!(town.admission.pool().len(), taken);
    assert_eq!(town.chain.script_cache().len(), taken, "their blocks need not verify them again");
    let again = town.admission.pool().by_age().next().unwrap().transaction().decoded().clone();
    assert_eq!(town.offer(&again), Judged::Known);
}

#[test]
fn wrong_signature_in_a_witness_does_not_blame_the_txid() {
    let mut town = Town::new(2);
    for kind in [Kind::Wpkh, Kind::TrKey, Kind::WshMultisig, Kind::ShWpkh, Kind::TrScript] {
        let good = town.pay_from(kind);
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_eq!(town.offer(&bad), Judged::Invalid { reason: SCRIPT, witness: true }, "{kind:?}");
        assert_eq!(town.offer(&good), Judged::Accepted, "{kind:?}");
    }
}

#[test]
fn wrong_signature_outside_of_a_witness_does() {
    let mut town = Town::new(3);
    let mut bad = town.pay_from(Kind::PublicKeyHash);
    let mut script = bad.input[0].script_sig.to_bytes();
    script[40] ^= 1;
    bad.input[0].script_sig = ScriptBuf::from(script);
    assert_eq!(town.offer(&bad), Judged::Invalid { reason: SCRIPT, witness: false });
    assert!(town.admission.pool().is_empty());
}

#[test]
fn what_is_valid_but_not_standard_is_policy() {
    let mut town = Town::new(4);
    let coin = town.coin(Kind::Wpkh);
    let payment = town.payment(coin, Kind::Noise, FEE);
    let noise = town.builder.sign(&payment);
    assert_eq!(town.offer(&noise), Judged::Policy { reason: "scriptpubkey", witness: false });

    let coin = town.coin(Kind::Wpkh);
    let mut payment = town.payment(coin, Kind::Wpkh, FEE);
    payment.version = 4;
    let version = town.builder.sign(&payment);
    assert_eq!(town.offer(&version), Judged::Policy { reason: "version", witness: false });

    // Anyone on the way can add a witness to an input that has none.
    let good = town.pay_from(Kind::PublicKeyHash);
    let mut stuffed = good.clone();
    stuffed.input[0].witness = Witness::from_slice(&[[1_u8; 9]]);
    assert_eq!(town.offer(&stuffed), Judged::Policy { reason: "bad-witness-nonstandard", witness: true });
    assert_eq!(town.offer(&good), Judged::Accepted);
}

#[test]
fn scripts_that_later_rules_may_forbid_are_policy() {
    let mut town = Town::new(5);
    for kind in [Kind::TrFuture, Kind::TrSuccess] {
        let transaction = town.pay_from(kind);
        let judged = town.offer(&transaction);
        assert_eq!(judged, Judged::Policy { reason: SCRIPT, witness: true }, "{kind:?}");
        // A block may have it.
        town.mine(&[transaction]);
    }
}

#[test]
fn what_breaks_a_rule_of_the_ledger_is_invalid() {
    let mut town = Town::new(6);
    let coin = town.coin(Kind::Wpkh);
    let mut payment = town.payment(coin, Kind::Wpkh, FEE);
    payment.outputs[0].value += Amount::from_sat(FEE + 1);
    let spends_too_much = town.builder.sign(&payment);
    let judged = town.offer(&spends_too_much);
    assert_eq!(judged, Judged::Invalid { reason: "bad-txns-in-belowout", witness: false });
}

#[test]
fn what_pays_too_little_may_be_helped() {
    let mut town = Town::new(7);
    let coin = town.coin(Kind::Wpkh);
    let cheap = town.pay(coin, 5);
    assert_eq!(town.offer(&cheap), Judged::LowFee { reason: "min relay fee not met" });
}

#[test]
fn child_is_taken_once_its_parent_is() {
    let mut town = Town::new(8);
    let parent = town.pay_from(Kind::Wpkh);
    let output = town.output_of(&parent);
    let child = town.pay(output.clone(), FEE);
    assert_eq!(town.offer(&child), Judged::MissingInputs(vec![output.0]));
    assert_eq!(town.offer(&parent), Judged::Accepted);
    assert_eq!(town.offer(&child), Judged::Accepted);
}

#[test]
fn one_that_pays_more_replaces() {
    let mut town = Town::new(9);
    let coin = town.coin(Kind::TrKey);
    let first = town.pay(coin.clone(), FEE);
    let little = town.pay(coin.clone(), FEE + 1);
    let more = town.pay(coin, 3 * FEE);
    assert_eq!(town.offer(&first), Judged::Accepted);
    assert_eq!(town.offer(&little), Judged::LowFee { reason: "insufficient fee" });
    assert_eq!(town.offer(&more), Judged::Accepted);
    let [removed] = town.removed.as_slice() else { panic!("{:?}", town.removed) };
    assert_eq!(removed.entry.txid(), first.compute_txid());
    assert_eq!(removed.reason, Reason::Replaced { by: more.compute_txid() });
}

#[test]
fn what_has_waited_too_long_leaves() {
    let mut town = Town::new(10);
    let transaction = town.pay_from(Kind::Wpkh);
    assert_eq!(town.offer(&transaction), Judged::Accepted);
    let expiry = town.admission.pool().limits().expiry;
    town.admission.expire(crate::town::NOW + expiry);
    town.settle();
    assert!(town.has(&transaction));
    town.admission.expire(crate::town::NOW + expiry + 1);
    town.settle();
    assert!(!town.has(&transaction));
    assert_eq!(town.removed[0].reason, Reason::Expired);
}

#[test]
fn output_of_a_pending_transaction_that_does_not_exist_is_missing() {
    let mut town = Town::new(11);
    let parent = town.pay_from(Kind::Wpkh);
    assert_eq!(town.offer(&parent), Judged::Accepted);
    let (mut outpoint, coin) = town.output_of(&parent);
    outpoint.vout = 7;
    let child = town.pay((outpoint, coin), FEE);
    assert_eq!(town.offer(&child), Judged::MissingInputs(vec![outpoint]));
}

#[test]
fn dust_beside_an_output_is_policy() {
    let mut town = Town::new(12);
    let coin = town.coin(Kind::Wpkh);
    let mut payment = town.payment(coin, Kind::Wpkh, FEE);
    let script_pubkey = payment.outputs[0].script_pubkey.clone();
    payment
        .outputs
        .extend([(); 2].map(|()| TxOut { value: Amount::from_sat(1), script_pubkey: script_pubkey.clone() }));
    let dusty = town.builder.sign(&payment);
    assert_eq!(town.offer(&dusty), Judged::Policy { reason: "dust", witness: false });
}
