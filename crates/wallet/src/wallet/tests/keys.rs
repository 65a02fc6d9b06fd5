use std::sync::Arc;

use bitcoin::Amount;
use yap_chain::spec::Spec;

use super::town::*;
use crate::{KeyError, Keychain, Kind, LOOK_AHEAD, PayError, Wallet, Words, WordsError};

fn bitcoin() -> Arc<Spec> {
    Arc::new(Spec::bitcoin())
}

/// Receive addresses 0 and 1, change address 0.
fn addresses(wallet: &mut Wallet, kind: Kind) -> [String; 3] {
    let first = wallet.new_address(kind).unwrap().address.unwrap();
    let second = wallet.new_address(kind).unwrap().address.unwrap();
    let change = wallet.new_change_address(kind).unwrap().address.unwrap();
    [first, second, change]
}

#[test]
fn addresses_are_those_of_the_bips() {
    let mut wallet = restored(&bitcoin(), ABANDON);
    // BIP-0086, test vectors.
    assert_eq!(
        addresses(&mut wallet, Kind::Taproot),
        [
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
            "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
            "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
        ]
    );
    // BIP-0084, test vectors.
    assert_eq!(
        addresses(&mut wallet, Kind::Segwit),
        [
            "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
            "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
            "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
        ]
    );
    // The first address of these words as every BIP-0044 wallet shows it.
    assert_eq!(addresses(&mut wallet, Kind::Legacy)[0], "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA");
}

#[test]
fn passphrase_of_the_words_makes_another_wallet() {
    // BIP-0039, test vectors: the seed of these words with TREZOR, as its master key.
    let words = Words::parse(ABANDON, "TREZOR").unwrap();
    assert_eq!(
        words.master(bitcoin::NetworkKind::Main).to_string(),
        "xprv9s21ZrQH143K3h3fDYiay8mocZ3afhfULfb5GX8kCBdno77K4HiA15Tg23wpbeF1pLfs1c5SPmYHrEpTuuRhxMwvKDwqdKiGJS9XFKzUsAF"
    );
    assert_ne!(words, Words::parse(ABANDON, "").unwrap());
}

#[test]
fn wrong_words_say_what_is_wrong() {
    assert_eq!(Words::parse("abandon about", ""), Err(WordsError::Count(2)));
    let wrong = ABANDON.replacen("abandon", "abandom", 2).replacen("abandom", "abandon", 1);
    assert_eq!(Words::parse(&wrong, ""), Err(WordsError::Unknown { place: 1 }));
    assert_eq!(Words::parse(&ABANDON.replace("about", "abandon"), ""), Err(WordsError::Checksum));
    assert_eq!(Words::parse(&format!("  {}\n", ABANDON.to_uppercase()), "").unwrap().phrase().as_str(), ABANDON);
    assert_eq!(Words::parse(ABANDON, &"x".repeat(1_025)), Err(WordsError::Passphrase(1_025)));
}

#[test]
fn words_of_every_length_are_taken() {
    for words in [
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid \
         letter always",
        "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
    ] {
        assert_eq!(Words::parse(words, "").unwrap().phrase().as_str(), words);
    }
}

#[test]
fn secrets_are_not_shown_by_accident() {
    let wallet = restored(&spec(), ABANDON);
    let shown = format!("{wallet:?} {:?}", wallet.words().unwrap());
    assert!(!shown.contains("abandon"), "{shown}");
}

#[test]
fn descriptors_have_the_checksums_of_bip380() {
    let wallet = restored(&bitcoin(), ABANDON);
    let descriptors = wallet.descriptors();
    let (keychain, text, _) = &descriptors[0];
    assert_eq!(*keychain, Keychain { kind: Kind::Taproot, change: false });
    // The account's key is BIP-0086's.
    assert!(text.starts_with("tr([73c5da0a/86'/0'/0']xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ/0/*)#"), "{text}");
    let (body, checksum) = text.split_once('#').unwrap();
    assert_eq!(bdk_wallet::descriptor::calc_checksum(body).unwrap(), checksum);
}

#[test]
fn locked_wallet_watches_and_does_not_spend() {
    let (mut wallet, mut town) = funded(1, &[1_000_000]);
    wallet.protect("correct horse").unwrap();
    assert!(wallet.is_locked() && wallet.is_protected());
    // It gives addresses, and sees what is paid to them.
    let script = address(&mut wallet, Kind::Taproot);
    town.mine(&nobody(), &[gift(9, &[(script, 500)])]);
    town.sync(&mut wallet);
    assert_eq!(wallet.balance().trusted, Amount::from_sat(1_000_500));
    // It drafts payments, and signs none.
    let draft = wallet.fund(&[pay_nobody(1_000)], &usual()).unwrap();
    assert_eq!(wallet.pay(&[pay_nobody(1_000)], &usual()), Err(PayError::Keys(KeyError::Locked)));
    assert!(wallet.process(draft.psbt, true, true).is_err());
    assert_eq!(wallet.words(), Err(KeyError::Locked));
    // Unlocked, it pays, until the time is over.
    assert_eq!(wallet.unlock("wrong", NOW + 60), Err(KeyError::WrongPassphrase));
    wallet.unlock("correct horse", NOW + 60).unwrap();
    let payment = wallet.pay(&[pay_nobody(1_000)], &usual()).unwrap();
    verify(&payment.transaction, &wallet);
    wallet.set_time(NOW + 59);
    assert!(!wallet.is_locked());
    wallet.set_time(NOW + 60);
    assert!(wallet.is_locked());
}

#[test]
fn passphrase_is_changed_by_who_knows_it() {
    let mut wallet = wallet(1);
    assert_eq!(wallet.lock(), Err(KeyError::Unprotected));
    assert_eq!(wallet.protect(""), Err(KeyError::EmptyPassphrase));
    assert_eq!(wallet.protect(&"x".repeat(1_025)), Err(KeyError::LongPassphrase(1_025)));
    wallet.protect("one").unwrap();
    assert_eq!(wallet.protect("two"), Err(KeyError::Protected));
    assert_eq!(wallet.change_passphrase("two", "three"), Err(KeyError::WrongPassphrase));
    wallet.change_passphrase("one", "two").unwrap();
    assert_eq!(wallet.unlock("one", NOW + 1), Err(KeyError::WrongPassphrase));
    assert_eq!(wallet.unlock("two", NOW + 1), Ok(()));
}

#[test]
fn more_addresses_than_would_be_found_again_are_not_given() {
    let mut wallet = wallet(1);
    for _ in 0..LOOK_AHEAD {
        wallet.new_address(Kind::Segwit).unwrap();
    }
    wallet.new_address(Kind::Segwit).unwrap_err();
    wallet.new_address(Kind::Taproot).unwrap();
    // One that is paid makes room.
    let last = wallet.addresses().into_iter().rfind(|info| info.place.unwrap().keychain.kind == Kind::Segwit).unwrap();
    let mut town = Town::new();
    town.mine(&last.script, &[]);
    town.sync(&mut wallet);
    wallet.new_address(Kind::Segwit).unwrap();
}
