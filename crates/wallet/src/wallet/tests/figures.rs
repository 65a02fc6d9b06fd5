//! What questions cost in wallets with much history. Prints; run with `--ignored --nocapture`.

use std::time::Duration;

use super::town::*;
use crate::Kind;

#[test]
#[ignore = "measures"]
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn questions_stay_cheap_in_wallets_with_much_history() {
    for count in [1_000u32, 10_000] {
        let (mut wallet, mut town) = (wallet(1), Town::new());
        let scripts: Vec<_> = (0..100).map(|_| address(&mut wallet, Kind::Taproot)).collect();
        for number in 0..count {
            let script = scripts[usize::try_from(number % 100).unwrap()].clone();
            town.mine(&nobody(), &[gift(number, &[(script, 10_000 + u64::from(number))])]);
        }
        let clock = std::time::Instant::now;
        let start = clock();
        town.sync(&mut wallet);
        let follow = start.elapsed();
        let timed = |what: &mut dyn FnMut()| {
            let start = clock();
            what();
            start.elapsed()
        };
        let first = timed(&mut || assert!(wallet.balance().trusted.to_sat() > 0));
        let again = timed(&mut || assert!(wallet.balance().trusted.to_sat() > 0));
        let pay = timed(&mut || {
            let payment = wallet.pay(&[pay_nobody(500_000)], &usual()).unwrap();
            wallet.pending(&payment.transaction, NOW);
        });
        let history = timed(&mut || assert_eq!(wallet.newest(0, 10).len(), 10));
        let mut file = File::default();
        let write = timed(&mut || file.keep(&mut wallet));
        let open = timed(&mut || assert!(file.open().transactions() > 0));
        println!(
            "{count} transactions: follow {follow:?}, balance {first:?} then {again:?}, pay {pay:?}, newest {history:?}, \
             write {write:?} ({} bytes), open {open:?}",
            file.0.len()
        );
        assert!(pay < Duration::from_secs(5) && first < Duration::from_secs(1));
    }
}
