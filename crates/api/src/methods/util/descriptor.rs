//! Descriptors (BIP-0380 to BIP-0386): what they say, and the scripts that they stand for.

use std::str::FromStr;

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::key::TweakedPublicKey;
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{ScriptBuf, XOnlyPublicKey};
use miniscript::descriptor::checksum::desc_checksum;
use miniscript::{Descriptor, DescriptorPublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yap_chain::address;
use yap_chain::spec::Addresses;

use super::super::describe::with_checksum;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Scripts that one descriptor may be expanded to at a time.
const MOST: u32 = 100_000;

/// Scripts of a descriptor with a wildcard that are looked for if no range is said, as in Core.
const RANGE: u32 = 1000;

/// A script with its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) script: ScriptBuf,
    pub(crate) descriptor: String,
}

/// A descriptor.
#[derive(Debug)]
pub(crate) struct Parsed {
    shape: Shape,
    /// Whether it was given with a private key.
    private: bool,
}

#[derive(Debug)]
enum Shape {
    /// An address, and its text.
    Address(ScriptBuf, String),
    Raw(ScriptBuf),
    /// An output key of taproot, as it stands (BIP-0386).
    RawTr(Box<DescriptorPublicKey>),
    /// All simple scripts of a key (BIP-0384).
    Combo(Box<DescriptorPublicKey>),
    /// Everything that has a script of its own.
    Usual(Box<Descriptor<DescriptorPublicKey>>),
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(Code::NotFound, why)
}

impl Parsed {
    /// Reads a descriptor. Its checksum must hold; whether it must be there is for the caller to say.
    pub(crate) fn read(text: &str, addresses: &Addresses, checksum: bool) -> Result<Self, Error> {
        let body = match text.split_once('#') {
            None if checksum => return Err(refused("Missing checksum")),
            None => text,
            Some((body, given)) => {
                let right = desc_checksum(body).map_err(|error| refused(error.to_string()))?;
                if given != right {
                    let text = format!("Provided checksum '{given}' does not match computed checksum '{right}'");
                    return Err(refused(text));
                }
                body
            }
        };
        let secp = Secp256k1::new();
        let inner = |name: &str| body.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(text) = inner("addr") {
            let script = address::parse(text, addresses).map_err(|_| refused("Address is not valid"))?;
            return Ok(Self { shape: Shape::Address(script, text.to_owned()), private: false });
        }
        if let Some(text) = inner("raw") {
            let bytes = Vec::from_hex(text).map_err(|_| refused("Raw script is not hex"))?;
            return Ok(Self { shape: Shape::Raw(ScriptBuf::from(bytes)), private: false });
        }
        if let Some(text) = inner("rawtr") {
            let (key, private) = key(text, &secp)?;
            return Ok(Self { shape: Shape::RawTr(Box::new(key)), private });
        }
        if let Some(text) = inner("combo") {
            let (key, private) = key(text, &secp)?;
            return Ok(Self { shape: Shape::Combo(Box::new(key)), private });
        }
        let (descriptor, keys) =
            Descriptor::parse_descriptor(&secp, body).map_err(|error| refused(error.to_string()))?;
        if descriptor.is_multipath() {
            return Err(refused("Multipath descriptors are not taken: give one descriptor for each path"));
        }
        Ok(Self { shape: Shape::Usual(Box::new(descriptor)), private: !keys.is_empty() })
    }

    /// Whether it has a wildcard.
    pub(crate) fn is_range(&self) -> bool {
        match &self.shape {
            Shape::Address(..) | Shape::Raw(_) => false,
            Shape::RawTr(key) | Shape::Combo(key) => key.has_wildcard(),
            Shape::Usual(descriptor) => descriptor.has_wildcard(),
        }
    }

    /// Whether it says how to satisfy its script.
    fn is_solvable(&self) -> bool {
        match self.shape {
            Shape::Address(..) | Shape::Raw(_) => false,
            Shape::RawTr(_) | Shape::Combo(_) | Shape::Usual(_) => true,
        }
    }

