//! Scripts as Bitcoin Core's vectors write them: numbers, `'text'`, `0x` raw bytes, names of opcodes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bitcoin::ScriptBuf;
use bitcoin::hex::FromHex;
use bitcoin::opcodes::Opcode;
use bitcoin::script::{Builder, PushBytesBuf};

static OPCODES: LazyLock<BTreeMap<String, u8>> = LazyLock::new(|| {
    // All that are no push; OP_RESERVED is before the first of them.
    let named = (0x61..=0xba).chain([0x50]).map(|code| (Opcode::from(code).to_string(), code));
    let other =
        [("OP_CHECKLOCKTIMEVERIFY", 0xb1), ("OP_CHECKSEQUENCEVERIFY", 0xb2), ("OP_NOP2", 0xb1), ("OP_NOP3", 0xb2)];
    named.chain(other.map(|(name, code)| (name.to_owned(), code))).collect()
});

/// Reads a script.
pub(crate) fn parse(text: &str) -> ScriptBuf {
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
        let name = if word.starts_with("OP_") { word.to_owned() } else { format!("OP_{word}") };
        vec![*OPCODES.get(&name).unwrap_or_else(|| panic!("no opcode {word}"))]
    }
}
