//! Block templates (BIP-0022, BIP-0023), submission, blocks on demand.

use crate::method::Methods;

/// Adds the methods.
pub(super) const fn add(methods: Methods) -> Methods {
    methods
}
