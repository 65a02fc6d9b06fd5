use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{Amount, FeeRate, OutPoint, Psbt, TxOut};
use yap_chain::address;

use super::town::*;
use crate::{
    BumpError, Kind, MAX_LABEL, MAX_RECIPIENTS, Options, PayError, PsbtError, Recipient, Status, Told, Unspent,
    extract, finalize,
};

#[test]
fn payment_of_every_kind_of_coin_is_valid_and_costs_what_was_asked() {
    let (mut wallet, _) = funded(1, &[100_000, 200_000, 300_000]);
    let payment = wallet.pay(&[pay_nobody(590_000)], &usual()).unwrap();
    let fee = verify(&payment.transaction, &wallet);
    assert_eq!(fee, payment.fee.to_sat());
    let size = u64::try_from(payment.transaction.weight().div_ceil(4)).unwrap();
    // Signatures may be a byte shorter than what was paid for.
    assert!((2 * size..=2 * size + 6).contains(&fee), "{fee} for {size}");
    assert_eq!(payment.transaction.decoded().input.len(), 3);
    assert_eq!(payment.transaction.decoded().lock_time.to_consensus_u32(), 3);
    assert!(payment.transaction.decoded().is_explicitly_rbf());
}

#[test]
fn change_comes_back_and_is_spent_again_before_it_is_confirmed() {
    let (mut wallet, mut town) = funded(2, &[1_000_000]);
    let first = wallet.pay(&[pay_nobody(100_000)], &usual()).unwrap();
    wallet.pending(&first.transaction, NOW);
    let left = 900_000 - first.fee.to_sat();
    assert_eq!(wallet.balance().trusted.to_sat(), left);
    let second = wallet.pay(&[pay_nobody(100_000)], &usual()).unwrap();
    assert_eq!(second.transaction.decoded().input[0].previous_output.txid, first.transaction.txid());
    wallet.pending(&second.transaction, NOW);
    town.mine(&nobody(), &[first.transaction, second.transaction]);
    town.sync(&mut wallet);
    assert_eq!(wallet.balance().trusted.to_sat(), left - 100_000 - second.fee.to_sat());
}

#[test]
fn too_little_money_says_how_much_there_is() {
    let (mut wallet, mut town) = funded(3, &[10_000]);
    let pending = gift(50, &[(address(&mut wallet, Kind::Taproot), 7_000)]);
    wallet.pending(&pending, NOW);
    let mined = address(&mut wallet, Kind::Taproot);
    town.mine(&mined, &[]);
    town.sync(&mut wallet);
    let Err(PayError::TooLittle { has, needs, pending, immature }) = wallet.pay(&[pay_nobody(10_000)], &usual()) else {
        panic!("it was paid")
    };
    assert_eq!((has.to_sat(), pending.to_sat(), immature), (10_000, 7_000, REWARD));
    assert!(needs.to_sat() > 10_000);
    // What others' payments bring can be spent by who asks for it.
    let bold = Options { unsafe_coins: true, ..usual() };
    verify(&wallet.pay(&[pay_nobody(10_000)], &bold).unwrap().transaction, &wallet);
}

#[test]
fn mistakes_are_refused_for_their_reason() {
    let (mut wallet, _) = funded(4, &[100_000_000]);
    let mut pay = |recipients: &[Recipient], options: &Options| wallet.pay(recipients, options).unwrap_err();
    assert_eq!(pay(&[], &usual()), PayError::Empty);
    let many = vec![pay_nobody(1_000); MAX_RECIPIENTS + 1];
    assert_eq!(pay(&many, &usual()), PayError::TooMany(MAX_RECIPIENTS + 1));
    let (amount, least) = (Amount::from_sat(329), Amount::from_sat(330));
    assert_eq!(pay(&[pay_nobody(329)], &usual()), PayError::Dust { index: 0, amount, least });
    let all = Amount::MAX_MONEY.to_sat();
    assert_eq!(pay(&[pay_nobody(all), pay_nobody(1_000)], &usual()), PayError::Amount);
    let high = FeeRate::from_sat_per_kwu(2_500_001);
    assert_eq!(pay(&[pay_nobody(1_000)], &Options::at(high)), PayError::RateTooHigh { rate: high });
    let dear = vec![pay_nobody(1_000); 100];
    assert!(matches!(pay(&dear, &Options::at(rate(10_000))), PayError::FeeTooHigh { .. }));
    let low = Options { least_rate: rate(3), ..usual() };
    assert_eq!(pay(&[pay_nobody(1_000)], &low), PayError::RateTooLow { rate: rate(2), least: rate(3) });
    let long = Options { comment: Some("x".repeat(MAX_LABEL + 1)), ..usual() };
    assert_eq!(pay(&[pay_nobody(1_000)], &long), PayError::LongNote(MAX_LABEL + 1));
    let foreign = OutPoint::null();
    let named = Options { coins: vec![foreign], ..usual() };
    assert_eq!(pay(&[pay_nobody(1_000)], &named), PayError::NoCoin(foreign));
    let tiny = Recipient { subtract_fee: true, ..pay_nobody(400) };
    assert!(matches!(pay(&[tiny], &Options::at(rate(100))), PayError::FeeExceedsAmount { .. }));
}

