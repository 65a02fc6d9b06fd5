//! What must hold of the rules of relay, for any transaction and any coins.

use yap_chain::coin::{Coin, codec};
use yap_chain::policy::output::Kind;
use yap_chain::policy::{self, NonStandard, Rules, dust, script};
use yap_chain::transaction::Transaction;

use super::Outcome;

/// Rules that forbid as little as can be.
const LENIENT: Rules =
    Rules { require_standard: false, datacarrier: None, bare_multisig: false, dust_rate: dust::RATE };

/// Any transaction can be judged, with any coins: the parts say what the whole says, and scripts are run within their
/// limits. The bytes: the length of the transaction (four bytes), the transaction, coins.
pub fn policy(data: &[u8]) -> Outcome {
    let Some((length, rest)) = data.split_first_chunk() else { return Outcome::Refused };
    let Some((transaction, mut rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
        return Outcome::Refused;
    };
    let Ok(transaction) = Transaction::parse(transaction.to_vec()) else { return Outcome::Refused };
    let mut spent: Vec<Coin> = Vec::new();
    while spent.len() < transaction.decoded().input.len()
        && let Ok(coin) = codec::decode(&mut rest)
    {
        spent.push(coin);
    }
    judge(&transaction, &spent);
    Outcome::Held
}

fn judge(transaction: &Transaction, spent: &[Coin]) {
    let rules = Rules::default();
    let decoded = transaction.decoded();
    let alone = policy::check_alone(transaction, &rules);
    let dusty = dust(transaction, rules.dust_rate).count();
    if alone.is_ok() {
        assert!(decoded.output.iter().all(|output| Kind::of(&output.script_pubkey).is_standard()));
        assert!(transaction.weight() <= policy::MAX_WEIGHT && transaction.base_size() >= policy::MIN_BASE_SIZE);
        assert!(dusty <= policy::MAX_DUST_OUTPUTS);
        assert_eq!(policy::check_alone(transaction, &LENIENT), Ok(()));
    }
    let whole = policy::check(transaction, spent, &rules);
    assert_eq!(whole, alone.and_then(|()| policy::check_spent(transaction, spent, &rules)));
    if let Err(error) = whole {
        assert!(!error.reason().is_empty());
    }
    let complete = spent.len() == decoded.input.len();
    assert_eq!(matches!(policy::check_spent(transaction, spent, &LENIENT), Err(NonStandard::Coins { .. })), !complete);
    let scripts = script::check_all(transaction, spent);
    for index in 0..decoded.input.len() {
        match scripts {
            Err((failed, error)) if failed == index => {
                assert_eq!(script::check(transaction, index, spent), Err(error));
                break;
            }
            _ => assert_eq!(script::check(transaction, index, spent), Ok(())),
        }
    }
}
