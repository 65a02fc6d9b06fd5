//! Transactions as bytes, and PSBT (BIP-0174).

use crate::method::Methods;

/// Adds the methods.
pub(super) const fn add(methods: Methods) -> Methods {
    methods
}
