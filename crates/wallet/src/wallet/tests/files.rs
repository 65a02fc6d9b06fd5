use bitcoin::Amount;

use super::town::*;
use crate::{BackupError, Changes, Key, Kind, LabelError, MAX_LABEL, OpenError, Opener, Wallet};

fn open(bytes: &[u8], opener: Opener<'_>) -> Result<(Wallet, usize), OpenError> {
    Wallet::open(&spec(), bytes, opener, entropy(5), NOW).map(|opened| (opened.wallet, opened.whole))
}

/// A wallet with a bit of everything, and its file, which was written in parts; also where the parts end.
fn lived() -> (Wallet, File, Vec<usize>, Town) {
    let (mut wallet, mut town) = (wallet(1), Town::new());
    let (mut file, mut ends) = (File::default(), Vec::new());
    let mut keep = |wallet: &mut Wallet| {
        file.keep(wallet);
        ends.push(file.0.len());
    };
    keep(&mut wallet);
    let script = address(&mut wallet, Kind::Taproot);
    wallet.set_label(&script, "Bäckerei").unwrap();
    keep(&mut wallet);
    town.mine(&nobody(), &[gift(1, &[(script, 100_000)])]);
    town.mine_empty(3);
    town.sync(&mut wallet);
    keep(&mut wallet);
    let payment = wallet.pay(&[pay_nobody(10_000)], &usual()).unwrap();
    keep(&mut wallet);
    town.mine(&nobody(), &[payment.transaction]);
    town.sync(&mut wallet);
    let coin = wallet.unspent()[0].outpoint;
    wallet.lock_coin(coin, true);
    wallet.mark_saved();
    keep(&mut wallet);
    (wallet, file, ends, town)
}

fn assert_same(a: &mut Wallet, b: &mut Wallet) {
    assert_eq!(a.tip(), b.tip());
    assert_eq!(a.balance(), b.balance());
    assert_eq!(a.unspent(), b.unspent());
    assert_eq!(a.history(), b.history());
    assert_eq!(a.addresses(), b.addresses());
    assert_eq!(a.labels().collect::<Vec<_>>(), b.labels().collect::<Vec<_>>());
    assert_eq!(a.locked_coins(), b.locked_coins());
    assert_eq!(a.is_saved(), b.is_saved());
    assert_eq!(a.birthday(), b.birthday());
    assert_eq!(a.checkpoints().collect::<Vec<_>>(), b.checkpoints().collect::<Vec<_>>());
}

#[test]
fn restart_is_the_same_as_going_on() {
    let (mut wallet, file, ..) = lived();
    let mut again = file.open();
    assert_same(&mut wallet, &mut again);
    assert_eq!(again.words(), wallet.words());
    let next = |wallet: &mut Wallet| wallet.new_address(Kind::Taproot).unwrap().address;
    assert_eq!(next(&mut again), next(&mut wallet));
}

#[test]
fn reorganisation_survives_a_restart() {
    let (mut wallet, mut file, _, mut town) = lived();
    town.rewind(2);
    town.mine_empty(5);
    town.sync(&mut wallet);
    file.keep(&mut wallet);
    town.rewind(4);
    town.mine_empty(5);
    town.sync(&mut wallet);
    file.keep(&mut wallet);
    assert_same(&mut wallet, &mut file.open());
    assert!(wallet.history().iter().any(|entry| entry.status == crate::Status::Dropped));
}

#[test]
fn file_that_ends_anywhere_opens_as_of_its_last_whole_record() {
    let (_, file, ends, _) = lived();
    let first = ends[0];
    for length in first..file.0.len() {
        let (_, whole) = open(&file.0[..length], Opener::KeyFile(&key_file())).unwrap();
        assert!(whole <= length && whole >= *ends.iter().rfind(|end| **end <= length).unwrap(), "{length}: {whole}");
    }
    // The file had become longer, but its bytes were not there yet.
    for (written, end) in [(ends[2], ends[3]), (ends[2] + 4, ends[3]), (ends[2] + 20, ends[3])] {
        let mut torn = file.0[..written].to_vec();
        torn.resize(end, 0);
        let (_, whole) = open(&torn, Opener::KeyFile(&key_file())).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(whole, ends[2]);
    }
}

#[test]
fn damage_in_the_middle_is_told_wherever_it_is() {
    let (_, file, ends, _) = lived();
    for place in (0..ends[3]).step_by(7) {
        let mut damaged = file.0.clone();
        damaged[place] ^= 0x10;
        assert!(open(&damaged, Opener::KeyFile(&key_file())).is_err(), "byte {place} was not missed");
    }
}

#[test]
fn records_can_t_be_moved_or_left_out() {
    let (_, file, ends, _) = lived();
    let part = |from: usize, to: usize| &file.0[ends[from]..ends[to]];
    let without = [&file.0[..ends[1]], part(2, 3), part(3, 4)].concat();
    assert!(matches!(open(&without, Opener::KeyFile(&key_file())), Err(OpenError::Damaged { .. })));
    let twice = [&file.0[..ends[2]], part(1, 2), part(2, 3)].concat();
    assert!(matches!(open(&twice, Opener::KeyFile(&key_file())), Err(OpenError::Damaged { .. })));
}

#[test]
fn file_is_opened_by_its_key_on_its_chain_alone() {
    let (_, file, ..) = lived();
    let other = Key::new([8; 32]);
    assert_eq!(open(&file.0, Opener::KeyFile(&other)).unwrap_err(), OpenError::WrongKeyFile);
    assert_eq!(open(&file.0, Opener::Passphrase("x")).unwrap_err(), OpenError::NoPassphrase);
    assert_eq!(open(b"something", Opener::KeyFile(&other)).unwrap_err(), OpenError::NotAWallet);
    assert_eq!(open(b"yap-wallet 2\n...", Opener::KeyFile(&other)).unwrap_err(), OpenError::Version("2".into()));
    let regtest = std::sync::Arc::new(yap_chain::spec::Spec::regtest());
    let opened = Wallet::open(&regtest, &file.0, Opener::KeyFile(&key_file()), entropy(1), NOW);
    assert!(matches!(opened.unwrap_err(), OpenError::OtherChain { .. }));
}

