//! Scripts as Bitcoin Core's vectors write them: numbers, `'text'`, `0x` raw bytes, names of opcodes.

use bitcoin::ScriptBuf;
use bitcoin::hex::FromHex;
use bitcoin::opcodes::Opcode;
use bitcoin::script::{Builder, PushBytesBuf};

/// Reads a script.
pub(super) fn parse(text: &str) -> ScriptBuf {
    ScriptBuf::from_bytes(text.split_whitespace().flat_map(word).collect())
}

fn word(word: &str) -> Vec<u8> {
    if let Ok(number) = word.parse::<i64>() {
        Builder::new().push_int(number).into_bytes()
    } else if let Some(hex) = word.strip_prefix("0x") {
        Vec::from_hex(hex).unwrap()
    } else if let Some(text) = word.strip_prefix('\'') {
        let bytes = text.strip_suffix('\'').unwrap().as_bytes().to_vec();
        Builder::new().push_slice(PushBytesBuf::try_from(bytes).unwrap()).into_bytes()
    } else {
        vec![opcode(word.strip_prefix("OP_").unwrap_or(word)).unwrap_or_else(|| panic!("no opcode {word}"))]
    }
}

fn opcode(name: &str) -> Option<u8> {
    match name {
        "NOP2" | "CHECKLOCKTIMEVERIFY" => Some(0xb1),
        "NOP3" | "CHECKSEQUENCEVERIFY" => Some(0xb2),
        // All that are no push; OP_RESERVED is before the first of them.
        _ => (0x61..=0xba).chain([0x50]).find(|code| Opcode::from(*code).to_string().strip_prefix("OP_") == Some(name)),
    }
}