    /// In its usual form, without private keys, with its checksum.
    fn canonical(&self) -> String {
        match &self.shape {
            Shape::Address(_, text) => with_checksum(&format!("addr({text})")),
            Shape::Raw(script) => with_checksum(&format!("raw({})", script.as_bytes().to_lower_hex_string())),
            Shape::RawTr(key) => with_checksum(&format!("rawtr({key})")),
            Shape::Combo(key) => with_checksum(&format!("combo({key})")),
            Shape::Usual(descriptor) => descriptor.to_string(),
        }
    }

    /// The scripts at an index, each with its own descriptor.
    pub(crate) fn at(&self, index: u32, secp: &Secp256k1<All>) -> Result<Vec<Expanded>, Error> {
        let usual = |descriptor: &Descriptor<DescriptorPublicKey>| {
            let definite = descriptor.at_derivation_index(index).map_err(|error| refused(error.to_string()))?;
            let script = definite
                .derived_descriptor(secp)
                .map_err(|_| refused("Cannot derive script without private keys"))?
                .script_pubkey();
            Ok(Expanded { script, descriptor: definite.to_string() })
        };
        match &self.shape {
            Shape::Address(script, _) | Shape::Raw(script) => {
                Ok(vec![Expanded { script: script.clone(), descriptor: self.canonical() }])
            }
            Shape::RawTr(key) => {
                let definite = key.clone().at_derivation_index(index).map_err(|error| refused(error.to_string()))?;
                let public = definite
                    .derive_public_key(secp)
                    .map_err(|_| refused("Cannot derive script without private keys"))?;
                let output = TweakedPublicKey::dangerous_assume_tweaked(XOnlyPublicKey::from(public.inner));
                let descriptor = with_checksum(&format!("rawtr({definite})"));
                Ok(vec![Expanded { script: ScriptBuf::new_p2tr_tweaked(output), descriptor }])
            }
            Shape::Combo(key) => {
                let key = key.as_ref();
                let all = [
                    Ok(Descriptor::new_pk(key.clone())),
                    Descriptor::new_pkh(key.clone()),
                    Descriptor::new_wpkh(key.clone()),
                    Descriptor::new_sh_wpkh(key.clone()),
                ];
                // Keys that are not compressed have no witness scripts.
                all.iter().flatten().map(usual).collect()
            }
            Shape::Usual(descriptor) => Ok(vec![usual(descriptor)?]),
        }
    }

    /// The scripts at each index of a range, both ends included.
    fn expanded(&self, (from, to): (u32, u32)) -> Result<Vec<Expanded>, Error> {
        let secp = Secp256k1::new();
        if to.saturating_sub(from) >= MOST {
            return Err(Error::new(Code::InvalidParameter, "Range is too large"));
        }
        let mut all = Vec::new();
        for index in from..=to {
            all.extend(self.at(index, &secp)?);
        }
        Ok(all)
    }
}

/// A key as descriptors have it, private keys made public.
fn key(text: &str, secp: &Secp256k1<All>) -> Result<(DescriptorPublicKey, bool), Error> {
    if let Ok(key) = DescriptorPublicKey::from_str(text) {
        return Ok((key, false));
    }
    let secret =
        miniscript::descriptor::DescriptorSecretKey::from_str(text).map_err(|error| refused(error.to_string()))?;
    let public = secret.to_public(secp).map_err(|error| refused(error.to_string()))?;
    Ok((public, true))
}

/// A range as a parameter has it: its end, or both ends. Core's `ParseDescriptorRange`.
fn range(value: &Value) -> Result<(u32, u32), Error> {
    let wrong = |text: &str| Error::new(Code::InvalidParameter, text);
    let (from, to) = match value.as_array().map(Vec::as_slice) {
        None => (Some(0), value.as_i64()),
        Some([from, to]) => (from.as_i64(), to.as_i64()),
        Some(_) => return Err(wrong("Range must have exactly two elements")),
    };
    let (from, to) = from.zip(to).ok_or_else(|| wrong("Range must be specified as end or as [begin,end]"))?;
    if from > to {
        return Err(wrong("Range specified as [begin,end] must not have begin after end"));
    }
    if from < 0 {
        return Err(wrong("Range should be greater or equal than 0"));
    }
    if to >> 31 != 0 {
        return Err(wrong("End of range is too high"));
    }
    match (u32::try_from(from), u32::try_from(to)) {
        (Ok(from), Ok(to)) if to.saturating_sub(from) < MOST => Ok((from, to)),
        _ => Err(wrong("Range is too large")),
    }
}

