//! Blocks, the chain, and its coins.

use crate::method::Methods;

/// Adds the methods.
pub(super) const fn add(methods: Methods) -> Methods {
    methods
}
