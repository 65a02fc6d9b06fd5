//! Why bytes are not a message, and what that costs.

use crate::penalty::Penalty;

/// Why bytes are not a message. The name of a message that we don't know is told by its bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message starts with other bytes than the chain's magic.
    #[error("a message starts with {found:02x?}, not {expected:02x?}")]
    Magic {
        /// The chain's.
        expected: [u8; 4],
        /// The peer's.
        found: [u8; 4],
    },
    /// A message's name is not printable ASCII with zeros behind it.
    #[error("a message's name is {0:02x?}")]
    Name([u8; 12]),
    /// The length of a frame takes more bytes than it needs, or more than four.
    #[error("a frame's length is written as {0:02x?}")]
    FrameLength([u8; 4]),
    /// A frame is too short for the type of its message.
    #[error("a frame of {0} bytes has no room for its type")]
    FrameSize(u32),
    /// A payload is longer than its kind allows.
    #[error("{name} of {size} bytes, more than {limit}")]
    TooLong {
        /// The message's name.
        name: Box<str>,
        /// Bytes of the payload, as the peer says.
        size: u32,
        /// Most bytes of this kind.
        limit: usize,
    },
    /// The checksum is another payload's.
    #[error("{name} has the checksum {found:02x?}, its payload {expected:02x?}")]
    Checksum {
        /// The message's name.
        name: Box<str>,
        /// That of the payload.
        expected: [u8; 4],
        /// What the peer says.
        found: [u8; 4],
    },
    /// The payload ends inside a field, or a count says more than its bytes can hold.
    #[error("{0} ends too early")]
    Truncated(&'static str),
    /// A compact size that a shorter form would hold.
    #[error("{name} has a compact size of {value} that is not in its shortest form")]
    NotMinimal {
        /// The message's name.
        name: &'static str,
        /// The number.
        value: u64,
    },
    /// A list has more items than allowed, or a field more bytes.
    #[error("{name} has {count} of {what}, more than {limit}")]
    TooMany {
        /// The message's name.
        name: &'static str,
        /// What there are too many of.
        what: &'static str,
        /// How many, as the peer says.
        count: u64,
        /// Most of them.
        limit: usize,
    },
    /// An address has another size than its network's (BIP-0155).
    #[error("an address of network {network} has {size} bytes")]
    AddressSize {
        /// The network's number.
        network: u8,
        /// Bytes of the address.
        size: usize,
    },
    /// A place in a block is beyond what a block can have, or a compact block leaves a place open (BIP-0152).
    #[error("{name} has the place {place}, more than {last}")]
    Place {
        /// The message's name.
        name: &'static str,
        /// The place.
        place: u64,
        /// The last place possible.
        last: usize,
    },
    /// A transaction can't be read.
    #[error("{name} has no transaction at byte {offset} of its payload")]
    Transaction {
        /// The message's name.
        name: &'static str,
        /// Where it starts.
        offset: usize,
    },
    /// A block can't be read.
    #[error("the block can't be read from byte {offset} on")]
    Block {
        /// Where the part starts that could not be read.
        offset: usize,
    },
    /// The endpoint of a peer record has no bytes.
    #[error("a peer record has an empty endpoint")]
    EmptyEndpoint,
    /// A payload of items of one size is no multiple of it.
    #[error("{name} of {size} bytes is no list of {item} bytes each")]
    Uneven {
        /// The message's name.
        name: &'static str,
        /// Bytes of the payload.
        size: usize,
        /// Bytes of an item.
        item: usize,
    },
}

impl Error {
    /// What the peer pays for it. All end the connection, since what follows can't be told apart; a list beyond its limit
    /// is nothing that a broken line or an old version makes.
    #[must_use]
    pub const fn penalty(&self) -> Penalty {
        match self {
            Self::TooMany { .. } | Self::Place { .. } => Penalty::Ban,
            Self::Magic { .. }
            | Self::Name(_)
            | Self::FrameLength(_)
            | Self::FrameSize(_)
            | Self::TooLong { .. }
            | Self::Checksum { .. }
            | Self::Truncated(_)
            | Self::NotMinimal { .. }
            | Self::AddressSize { .. }
            | Self::Transaction { .. }
            | Self::Block { .. }
            | Self::EmptyEndpoint
            | Self::Uneven { .. } => Penalty::Disconnect,
        }
    }
}
