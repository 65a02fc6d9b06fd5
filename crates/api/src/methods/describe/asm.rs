//! Scripts in words: Bitcoin Core's `ScriptToAsmStr`.

use std::borrow::Cow;

use bitcoin::Script;
use bitcoin::hex::DisplayHex;
use bitcoin::script::Instruction;

/// Pushes of at most this many bytes are shown as numbers.
const NUMBER: usize = 4;

/// Names of the opcodes from `OP_NOP` (0x61) on, without their prefix.
const NAMES: [&str; 90] = [
    "NOP",
    "VER",
    "IF",
    "NOTIF",
    "VERIF",
    "VERNOTIF",
    "ELSE",
    "ENDIF",
    "VERIFY",
    "RETURN",
    "TOALTSTACK",
    "FROMALTSTACK",
    "2DROP",
    "2DUP",
    "3DUP",
    "2OVER",
    "2ROT",
    "2SWAP",
    "IFDUP",
    "DEPTH",
    "DROP",
    "DUP",
    "NIP",
    "OVER",
    "PICK",
    "ROLL",
    "ROT",
    "SWAP",
    "TUCK",
    "CAT",
    "SUBSTR",
    "LEFT",
    "RIGHT",
    "SIZE",
    "INVERT",
    "AND",
    "OR",
    "XOR",
    "EQUAL",
    "EQUALVERIFY",
    "RESERVED1",
    "RESERVED2",
    "1ADD",
    "1SUB",
    "2MUL",
    "2DIV",
    "NEGATE",
    "ABS",
    "NOT",
    "0NOTEQUAL",
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "MOD",
    "LSHIFT",
    "RSHIFT",
    "BOOLAND",
    "BOOLOR",
    "NUMEQUAL",
    "NUMEQUALVERIFY",
    "NUMNOTEQUAL",
    "LESSTHAN",
    "GREATERTHAN",
    "LESSTHANOREQUAL",
    "GREATERTHANOREQUAL",
    "MIN",
    "MAX",
    "WITHIN",
    "RIPEMD160",
    "SHA1",
    "SHA256",
    "HASH160",
    "HASH256",
    "CODESEPARATOR",
    "CHECKSIG",
    "CHECKSIGVERIFY",
    "CHECKMULTISIG",
    "CHECKMULTISIGVERIFY",
    "NOP1",
    "CHECKLOCKTIMEVERIFY",
    "CHECKSEQUENCEVERIFY",
    "NOP4",
    "NOP5",
    "NOP6",
    "NOP7",
    "NOP8",
    "NOP9",
    "NOP10",
    "CHECKSIGADD",
];

/// The script in words. With `signatures`, what looks like one is shown with the kind of its hash.
pub(crate) fn asm(script: &Script, signatures: bool) -> String {
    let mut words: Vec<Cow<'static, str>> = Vec::new();
    let signatures = signatures && script.as_bytes().first() != Some(&0x6a) && script.len() <= 10_000;
    for instruction in script.instructions() {
        words.push(match instruction {
            Ok(Instruction::PushBytes(data)) => pushed(data.as_bytes(), signatures),
            Ok(Instruction::Op(opcode)) => name(opcode.to_u8()),
            Err(_) => {
                words.push("[error]".into());
                break;
            }
        });
    }
    words.join(" ")
}

fn pushed(data: &[u8], signatures: bool) -> Cow<'static, str> {
    if data.len() <= NUMBER {
        return number(data).to_string().into();
    }
    match data.split_last() {
        Some((kind, signature)) if signatures && is_der(signature) => match hash_kind(*kind) {
            Some(kind) => format!("{}[{kind}]", signature.to_lower_hex_string()).into(),
            None => data.to_lower_hex_string().into(),
        },
        _ => data.to_lower_hex_string().into(),
    }
}

/// A number as scripts have it: little-endian, with the sign in the top bit.
fn number(data: &[u8]) -> i64 {
    let Some((last, rest)) = data.split_last() else { return 0 };
    let magnitude = rest.iter().chain([&(last & 0x7f)]).rev().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    if last & 0x80 == 0 { magnitude } else { magnitude.saturating_neg() }
}

fn hash_kind(byte: u8) -> Option<&'static str> {
    Some(match byte {
        0x01 => "ALL",
        0x02 => "NONE",
        0x03 => "SINGLE",
        0x81 => "ALL|ANYONECANPAY",
        0x82 => "NONE|ANYONECANPAY",
        0x83 => "SINGLE|ANYONECANPAY",
        _ => return None,
    })
}

/// Whether it is a signature in strict DER (BIP-0066): two positive numbers of at most 33 bytes, without needless
/// zeros.
fn is_der(signature: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = signature else { return false };
    usize::from(*length) == rest.len()
        && signature.len() <= 72
        && integer(rest).and_then(integer).is_some_and(<[u8]>::is_empty)
}

/// What follows one number.
fn integer(bytes: &[u8]) -> Option<&[u8]> {
    let [0x02, length, rest @ ..] = bytes else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    match number {
        [] | [0x80..=0xff, ..] | [0, 0..0x80, ..] if number != [0] => None,
        _ => Some(rest),
    }
}

fn name(opcode: u8) -> Cow<'static, str> {
    match opcode {
        0 => "0".into(),
        0x4f => "-1".into(),
        0x50 => "OP_RESERVED".into(),
        0x51..=0x60 => opcode.saturating_sub(0x50).to_string().into(),
        0xff => "OP_INVALIDOPCODE".into(),
        _ => {
            let name = opcode.checked_sub(0x61).and_then(|at| NAMES.get(usize::from(at)));
            name.map_or_else(|| "OP_UNKNOWN".into(), |name| format!("OP_{name}").into())
        }
    }
}
