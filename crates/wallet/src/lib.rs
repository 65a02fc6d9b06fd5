//! The wallet: one user's keys, coins and payments.

/// One user's keys, coins and payments.
#[derive(Debug)]
pub struct Wallet;
