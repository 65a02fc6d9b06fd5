//! Peers that nobody need tell us of: nodes of this host, and names that the user gave.
//!
//! | module | owns |
//! |---|---|
//! | `registry` | a folder in which the nodes of this host note where they listen |
//! | `names` | DNS names of the user, resolved again and again |
//!
//! Not its job: mDNS and the DHT, which are libp2p's, and what becomes of the addresses.

pub(crate) mod names;
pub(crate) mod registry;

pub use registry::default_directory as default_registry;
