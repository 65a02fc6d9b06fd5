//! Messages that Bitcoin lacks (`docs/protocol.md`).

use bitcoin::hashes::{Hash, siphash24};
use bitcoin::{BlockHash, Work, Wtxid};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::address::{Identity, MAX_MULTIADDR, Multiaddr};
use crate::codec::signed_bytes;
use crate::penalty::Reason;

use super::version::Services;

/// Which extensions a peer knows, as bits. Bits that we don't know are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Features(pub u64);

impl Features {
    /// None.
    pub const NONE: Self = Self(0);
    /// `yapgoodbye`.
    pub const GOODBYE: Self = Self(1);
    /// `yaprecord`.
    pub const PEER_RECORDS: Self = Self(1 << 1);
    /// `yapfinal`.
    pub const IRREVERSIBLE: Self = Self(1 << 2);
    /// `yaptxinv`, `yapgettx`, `yapnotx`, `yappush`, `yappool`: transactions by short id.
    pub const SHORT_IDS: Self = Self(1 << 3);
    /// Everything that we know.
    pub const ALL: Self = Self(0b1111);

    /// Both these and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// `yapgreeting`, before `verack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Which extensions the sender knows.
    pub features: Features,
    /// The genesis block of the sender's chain.
    pub genesis: BlockHash,
    /// The sender's newest block, for a comparison of chains before anything is asked.
    pub tip: BlockHash,
    /// The work of the sender's chain, big-endian. A claim: nothing is trusted because of it.
    pub work: [u8; 32],
    /// The sender's newest irreversible block, if it knows one (E5).
    pub irreversible: Option<Irreversible>,
    /// The key with which transactions are announced to the sender: their short ids are the SipHash-2-4 of the `wtxid`
    /// under it.
    pub short_id_key: [u64; 2],
    /// Whether the receiver may send small transactions at once, without announcing them (E2).
    pub push: bool,
}

impl Greeting {
    /// The work of the sender's chain, as it claims.
    #[must_use]
    pub fn work(&self) -> Work {
        Work::from_be_bytes(self.work)
    }
}

/// A transaction, as it is announced by short id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Announced(pub u64);

impl Announced {
    /// The short id of a transaction for the peer whose greeting has this key.
    #[must_use]
    pub fn of(wtxid: &Wtxid, short_id_key: [u64; 2]) -> Self {
        let [k0, k1] = short_id_key;
        Self(siphash24::Hash::hash_to_u64_with_keys(k0, k1, wtxid.as_byte_array()))
    }
}

/// Most sums of one [`PoolSummary`].
pub const MAX_POOL_SUMS: usize = 256;

/// `yappool`: what a mempool adds up to. Two mempools with the same sums are the same, unless somebody took great pains,
/// who then has kept two peers from telling each other what they will learn elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSummary {
    /// Transactions in it.
    pub count: u32,
    /// A power of two of sums, at most [`MAX_POOL_SUMS`]. Each transaction counts in the one that the first 8 bytes of
    /// its `wtxid` (as a little-endian number, modulo how many sums there are) say, with the 8 bytes that follow
    /// (little-endian, modulo 2^64).
    pub sums: Vec<u64>,
}

/// Most bytes of a goodbye's text.
pub const MAX_GOODBYE_TEXT: usize = 128;

/// `yapgoodbye`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// Why, as a number; `Err` for one that we don't know.
    pub reason: Result<Reason, u8>,
    /// Why, in words; at most [`MAX_GOODBYE_TEXT`] bytes.
    pub text: Box<str>,
}

/// `yapfinal`: a block that more than two thirds of the producers have built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Irreversible {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// Most endpoints in one record.
pub const MAX_ENDPOINTS: usize = 16;

/// Most records in one message.
pub const MAX_PEER_RECORDS: usize = 100;

/// What a peer says of itself, signed with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Who says it.
    pub identity: Identity,
    /// A later record has a greater number: seconds since 1970 when it was made.
    pub sequence: u64,
    /// What the peer offers.
    pub services: Services,
    /// Where it is reached; at most [`MAX_ENDPOINTS`].
    pub endpoints: Vec<Multiaddr>,
    /// ed25519 over the rest, as docs/protocol.md says.
    pub signature: [u8; 64],
}

/// What a record's signature signs before the record itself, so that no signature of another use of the key passes for
/// one. No chain is named: a peer that keeps several chains says where it is once.
const PEER_RECORD_DOMAIN: &[u8] = b"yap peer record";

/// Why a record is not its peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The identity is no ed25519 key.
    #[error("{0:?} is no ed25519 key")]
    Key(Identity),
    /// The signature is not that of the identity over the record.
    #[error("the signature is not that of {0:?}")]
    Signature(Identity),
    /// There are more than [`MAX_ENDPOINTS`].
    #[error("{0} endpoints")]
    Endpoints(usize),
}

impl PeerRecord {
    /// Most bytes of a record on the wire.
    pub const MAX_SIZE: usize = 32 + 8 + 8 + 1 + MAX_ENDPOINTS * (3 + MAX_MULTIADDR) + 64;

    /// A record of the peer that has this key. `sequence` is the time in seconds since 1970, or more than in the last
    /// record, whichever is greater.
    ///
    /// # Errors
    /// If there are too many endpoints.
    pub fn sign(
        key: &SigningKey,
        sequence: u64,
        services: Services,
        endpoints: Vec<Multiaddr>,
    ) -> Result<Self, RecordError> {
        if endpoints.len() > MAX_ENDPOINTS {
            return Err(RecordError::Endpoints(endpoints.len()));
        }
        let identity = Identity(key.verifying_key().to_bytes());
        let mut record = Self { identity, sequence, services, endpoints, signature: [0; 64] };
        record.signature = key.sign(&signed_bytes(&record, PEER_RECORD_DOMAIN)).to_bytes();
        Ok(record)
    }

    /// Checks that the peer itself says this. Takes some 50 µs.
    ///
    /// # Errors
    /// If it does not, or the record is one that could not be sent.
    pub fn verify(&self) -> Result<(), RecordError> {
        if self.endpoints.len() > MAX_ENDPOINTS {
            return Err(RecordError::Endpoints(self.endpoints.len()));
        }
        let key = VerifyingKey::from_bytes(&self.identity.0).map_err(|_| RecordError::Key(self.identity))?;
        let signature = Signature::from_bytes(&self.signature);
        // Strict, so that all peers give one verdict and a key of small order, under which anything is signed, is none.
        key.verify_strict(&signed_bytes(self, PEER_RECORD_DOMAIN), &signature)
            .map_err(|_| RecordError::Signature(self.identity))
    }
}
