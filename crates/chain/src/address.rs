//! Addresses: what a payment goes to, as people read and type it.
//!
//! Owns both directions between an output script and its text: Base58Check for P2PKH and P2SH, Bech32 for witness
//! version 0 (BIP-0173), Bech32m for the later ones (BIP-0350), each in the chain's own letters ([`Addresses`]).
//! Payment requests (BIP-0021), which have an address in them, are [`uri`]'s.
//!
//! Invariant: what [`encode`] gives, [`parse`] takes back to the same script, on the same chain only.

pub mod uri;

#[cfg(test)]
mod tests;

use bitcoin::bech32::primitives::decode::{CharError, UncheckedHrpstringError};
use bitcoin::bech32::primitives::decode::{CheckedHrpstring, CheckedHrpstringError, UncheckedHrpstring};
use bitcoin::bech32::{Bech32, Bech32m, Fe32, Hrp, segwit};
use bitcoin::hashes::Hash;
use bitcoin::script::PushBytesBuf;
use bitcoin::{PubkeyHash, Script, ScriptBuf, ScriptHash, WitnessVersion, base58};

use crate::spec::Addresses;

/// Longest address, in characters (BIP-0173).
pub const MAX_LENGTH: usize = 90;

/// The letters of Base58.
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Human-readable parts of Bitcoin's networks.
const BITCOINS_HRPS: [(&str, &str); 3] =
    [("bc", "bitcoin"), ("tb", "Bitcoin's testnet or signet"), ("bcrt", "regtest or local")];

/// Base58 versions of Bitcoin's networks.
const BITCOINS_VERSIONS: [(u8, &str); 4] =
    [(0, "bitcoin"), (5, "bitcoin"), (111, "one of Bitcoin's test networks"), (196, "one of Bitcoin's test networks")];

/// Why text is not an address of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing.
    #[error("no address was given")]
    Empty,
    /// It is longer than [`MAX_LENGTH`].
    #[error("not an address: {0} characters are more than the {MAX_LENGTH} that one may have")]
    TooLong(usize),
    /// A character that no address has in that place.
    #[error("not an address: the character '{found}' can't stand at place {}", at.saturating_add(1))]
    Character {
        /// Where, in characters from 0.
        at: usize,
        /// Which.
        found: char,
    },
    /// There is nothing between its prefix and its checksum.
    #[error("not an address: nothing stands between its prefix and its checksum")]
    NoData,
    /// Upper and lower case (BIP-0173 forbids it).
    #[error("not an address: upper and lower case are mixed")]
    MixedCase,
    /// The checksum does not hold.
    #[error("not a valid address: its checksum does not hold. A character is probably wrong or missing")]
    Checksum,
    /// Version 0 with the checksum of later versions, or the other way round (BIP-0350).
    #[error("not a valid address: its checksum is not the kind that witness version {version} has (BIP-0350)")]
    ChecksumKind {
        /// The witness version.
        version: u8,
    },
    /// It is an address, of another chain.
    #[error("this is an address of another chain: {network}")]
    OtherNetwork {
        /// Which, in words.
        network: String,
    },
    /// Base58Check of something else: neither a key hash nor a script hash.
    #[error("not an address: Base58 data of {0} bytes, where an address has 21")]
    Length(usize),
    /// A witness version above 16.
    #[error("not an address: there is no witness version {0}")]
    WitnessVersion(u8),
    /// A witness program of a length that its version does not allow (BIP-0141).
    #[error("not an address: a witness program of version {version} can't have {length} bytes")]
    WitnessLength {
        /// The witness version.
        version: u8,
        /// Bytes of the program.
        length: usize,
    },
    /// Bits that fill the last character and are not zero, or are too many (BIP-0173).
    #[error("not a valid address: its last character carries bits that must be zero")]
    Padding,
}

/// The address of an output script; `None` for scripts that have none: those that are not P2PKH, P2SH or a witness
/// program (P2PK, bare multisig, `OP_RETURN`).
#[must_use]
pub fn encode(script: &Script, addresses: &Addresses) -> Option<String> {
    let bytes = script.as_bytes();
    if let Some(version) = script.witness_version() {
        let hrp = Hrp::parse(&addresses.hrp).ok()?;
        // The version's opcode and the length stand before the program.
        let program = bytes.get(2..)?;
        let version = Fe32::try_from(version.to_num()).ok()?;
        let text = segwit::encode(hrp, version, program).ok()?;
        return (text.len() <= MAX_LENGTH).then_some(text);
    }
    let (version, hash) = if script.is_p2pkh() {
        (addresses.p2pkh, bytes.get(3..23)?)
    } else if script.is_p2sh() {
        (addresses.p2sh, bytes.get(2..22)?)
    } else {
        return None;
    };
    Some(base58::encode_check(&[&[version], hash].concat()))
}