/// The scripts that an object of a scan stands for: a descriptor, or an object of `desc` and `range`.
pub(crate) fn scan_object(object: &Value, addresses: &Addresses) -> Result<Vec<Expanded>, Error> {
    let (text, wanted) = match object {
        Value::String(text) => (text.as_str(), None),
        Value::Object(fields) => {
            let missing = || Error::new(Code::InvalidParameter, "Descriptor needs to be provided in scan object");
            let text = fields.get("desc").and_then(Value::as_str).ok_or_else(missing)?;
            (text, fields.get("range").map(range).transpose()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            let text = "Scan object needs to be either a string or an object";
            return Err(Error::new(Code::InvalidParameter, text));
        }
    };
    let parsed = Parsed::read(text, addresses, false)?;
    let range = if parsed.is_range() { wanted.unwrap_or((0, RANGE)) } else { (0, 0) };
    parsed.expanded(range)
}

/// Tells what a descriptor says.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetDescriptorInfo {
    /// The descriptor, with or without its checksum.
    descriptor: String,
}

/// What a descriptor says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DescriptorInfo {
    /// In its usual form, without private keys.
    descriptor: String,
    /// The checksum of what was given.
    checksum: String,
    /// Whether it has a wildcard.
    isrange: bool,
    /// Whether it says how to satisfy its script.
    issolvable: bool,
    /// Whether it was given with a private key.
    hasprivatekeys: bool,
}

impl Method for GetDescriptorInfo {
    known_as!("getdescriptorinfo", Util, Open);
    type Reply = DescriptorInfo;

    async fn call(self, context: Context) -> Result<DescriptorInfo, Error> {
        let parsed = Parsed::read(&self.descriptor, &context.backend.spec().addresses, false)?;
        let body = self.descriptor.split_once('#').map_or(self.descriptor.as_str(), |(body, _)| body);
        Ok(DescriptorInfo {
            descriptor: parsed.canonical(),
            checksum: desc_checksum(body).map_err(|error| refused(error.to_string()))?,
            isrange: parsed.is_range(),
            issolvable: parsed.is_solvable(),
            hasprivatekeys: parsed.private,
        })
    }
}

/// Gives the addresses that a descriptor stands for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeriveAddresses {
    /// The descriptor, with its checksum.
    descriptor: String,
    /// For one with a wildcard: the last index, or the first and the last.
    range: Option<Value>,
}

impl Method for DeriveAddresses {
    known_as!("deriveaddresses", Util, Open);
    const LARGE: bool = true;
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        let spec = std::sync::Arc::clone(context.backend.spec());
        super::super::types::aside(move || {
            let parsed = Parsed::read(&self.descriptor, &spec.addresses, true)?;
            let wrong = |text: &str| Error::new(Code::InvalidParameter, text);
            let range = match (self.range, parsed.is_range()) {
                (None, false) => (0, 0),
                (Some(wanted), true) => range(&wanted)?,
                (Some(_), false) => return Err(wrong("Range should not be specified for an un-ranged descriptor")),
                (None, true) => return Err(wrong("Range must be specified for a ranged descriptor")),
            };
            let none = || refused("Descriptor does not have a corresponding address");
            // A public key in an output has no address: of several scripts of a key, it is passed over, as in Core.
            let several = matches!(parsed.shape, Shape::Combo(_));
            let scripts = parsed.expanded(range)?.into_iter().map(|expanded| expanded.script);
            let addressed = scripts.filter(|script| !(several && script.is_p2pk()));
            addressed.map(|script| address::encode(&script, &spec.addresses).ok_or_else(none)).collect()
        })
        .await
    }
}
