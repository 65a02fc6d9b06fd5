//! A verifier of signatures in front of Bitcoin Core's engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::ecdsa;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{PublicKey, Transaction, TxOut, XOnlyPublicKey, taproot};
use yap_chain::verify::{Flags, Job};
use yap_script::engine::split::{Fast, Input};
use yap_script::engine::{No, Span};
use yap_script::{Batch, Engine, Failure, Kernel, Pool, Reason, Split, Template, check, pool};

use crate::chain::{decode, flip_in_witness, jobs};
use crate::job;

/// Verifies the usual signatures of two templates with libsecp256k1, and counts.
struct Signatures {
    secp: Secp256k1<VerifyOnly>,
    asked: Arc<AtomicUsize>,
    vouched: Arc<AtomicUsize>,
}

impl Fast for Signatures {
    type Prepared = Vec<TxOut>;

    fn takes(&self, template: Template, flags: Flags) -> bool {
        (template == Template::P2wpkh && flags.contains(Flags::WITNESS))
            || (template == Template::P2trKey && flags.contains(Flags::TAPROOT))
    }

    fn prepare(&self, job: &Job, _: &Transaction) -> Option<Vec<TxOut>> {
        let output =
            |coin: &yap_chain::coin::Coin| TxOut { value: coin.value, script_pubkey: coin.script().to_owned() };
        Some(job.spent.iter().map(output).collect())
    }

    fn unsure(&self, inputs: &[Input<'_, Vec<TxOut>>]) -> Vec<usize> {
        self.asked.fetch_add(inputs.len(), Ordering::SeqCst);
        let unsure: Vec<_> = (0..inputs.len()).filter(|index| self.vouches_for(&inputs[*index]).is_none()).collect();
        self.vouched.fetch_add(inputs.len() - unsure.len(), Ordering::SeqCst);
        unsure
    }

    fn appetite(&self) -> usize {
        256
    }
}

impl Signatures {
    fn vouches_for(&self, of: &Input<'_, Vec<TxOut>>) -> Option<()> {
        let (spender, coin) = (&of.decoded.input[of.input], &of.prepared[of.input]);
        if !spender.script_sig.is_empty() {
            return None;
        }
        let mut hashes = SighashCache::new(of.decoded);
        if of.template == Template::P2trKey {
            let key = XOnlyPublicKey::from_slice(&coin.script_pubkey.as_bytes()[2..]).ok()?;
            let [signature] = spender.witness.iter().collect::<Vec<_>>().try_into().ok()?;
            let signature = taproot::Signature::from_slice(signature).ok()?;
            if signature.sighash_type != TapSighashType::Default {
                return None;
            }
            let prevouts = Prevouts::All(of.prepared);
            let hash = hashes.taproot_key_spend_signature_hash(of.input, &prevouts, signature.sighash_type).ok()?;
            let message = Message::from_digest(hash.to_byte_array());
            return self.secp.verify_schnorr(&signature.signature, &message, &key).ok();
        }
        let [signature, key] = spender.witness.iter().collect::<Vec<_>>().try_into().ok()?;
        let (signature, key) = (ecdsa::Signature::from_slice(signature).ok()?, PublicKey::from_slice(key).ok()?);
        if coin.script_pubkey != bitcoin::ScriptBuf::new_p2wpkh(&key.wpubkey_hash().ok()?) {
            return None;
        }
        let hash =
            hashes.p2wpkh_signature_hash(of.input, &coin.script_pubkey, coin.value, signature.sighash_type).ok()?;
        let mut low_s = signature.signature;
        low_s.normalize_s();
        self.secp.verify_ecdsa(&Message::from_digest(hash.to_byte_array()), &low_s, &key.inner).ok()
    }
}

/// Core's engine, and how many inputs it was asked about.
struct Counting {
    kernel: Kernel,
    asked: Arc<AtomicUsize>,
}

impl Engine for Counting {
    type Prepared = <Kernel as Engine>::Prepared;

    fn prepare(&self, job: &Job) -> Result<Self::Prepared, Reason> {
        self.kernel.prepare(job)
    }

