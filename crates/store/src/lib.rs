//! Block and undo files, index, UTXO set, filters.

pub mod framing;

#[cfg(test)]
mod testing;