/// The output script of an address of this chain.
///
/// # Errors
/// [`Error`], which tells a mistyped address from one of another chain.
pub fn parse(text: &str, addresses: &Addresses) -> Result<ScriptBuf, Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(Error::TooLong(length));
    }
    if let Some((at, found)) = text.chars().enumerate().find(|(_, found)| !found.is_ascii_graphic()) {
        return Err(Error::Character { at, found });
    }
    // The last 1 parts the human-readable part from data, in which there is none.
    let prefix = text.rsplit_once('1').map(|(prefix, _)| prefix.to_ascii_lowercase());
    let segwit = prefix
        .as_ref()
        .is_some_and(|prefix| *prefix == addresses.hrp || BITCOINS_HRPS.iter().any(|(hrp, _)| hrp == prefix));
    // Any other prefix is another chain's if the checksum holds; else it is no prefix.
    if segwit || CheckedHrpstring::new::<Bech32m>(text).is_ok() || CheckedHrpstring::new::<Bech32>(text).is_ok() {
        return parse_segwit(text, addresses);
    }
    parse_base58(text, addresses)
}

/// Whether the script is one that [`encode`] writes and [`parse`] reads.
#[must_use]
pub fn has_one(script: &Script) -> bool {
    script.is_p2pkh() || script.is_p2sh() || script.is_witness_program()
}

fn parse_segwit(text: &str, addresses: &Addresses) -> Result<ScriptBuf, Error> {
    let unchecked = UncheckedHrpstring::new(text).map_err(|error| not_bech32(text, &error))?;
    let later = match CheckedHrpstring::new::<Bech32m>(text) {
        Ok(_) => true,
        Err(_) => match CheckedHrpstring::new::<Bech32>(text) {
            Ok(_) => false,
            Err(CheckedHrpstringError::Parse(error)) => return Err(not_bech32(text, &error)),
            // The foreign enum may grow; what is left is the checksum.
            Err(_) => return Err(Error::Checksum),
        },
    };
    let hrp = unchecked.hrp().to_lowercase();
    if hrp != addresses.hrp {
        let known = BITCOINS_HRPS.iter().find(|(known, _)| *known == hrp);
        let network = known.map_or_else(|| format!("its addresses begin with {hrp}1"), |(_, name)| (*name).to_owned());
        return Err(Error::OtherNetwork { network });
    }
    // The first of the characters before the six of the checksum.
    let data = unchecked.data_part_ascii();
    let version = data.first().filter(|_| data.len() > 6).ok_or(Error::NoData)?;
    let version = Fe32::from_char(char::from(*version)).map_err(|_| Error::NoData)?.to_u8();
    if version > 16 {
        return Err(Error::WitnessVersion(version));
    }
    // BIP-0350: version 0 MUST have Bech32's checksum, all others Bech32m's.
    if later != (version != 0) {
        return Err(Error::ChecksumKind { version });
    }
    let mut checked =
        if later { unchecked.remove_checksum::<Bech32m>() } else { unchecked.remove_checksum::<Bech32>() };
    checked.remove_witness_version();
    checked.validate_segwit_padding().map_err(|_| Error::Padding)?;
    let program: Vec<u8> = checked.byte_iter().collect();
    let length = program.len();
    // BIP-0141: 2 to 40 bytes, of version 0 20 or 32.
    let allowed = (2..=40).contains(&length) && (version != 0 || matches!(length, 20 | 32));
    let wrong = Error::WitnessLength { version, length };
    let program = PushBytesBuf::try_from(program).ok().filter(|_| allowed).ok_or(wrong)?;
    let version = WitnessVersion::try_from(version).map_err(|_| Error::WitnessVersion(version))?;
    Ok(bitcoin::script::Builder::new().push_opcode(version.into()).push_slice(program).into_script())
}

fn not_bech32(text: &str, error: &UncheckedHrpstringError) -> Error {
    if let UncheckedHrpstringError::Char(CharError::InvalidChar(found)) = error {
        // The data, behind the last 1, is where it is wrong: the human-readable part takes any character.
        let from = text.rfind('1').unwrap_or(0);
        let place = text.get(from..).and_then(|data| data.find(*found));
        return Error::Character { at: place.map_or(0, |place| place.saturating_add(from)), found: *found };
    }
    let mixed = text.chars().any(|c| c.is_ascii_lowercase()) && text.chars().any(|c| c.is_ascii_uppercase());
    // Else nothing stands behind the separator: what there is can't hold a checksum.
    if mixed { Error::MixedCase } else { Error::Checksum }
}

fn parse_base58(text: &str, addresses: &Addresses) -> Result<ScriptBuf, Error> {
    if let Some((at, found)) = text.chars().enumerate().find(|(_, found)| !BASE58.contains(*found)) {
        return Err(Error::Character { at, found });
    }
    let data = base58::decode_check(text).map_err(|_| Error::Checksum)?;
    let (version, hash) = data.split_first().ok_or(Error::Length(0))?;
    let hash: [u8; 20] = hash.try_into().map_err(|_| Error::Length(data.len()))?;
    if *version == addresses.p2pkh {
        return Ok(ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(hash)));
    }
    if *version == addresses.p2sh {
        return Ok(ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(hash)));
    }
    let known = BITCOINS_VERSIONS.iter().find(|(known, _)| known == version);
    let network = known.map_or_else(|| format!("its addresses have version {version}"), |(_, name)| (*name).to_owned());
    Err(Error::OtherNetwork { network })
}