    fn verify(&self, spans: &[Span<'_, Self::Prepared>]) -> Vec<No> {
        self.asked.fetch_add(spans.iter().map(|span| span.inputs.len()).sum(), Ordering::SeqCst);
        self.kernel.verify(spans)
    }
}

#[derive(Default)]
struct Counts {
    asked: Arc<AtomicUsize>,
    vouched: Arc<AtomicUsize>,
    sure: Arc<AtomicUsize>,
}

impl Counts {
    fn engine(&self) -> Split<Signatures, Counting> {
        let (asked, vouched) = (Arc::clone(&self.asked), Arc::clone(&self.vouched));
        let fast = Signatures { secp: Secp256k1::verification_only(), asked, vouched };
        Split::new(fast, Counting { kernel: Kernel::new(), asked: Arc::clone(&self.sure) })
    }

    /// Inputs that the fast verifier was asked about, that it vouched for, and that the sure engine was asked about.
    fn read(&self) -> [usize; 3] {
        [&self.asked, &self.vouched, &self.sure].map(|count| count.load(Ordering::SeqCst))
    }
}

#[test]
fn each_input_goes_to_the_verifier_of_its_template() {
    let counts = Counts::default();
    let (pool, verdicts) = Pool::new(counts.engine(), pool::Options { threads: 2, ..Default::default() });
    let blocks = jobs();
    let (mut inputs, mut fast) = (0, 0);
    for job in blocks.iter().flatten() {
        for (coin, spender) in job.spent.iter().zip(decode(job).input) {
            let template = Template::of(coin.script(), &spender.script_sig, &spender.witness);
            inputs += 1;
            fast += usize::from(matches!(template, Template::P2wpkh | Template::P2trKey));
        }
    }
    let count = blocks.len();
    (0..).zip(blocks).for_each(|(id, jobs)| pool.submit(Batch::new(id, jobs)));
    assert!(verdicts.iter().take(count).all(|verdict| verdict.result.is_ok()));
    let [asked, vouched, sure] = counts.read();
    assert_eq!(asked, fast);
    assert!(vouched > fast * 9 / 10, "it knows most of them: {vouched} of {fast}");
    assert_eq!(sure, inputs - vouched, "the others, and what it was unsure of");
}

#[test]
fn every_no_is_the_sure_engines() {
    let mut tried = 0;
    for original in jobs().iter().flatten().filter(|job| job.spent.len() > 1).take(300) {
        let mut bad = decode(original);
        let Some(witness) = flip_in_witness(&bad.input[1].witness) else { continue };
        bad.input[1].witness = witness;
        let bad = job(&bad, &original.spent, Flags::ALL);
        let counts = Counts::default();
        let failure = check(&counts.engine(), &bad).unwrap_err();
        assert_eq!(failure, check(&Kernel::new(), &bad).unwrap_err());
        assert!(matches!(failure, Failure { input: 1, reason: Reason::Unsatisfied, .. }));
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn without_its_soft_fork_a_template_is_not_taken() {
    let blocks = jobs();
    let early: Vec<_> =
        blocks.iter().flatten().take(100).map(|job| Job { flags: Flags::P2SH, ..job.clone() }).collect();
    let counts = Counts::default();
    let engine = counts.engine();
    for job in &early {
        assert_eq!(check(&engine, job), check(&Kernel::new(), job));
    }
    assert_eq!(counts.read(), [0, 0, early.iter().map(|job| job.spent.len()).sum()]);
}

/// Takes everything and vouches for nothing, in an odd way.
struct Muddled;

impl Fast for Muddled {
    type Prepared = ();

    fn takes(&self, _: Template, _: Flags) -> bool {
        true
    }

    fn prepare(&self, _: &Job, _: &Transaction) -> Option<()> {
        Some(())
    }

    fn unsure(&self, inputs: &[Input<'_, ()>]) -> Vec<usize> {
        // Backwards, twice, and with indices that are none.
        (0..inputs.len() + 3).rev().chain(0..inputs.len()).collect()
    }

    fn appetite(&self) -> usize {
        1
    }
}

#[test]
fn a_verifier_that_is_sure_of_nothing_changes_nothing() {
    let engine = Split::new(Muddled, Kernel::new());
    for original in jobs().iter().flatten().take(200) {
        assert_eq!(check(&engine, original), Ok(()));
        let mut bad = decode(original);
        bad.output[0].value = bad.output[0].value.checked_add(bitcoin::Amount::ONE_SAT).unwrap();
        let bad = job(&bad, &original.spent, Flags::ALL);
        assert_eq!(check(&engine, &bad), check(&Kernel::new(), &bad));
    }
}