#[test]
fn nothing_secret_is_readable_in_the_file() {
    let (wallet, file, ..) = lived();
    let words = wallet.words().unwrap().phrase();
    let text = String::from_utf8_lossy(&file.0);
    assert!(!text.contains("Bäckerei") && !text.contains("tpub") && !text.contains(words.as_str()));
    assert!(words.split(' ').all(|word| word.len() < 5 || !text.contains(word)));
}

#[test]
fn passphrase_replaces_the_whole_file_and_hides_the_words_from_the_key() {
    let (mut wallet, mut file, ..) = lived();
    wallet.protect("secret").unwrap();
    let Some(Changes::Replace(bytes)) = wallet.take_changes() else { panic!("the old file would open without it") };
    file.0 = bytes;
    let (mut again, _) = open(&file.0, Opener::KeyFile(&key_file())).unwrap();
    assert!(again.is_locked());
    assert_same(&mut again, &mut wallet);
    again.unlock("secret", NOW + 1).unwrap();
    wallet.unlock("secret", NOW + 1).unwrap();
    assert_eq!(again.words(), wallet.words());
    assert_eq!(open(&file.0, Opener::Passphrase("wrong")).unwrap_err(), OpenError::WrongPassphrase);
    // It goes on growing.
    address(&mut again, Kind::Legacy);
    file.keep(&mut again);
    assert_same(&mut again, &mut file.open());
}

#[test]
fn backup_without_a_passphrase_opens_by_itself() {
    let (mut wallet, mut file, _, mut town) = lived();
    let backup = wallet.backup();
    // What it had, it goes on with.
    let later = (0..300).map(|_| address(&mut wallet, Kind::Taproot)).last().unwrap();
    file.keep(&mut wallet);
    assert_same(&mut wallet, &mut file.open());
    // The machine is lost; somebody paid an address that the backup does not know.
    town.mine(&nobody(), &[gift(77, &[(later, 5_000)])]);
    let new_key = Key::new([9; 32]);
    let mut back = Wallet::from_backup(&spec(), &backup, None, &new_key, (entropy(6), NOW)).unwrap();
    town.sync(&mut back);
    town.sync(&mut wallet);
    assert_eq!(back.balance(), wallet.balance());
    assert_eq!(back.words(), wallet.words());
    // Its new file opens with the new key.
    let mut file = File::default();
    file.keep(&mut back);
    let (mut again, _) = open(&file.0, Opener::KeyFile(&new_key)).unwrap();
    assert_eq!(again.balance(), wallet.balance());
    assert_eq!(again.words(), wallet.words());
}

#[test]
fn backup_with_a_passphrase_opens_with_it() {
    let (mut wallet, ..) = lived();
    wallet.protect("secret").unwrap();
    let backup = wallet.backup();
    let new_key = Key::new([9; 32]);
    let restore = |passphrase| Wallet::from_backup(&spec(), &backup, passphrase, &new_key, (entropy(6), NOW));
    assert_eq!(restore(None).unwrap_err(), BackupError::PassphraseNeeded);
    assert_eq!(restore(Some("wrong")).unwrap_err(), BackupError::Open(OpenError::WrongPassphrase));
    let mut back = restore(Some("secret")).unwrap();
    assert!(back.is_locked() && back.is_protected());
    assert_eq!(back.balance(), wallet.balance());
    let mut file = File::default();
    file.keep(&mut back);
    let (mut again, _) = open(&file.0, Opener::KeyFile(&new_key)).unwrap();
    again.unlock("secret", NOW + 1).unwrap();
    assert_eq!(
        Wallet::from_backup(&spec(), b"text", None, &new_key, (entropy(6), NOW)).unwrap_err(),
        BackupError::NotABackup
    );
}

#[test]
fn file_does_not_grow_for_ever() {
    let (mut wallet, mut file, ..) = lived();
    let script = address(&mut wallet, Kind::Taproot);
    let mut longest = 0;
    for number in 0..30_000 {
        wallet.set_label(&script, &format!("{number} {}", "x".repeat(200))).unwrap();
        file.keep(&mut wallet);
        longest = longest.max(file.0.len());
    }
    assert!(longest < 3 << 20, "{longest}");
    assert_same(&mut wallet, &mut file.open());
}

#[test]
fn labels_have_a_bound() {
    let mut wallet = wallet(1);
    assert_eq!(wallet.set_label(&nobody(), &"x".repeat(MAX_LABEL)), Ok(()));
    let long = wallet.set_label(&nobody(), &"x".repeat(MAX_LABEL + 1));
    assert_eq!(long, Err(LabelError::TooLong(MAX_LABEL + 1)));
    wallet.set_label(&nobody(), "").unwrap();
    assert_eq!(wallet.label(&nobody()), None);
}

#[test]
fn blocks_without_payments_are_written_by_the_hundred() {
    let (mut wallet, mut file, _, mut town) = lived();
    town.mine_empty(99);
    town.sync(&mut wallet);
    assert_eq!(wallet.take_changes(), None);
    town.mine_empty(1);
    town.sync(&mut wallet);
    let Some(Changes::Append(bytes)) = wallet.take_changes() else { panic!("not written") };
    file.0.extend(bytes);
    let mut again = file.open();
    assert_same(&mut wallet, &mut again);
    assert!(again.balance().trusted > Amount::ZERO);
}
