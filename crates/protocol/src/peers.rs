//! The peers that are known, wanted and connected.

/// A change to keep across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {}
