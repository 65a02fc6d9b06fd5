//! Whatever the pool takes, a block may have.

use yap_chain::bitcoin::{Amount, Transaction};
use yap_chain::mempool::Room;
use yap_protocol::io::Judged;
use yap_sim::builder::Payment;
use yap_sim::lock::Kind;
use yap_sim::random::Random;

use crate::entering::spoil;
use crate::town::Town;

/// A payment of anything to anything, at times of what is pending, at times spoiled.
fn random_payment(town: &mut Town, random: &mut Random, made: &[Transaction]) -> Option<Transaction> {
    let spendable: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.is_spendable()).collect();
    let mut inputs = Vec::new();
    for _ in 0..=random.below(2) {
        if random.one_in(3)
            && let Some(parent) = random.pick(made)
        {
            let spendable = town.builder.known_lock(&parent.output[0].script_pubkey)?.kind.is_spendable();
            if spendable {
                inputs.push(town.output_of(parent));
            }
        } else if let Some(coin) = town.builder.coin_where(*random.pick(&spendable)?, |_, _| true) {
            inputs.push(coin);
        }
    }
    inputs.dedup_by(|a, b| a.0 == b.0);
    if inputs.is_empty() {
        return None;
    }
    let mut payment = Payment::of(inputs);
    let fee = payment.value().min(Amount::from_sat(random.below(40_000)));
    payment.outputs = vec![town.builder.output(*random.pick(&Kind::ALL[..31])?, payment.value() - fee)];
    if random.one_in(12) {
        payment.version = 3;
    }
    let mut transaction = town.builder.sign(&payment);
    let has_signature = transaction.input[0].witness.iter().any(|item| item.len() >= 64);
    if has_signature && random.one_in(10) {
        spoil(&mut transaction);
    }
    Some(transaction)
}

#[test]
fn whatever_is_taken_may_be_mined() {
    for seed in 0..6 {
        let mut town = Town::new(100 + seed);
        let mut random = Random::new(seed).fork("payments");
        let (mut made, mut taken) = (Vec::new(), 0);
        for round in 0..4 {
            for _ in 0..40 {
                let Some(transaction) = random_payment(&mut town, &mut random, &made) else { continue };
                town.submit(&transaction);
                made.push(transaction);
                if random.one_in(4) {
                    taken += accepted(&mut town);
                }
            }
            taken += accepted(&mut town);
            let room = Room::of_block(town.builder.height() + 1, town.builder.median_time());
            let template = town.admission.template(&room).unwrap();
            let block: Vec<_> = template.entries.iter().map(|entry| entry.transaction().decoded().clone()).collect();
            // Panics if the chain refuses the block.
            town.mine(&block);
            town.settle();
            assert!(block.iter().all(|transaction| !town.has(transaction)), "seed {seed}, round {round}");
            made.clear();
        }
        assert!(taken > 30, "seed {seed}: only {taken} taken");
        assert_eq!(town.admission.on_the_way(), 0, "seed {seed}");
    }
}

fn accepted(town: &mut Town) -> usize {
    let judged = town.settle();
    assert!(judged.iter().all(|(_, judged)| *judged != Judged::Failed), "{judged:?}");
    judged.iter().filter(|(_, judged)| *judged == Judged::Accepted).count()
}
