//! The standard forms of a spend, recognised in this one place.
//!
//! A template says how a coin is being spent, for choosing a verifier and for naming a failure. It does not say that
//! the spend holds, nor that its signature has the right length: a verifier that relies on more checks it itself.
//! Recognition supposes every soft fork in force; whoever routes by it looks at the flags as well.

use std::fmt;

use bitcoin::{Script, Witness};

/// How a coin is being spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Template {
    /// A signature for the key in the script.
    P2pk,
    /// A signature and the key whose hash is in the script.
    P2pkh,
    /// The same in a witness (BIP-0141).
    P2wpkh,
    /// The same in a witness, behind the hash of the witness program (BIP-0016).
    P2shP2wpkh,
    /// A signature for the output key (BIP-0341).
    P2trKey,
    /// A script of the tree that the output key commits to (BIP-0341).
    P2trScript,
    /// A script in the witness (BIP-0141).
    P2wsh,
    /// A script in the witness, behind the hash of the witness program.
    P2shP2wsh,
    /// A script that is the last push of the script signature (BIP-0016).
    P2sh,
    /// Some signatures of several keys in the script.
    Multisig,
    /// Anything else.
    Other,
}

/// First byte of the annex, an element of the witness that is set aside (BIP-0341).
const ANNEX_PREFIX: u8 = 0x50;

impl Template {
    /// The form of a spend: the script of the spent coin, the script signature, and the witness.
    #[must_use]
    pub fn of(spent: &Script, script_sig: &Script, witness: &Witness) -> Self {
        if spent.is_p2wpkh() {
            Self::P2wpkh
        } else if spent.is_p2tr() {
            if key_path(witness) { Self::P2trKey } else { Self::P2trScript }
        } else if spent.is_p2pkh() {
            Self::P2pkh
        } else if spent.is_p2sh() {
            match redeem_program(script_sig) {
                Some(program) if program.is_p2wpkh() => Self::P2shP2wpkh,
                Some(program) if program.is_p2wsh() => Self::P2shP2wsh,
                _ => Self::P2sh,
            }
        } else if spent.is_p2wsh() {
            Self::P2wsh
        } else if spent.is_p2pk() {
            Self::P2pk
        } else if spent.is_multisig() {
            Self::Multisig
        } else {
            Self::Other
        }
    }
}

/// BIP-0341: one element is left once the annex, if there is one, is taken off.
fn key_path(witness: &Witness) -> bool {
    let annex = witness.len() >= 2 && witness.last().and_then(|element| element.first()) == Some(&ANNEX_PREFIX);
    witness.len().saturating_sub(usize::from(annex)) == 1
}

/// BIP-0141: the script signature MUST be exactly one push of the witness program.
fn redeem_program(script_sig: &Script) -> Option<&Script> {
    let (&length, program) = script_sig.as_bytes().split_first()?;
    // A direct push: the opcode is the length. Programs have at most 42 bytes.
    (usize::from(length) == program.len() && program.len() <= 42).then(|| Script::from_bytes(program))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P2pk => "P2PK",
            Self::P2pkh => "P2PKH",
            Self::P2wpkh => "P2WPKH",
            Self::P2shP2wpkh => "P2SH-P2WPKH",
            Self::P2trKey => "P2TR key path",
            Self::P2trScript => "P2TR script path",
            Self::P2wsh => "P2WSH",
            Self::P2shP2wsh => "P2SH-P2WSH",
            Self::P2sh => "P2SH",
            Self::Multisig => "bare multisig",
            Self::Other => "other script",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::script::{Builder, PushBytesBuf, ScriptBuf};
    use bitcoin::{PubkeyHash, PublicKey, ScriptHash, WPubkeyHash, WScriptHash};

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn of(spent: &Script, script_sig: &Script, witness: &[&[u8]]) -> Template {
        Template::of(spent, script_sig, &Witness::from_slice(witness))
    }

    fn push(program: &Script) -> ScriptBuf {
        Builder::new().push_slice(PushBytesBuf::try_from(program.to_bytes()).unwrap()).into_script()
    }

    #[test]
    fn scripts_of_one_key_are_told_apart() {
        let key: PublicKey = KEY.parse().unwrap();
        let none = Script::new();
        let wpkh = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
        assert_eq!(of(&ScriptBuf::new_p2pk(&key), none, &[]), Template::P2pk);
        assert_eq!(of(&ScriptBuf::new_p2pkh(&PubkeyHash::all_zeros()), none, &[]), Template::P2pkh);
        assert_eq!(of(&wpkh, none, &[&[1], &[2]]), Template::P2wpkh);
        let multisig =
            Builder::new().push_int(1).push_key(&key).push_int(1).push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG);
        assert_eq!(of(multisig.as_script(), none, &[]), Template::Multisig);
        assert_eq!(of(Script::from_bytes(&[0x51]), none, &[]), Template::Other);
    }

    #[test]
    fn p2sh_is_what_its_redeem_script_says() {
        let p2sh = ScriptBuf::new_p2sh(&ScriptHash::all_zeros());
        let wpkh = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
        let wsh = ScriptBuf::new_p2wsh(&WScriptHash::all_zeros());
        assert_eq!(of(&p2sh, &push(&wpkh), &[&[1], &[2]]), Template::P2shP2wpkh);
        assert_eq!(of(&p2sh, &push(&wsh), &[&[1]]), Template::P2shP2wsh);
        assert_eq!(of(&p2sh, &push(Script::from_bytes(&[0x51])), &[]), Template::P2sh);
        assert_eq!(of(&p2sh, Script::new(), &[]), Template::P2sh);
        // Two pushes are no witness program, even if the second is one.
        let two = [&[0x51][..], push(&wpkh).as_bytes()].concat();
        assert_eq!(of(&p2sh, Script::from_bytes(&two), &[]), Template::P2sh);
        assert_eq!(of(&wsh, Script::new(), &[&[1]]), Template::P2wsh);
    }

    #[test]
    fn an_annex_does_not_make_a_script_path() {
        let p2tr = Script::from_bytes(&[&[0x51, 0x20][..], &[7; 32]].concat()).to_owned();
        let none = Script::new();
        let (signature, annex) = ([3; 64], [ANNEX_PREFIX, 9]);
        assert_eq!(of(&p2tr, none, &[&signature]), Template::P2trKey);
        assert_eq!(of(&p2tr, none, &[&signature, &annex]), Template::P2trKey);
        assert_eq!(of(&p2tr, none, &[&annex]), Template::P2trKey);
        assert_eq!(of(&p2tr, none, &[&[0x51], &[0xc0; 33]]), Template::P2trScript);
        assert_eq!(of(&p2tr, none, &[&[0x51], &[0xc0; 33], &annex]), Template::P2trScript);
        assert_eq!(of(&p2tr, none, &[]), Template::P2trScript);
    }
}