#[test]
fn recipients_are_as_many_as_allowed() {
    let (mut wallet, _) = funded(4, &[100_000_000]);
    let many = vec![pay_nobody(1_000); MAX_RECIPIENTS];
    let payment = wallet.pay(&many, &usual()).unwrap();
    assert_eq!(payment.transaction.decoded().output.len(), MAX_RECIPIENTS + 1);
}

#[test]
fn address_of_another_network_is_no_recipient() {
    let mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let refused = Recipient::at(mainnet, Amount::ONE_SAT, &spec()).unwrap_err();
    assert_eq!(refused, address::Error::OtherNetwork { network: "bitcoin".into() });
}

#[test]
fn fee_is_taken_from_the_recipients_who_pay_it() {
    let (mut wallet, _) = funded(5, &[100_000]);
    let first = Recipient { subtract_fee: true, ..pay_nobody(30_000) };
    let payment = wallet.pay(&[first.clone(), pay_nobody(10_000), first], &usual()).unwrap();
    let fee = verify(&payment.transaction, &wallet);
    let mut amounts: Vec<u64> = payment.transaction.decoded().output.iter().map(|o| o.value.to_sat()).collect();
    amounts.remove(usize::try_from(payment.change.unwrap()).unwrap());
    assert_eq!(amounts, [30_000 - fee / 2 - fee % 2, 10_000, 30_000 - fee / 2]);
}

#[test]
fn everything_is_paid_at_once() {
    let (mut wallet, _) = funded(6, &[10_000, 20_000, 30_000]);
    let payment = wallet.pay_all(&nobody(), &usual()).unwrap();
    let fee = verify(&payment.transaction, &wallet);
    assert_eq!(payment.transaction.decoded().output.len(), 1);
    assert_eq!(payment.transaction.decoded().output[0].value.to_sat(), 60_000 - fee);
    wallet.pending(&payment.transaction, NOW);
    assert_eq!(wallet.balance(), crate::Balance::default());
}

#[test]
fn refused_payment_releases_its_coins() {
    let (mut wallet, _) = funded(7, &[100_000]);
    let payment = wallet.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    assert_eq!(wallet.balance().trusted, Amount::ZERO);
    assert!(matches!(wallet.pay(&[pay_nobody(1_000)], &usual()), Err(PayError::TooLittle { .. })));
    assert!(wallet.abandon(payment.transaction.txid()));
    assert_eq!(wallet.balance().trusted.to_sat(), 100_000);
    assert_eq!(wallet.transaction(&payment.transaction.txid()).unwrap().status, Status::Abandoned);
    assert!(!wallet.abandon(payment.transaction.txid()));
    wallet.pay(&[pay_nobody(50_000)], &usual()).unwrap();
}

#[test]
fn pending_payment_is_not_given_up() {
    let (mut wallet, _) = funded(7, &[100_000]);
    let payment = wallet.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    wallet.pending(&payment.transaction, NOW);
    assert!(!wallet.abandon(payment.transaction.txid()));
}

#[test]
fn locked_coin_is_left_alone() {
    let (mut wallet, _) = funded(8, &[10_000, 90_000]);
    let large: Unspent = wallet.unspent().iter().max_by_key(|coin| coin.amount).unwrap().clone();
    assert!(wallet.lock_coin(large.outpoint, true));
    assert!(matches!(wallet.pay(&[pay_nobody(50_000)], &usual()), Err(PayError::TooLittle { .. })));
    assert_eq!(wallet.locked_coins(), [large.outpoint]);
    assert!(wallet.lock_coin(large.outpoint, false));
    wallet.pay(&[pay_nobody(50_000)], &usual()).unwrap();
}

