//! Addresses, descriptors, fees, signed messages.

use crate::method::Methods;

/// Adds the methods.
pub(super) const fn add(methods: Methods) -> Methods {
    methods
}
