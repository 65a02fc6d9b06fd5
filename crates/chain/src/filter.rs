//! Compact block filters (BIP-0158).
