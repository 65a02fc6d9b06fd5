//! Descriptors that stand for a script of which nothing else is known (BIP-0380, BIP-0385).

use bitcoin::hex::DisplayHex;
use bitcoin::script::Instruction;
use bitcoin::{PublicKey, Script, XOnlyPublicKey};
use miniscript::descriptor::checksum::desc_checksum;
use yap_chain::address;
use yap_chain::policy::output::Kind;
use yap_chain::spec::Addresses;

/// A descriptor with its checksum.
pub(crate) fn with_checksum(descriptor: &str) -> String {
    // It fails for characters that no descriptor has, and those of keys, addresses and hexadecimal digits it has.
    desc_checksum(descriptor).map_or_else(|_| descriptor.to_owned(), |checksum| format!("{descriptor}#{checksum}"))
}

/// The descriptor of a script, as Core's `InferDescriptor` gives it where no key is known.
pub(crate) fn inferred(script: &Script, addresses: &Addresses) -> String {
    let keyed = match Kind::of(script) {
        Kind::P2pk => keys(script).first().map(|key| format!("pk({key})")),
        Kind::Multisig { required, keys: count } => {
            let keys = keys(script);
            (keys.len() == usize::from(count)).then(|| format!("multi({required},{})", keys.join(",")))
        }
        Kind::P2tr => {
            let key = script.as_bytes().get(2..).and_then(|key| XOnlyPublicKey::from_slice(key).ok());
            key.map(|key| format!("rawtr({key})"))
        }
        Kind::P2pkh
        | Kind::P2sh
        | Kind::NullData
        | Kind::P2wpkh
        | Kind::P2wsh
        | Kind::Anchor
        | Kind::WitnessUnknown { .. }
        | Kind::NonStandard => None,
    };
    let any = || match address::encode(script, addresses) {
        Some(address) => format!("addr({address})"),
        None => format!("raw({})", script.as_bytes().to_lower_hex_string()),
    };
    with_checksum(&keyed.unwrap_or_else(any))
}

/// The valid public keys that a script pushes.
fn keys(script: &Script) -> Vec<String> {
    let pushes = script.instructions().filter_map(|instruction| match instruction {
        Ok(Instruction::PushBytes(data)) => Some(data.as_bytes()),
        Ok(Instruction::Op(_)) | Err(_) => None,
    });
    pushes.filter(|data| PublicKey::from_slice(data).is_ok()).map(|data| data.to_lower_hex_string()).collect()
}