#[test]
fn replacement_pays_more_from_the_change() {
    let (mut wallet, _) = funded(9, &[100_000, 50_000]);
    let old = wallet.pay(&[pay_nobody(60_000)], &Options { comment: Some("rent".into()), ..usual() }).unwrap();
    wallet.pending(&old.transaction, NOW);
    let txid = old.transaction.txid();
    let low = wallet.bump(txid, Some(rate(2)), &usual());
    assert!(matches!(low, Err(BumpError::RateTooLow { .. })), "{low:?}");
    let new = wallet.bump(txid, None, &usual()).unwrap();
    let fee = verify(&new.transaction, &wallet);
    let size = u64::try_from(new.transaction.weight().div_ceil(4)).unwrap();
    assert!(fee >= old.fee.to_sat() + size, "BIP-0125, rule 4");
    assert!(fee >= size * 7, "{fee} for {size}");
    assert!(new.transaction.decoded().output.iter().any(|o| o.script_pubkey == nobody() && o.value.to_sat() == 60_000));
    // The mempool takes it in the other's place.
    wallet.dropped(txid);
    wallet.pending(&new.transaction, NOW);
    let by = new.transaction.txid();
    assert_eq!(wallet.transaction(&txid).unwrap().status, Status::Replaced { by });
    let entry = wallet.transaction(&by).unwrap();
    assert_eq!((entry.replaces, entry.comment.as_deref()), (Some(txid), Some("rent")));
    assert_eq!(wallet.balance().trusted.to_sat(), 150_000 - 60_000 - fee);
    assert!(matches!(wallet.bump(txid, None, &usual()), Err(BumpError::Replaced(..))));
    assert!(wallet.waiting().is_empty(), "what was replaced is not offered again");
}

#[test]
fn replacement_adds_coins_when_change_does_not_suffice() {
    let (mut wallet, _) = funded(10, &[60_500, 50_000]);
    let options = Options { only_coins: true, coins: vec![largest(&mut wallet)], ..usual() };
    let old = wallet.pay(&[pay_nobody(60_000)], &options);
    let old = old.unwrap();
    assert_eq!(old.change, None);
    wallet.pending(&old.transaction, NOW);
    let new = wallet.bump(old.transaction.txid(), Some(rate(50)), &usual()).unwrap();
    assert_eq!(new.transaction.decoded().input.len(), 2);
    verify(&new.transaction, &wallet);
}

fn largest(wallet: &mut crate::Wallet) -> OutPoint {
    wallet.unspent().iter().max_by_key(|coin| coin.amount).unwrap().outpoint
}

#[test]
fn what_is_settled_is_not_replaced() {
    let (mut wallet, mut town) = funded(11, &[100_000]);
    let payment = wallet.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    let txid = payment.transaction.txid();
    wallet.pending(&payment.transaction, NOW);
    let child = wallet.pay(&[pay_nobody(10_000)], &usual()).unwrap();
    assert_eq!(wallet.bump(txid, None, &usual()), Err(BumpError::Descendants(txid, child.transaction.txid())));
    town.mine(&nobody(), &[payment.transaction]);
    town.sync(&mut wallet);
    assert_eq!(wallet.bump(txid, None, &usual()), Err(BumpError::Settled(txid)));
    let foreign = gift(60, &[(address(&mut wallet, Kind::Taproot), 10_000)]);
    wallet.pending(&foreign, NOW);
    assert_eq!(wallet.bump(foreign.txid(), None, &usual()), Err(BumpError::Foreign(foreign.txid())));
}

#[test]
fn psbt_goes_round_between_a_watcher_and_a_signer() {
    let (mut signer, town) = funded(12, &[40_000, 40_000, 40_000]);
    let mut file = File::default();
    file.keep(&mut signer);
    let mut watcher = file.open();
    watcher.protect("away").unwrap();
    town.sync(&mut watcher);
    let draft = watcher.fund(&[pay_nobody(100_000)], &usual()).unwrap();
    // As text, as it would travel.
    let sent: Psbt = Psbt::deserialize(&draft.psbt.serialize()).unwrap();
    let unsigned = watcher.process(sent.clone(), false, true).unwrap();
    assert!(!unsigned.complete);
    assert!(matches!(extract(&unsigned.psbt), Err(PsbtError::NotFinal { index: 0 })));
    let signed = signer.process(sent, true, false).unwrap();
    assert_eq!((signed.signed, signed.complete), (3, true));
    let mut back = signed.psbt;
    assert!(finalize(&mut back).unwrap());
    let transaction = extract(&back).unwrap();
    assert_eq!(verify(&transaction, &signer), draft.fee.to_sat());
    // The watcher takes it as its own payment.
    watcher.commit(&transaction);
    watcher.pending(&transaction, NOW);
    assert_eq!(watcher.balance().trusted.to_sat(), 20_000 - draft.fee.to_sat());
}

