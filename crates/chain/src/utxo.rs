//! Hashes and totals of a whole UTXO set.