#[test]
fn damaged_signature_is_not_extracted() {
    let (mut wallet, _) = funded(13, &[40_000]);
    let draft = wallet.fund(&[pay_nobody(10_000)], &usual()).unwrap();
    let mut signed = wallet.process(draft.psbt, true, true).unwrap().psbt;
    let mut witness: Vec<Vec<u8>> = signed.inputs[0].final_script_witness.as_ref().unwrap().to_vec();
    witness[0][5] ^= 1;
    signed.inputs[0].final_script_witness = Some(bitcoin::Witness::from_slice(&witness));
    assert_eq!(extract(&signed), Err(PsbtError::Invalid));
}

#[test]
fn lie_about_an_amount_is_not_signed() {
    let (mut wallet, _) = funded(14, &[40_000, 90_000]);
    let segwit = wallet.unspent().iter().find(|coin| coin.amount.to_sat() == 90_000).unwrap().outpoint;
    let options = Options { coins: vec![segwit], only_coins: true, ..usual() };
    let mut psbt = wallet.fund(&[pay_nobody(10_000)], &options).unwrap().psbt;
    // Whoever says that less is spent hides a fee.
    psbt.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::from_sat(11_000);
    let processed = wallet.process(psbt, true, true).unwrap();
    assert_eq!(processed.psbt.inputs[0].witness_utxo.as_ref().unwrap().value.to_sat(), 90_000);
    verify(&extract(&processed.psbt).unwrap(), &wallet);
}

#[test]
fn coins_of_a_parent_that_nobody_has_seen_are_signed_for_as_they_are_told() {
    let (mut wallet, _) = funded(16, &[40_000]);
    let known = largest(&mut wallet);
    let scripts = [Kind::Taproot, Kind::Segwit, Kind::Legacy].map(|kind| address(&mut wallet, kind));
    let parent = gift(99, &scripts.clone().map(|script| (script, 20_000)));
    let outputs = (0..).zip(&parent.decoded().output);
    let mut told: Told =
        outputs.map(|(vout, output)| (OutPoint { txid: parent.txid(), vout }, output.clone())).collect();
    let spent: Vec<OutPoint> = told.keys().copied().chain([known]).collect();
    let child = from(&spent, &[(nobody(), 90_000)]);
    // What the wallet knows better counts.
    told.insert(known, TxOut { value: Amount::from_sat(1), script_pubkey: nobody() });
    let (signed, missing) = wallet.sign_raw(child.decoded(), &told).unwrap();
    assert!(missing.is_empty(), "{missing:?}");
    let own_script = wallet.scripts.script(wallet.own_output(&known).unwrap().1).unwrap().clone();
    // Finished, it is extracted if every signature is right for what it spends.
    let check = |parent: &[TxOut]| {
        let own = TxOut { value: Amount::from_sat(40_000), script_pubkey: own_script.clone() };
        let mut psbt = Psbt::from_unsigned_tx(child.decoded().clone()).unwrap();
        let spent = parent.iter().cloned().chain([own]);
        for ((input, signed), coin) in psbt.inputs.iter_mut().zip(&signed.input).zip(spent) {
            input.witness_utxo = Some(coin);
            input.final_script_sig = Some(signed.script_sig.clone());
            input.final_script_witness = Some(signed.witness.clone());
        }
        extract(&psbt)
    };
    check(&parent.decoded().output).unwrap();
    // Whoever pays more than was told of does not lose it unseen.
    let mut richer = parent.decoded().output.clone();
    richer[1].value += Amount::ONE_SAT;
    assert_eq!(check(&richer), Err(PsbtError::Invalid));
}

#[test]
fn raw_transaction_is_signed_as_far_as_keys_go() {
    let (mut wallet, _) = funded(15, &[40_000]);
    let coin = largest(&mut wallet);
    let foreign = OutPoint { vout: 3, ..coin };
    let both = from(&[coin, foreign], &[(nobody(), 30_000)]);
    let other = TxOut { value: Amount::from_sat(1_000), script_pubkey: nobody() };
    let (signed, missing) = wallet.sign_raw(both.decoded(), &BTreeMap::from([(foreign, other)])).unwrap();
    assert_eq!(missing, [1]);
    assert_eq!(signed.input[0].witness.len(), 1);
    let own = from(&[coin], &[(nobody(), 30_000)]);
    let (signed, missing) = wallet.sign_raw(own.decoded(), &BTreeMap::new()).unwrap();
    assert!(missing.is_empty());
    let bytes = bitcoin::consensus::encode::serialize(&signed);
    verify(&yap_chain::transaction::Transaction::parse(bytes).unwrap(), &wallet);
    let again = wallet.sign_raw(&signed, &BTreeMap::new()).unwrap();
    assert_eq!(again, (signed, vec![]));
    assert!(Arc::strong_count(&own) > 0);
}
