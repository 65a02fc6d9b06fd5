//! A spec as TOML text.

use bitcoin::hex::DisplayHex;

use super::super::{Addresses, Retarget, Spec, genesis};

/// The text of a chain of one's own, every field written out.
pub(super) fn write(spec: &Spec) -> String {
    let message = genesis::message(&spec.genesis).unwrap_or_default();
    let mut lines = vec![
        format!("name = {}", quoted(&spec.name)),
        format!("ticker = {}", quoted(&spec.ticker)),
        format!("magic = \"{}\"", spec.magic.as_hex()),
    ];
    lines.extend(spec.challenge.iter().map(|challenge| format!("challenge = \"{challenge:x}\"")));
    lines.extend(spec.assume_valid.iter().map(|hash| format!("assume-valid = \"{hash}\"")));
    let header = &spec.genesis.header;
    lines.extend([
        format!("minimum-work = \"{:x}\"", spec.minimum_work),
        String::new(),
        "[genesis]".to_owned(),
        format!("message = {}", quoted(&String::from_utf8_lossy(message))),
        format!("time = {}", header.time),
        format!("bits = \"{:08x}\"", header.bits.to_consensus()),
        format!("nonce = {}", header.nonce),
        String::new(),
        "[work]".to_owned(),
        format!("limit = \"{}\"", spec.work.limit.to_be_bytes().as_hex()),
        format!("spacing = {}", spec.work.spacing),
    ]);
    lines.extend(retarget(&spec.work.retarget));
    lines.extend([
        String::new(),
        "[times]".to_owned(),
        format!("future = {}", spec.times.future),
        format!("monotone = {}", spec.times.monotone),
        String::new(),
        "[subsidy]".to_owned(),
        format!("initial = {}", spec.subsidy.initial.to_sat()),
        format!("halving = {}", spec.subsidy.halving),
        String::new(),
        "[deployments]".to_owned(),
        format!("bip34 = {}", spec.deployments.bip34),
        format!("bip65 = {}", spec.deployments.bip65),
        format!("bip66 = {}", spec.deployments.bip66),
        format!("csv = {}", spec.deployments.csv),
        format!("segwit = {}", spec.deployments.segwit),
        String::new(),
    ]);
    lines.extend(addresses(&spec.addresses));
    lines.push(String::new());
    lines.join("\n")
}

fn retarget(retarget: &Retarget) -> Vec<String> {
    match *retarget {
        Retarget::None => vec!["retarget = \"none\"".to_owned()],
        Retarget::Asert { half_life } => vec!["retarget = \"asert\"".to_owned(), format!("half-life = {half_life}")],
        Retarget::Relative { half_life } => {
            vec!["retarget = \"relative\"".to_owned(), format!("half-life = {half_life}")]
        }
        Retarget::Bitcoin { interval, min_difficulty_blocks, bip94 } => vec![
            "retarget = \"bitcoin\"".to_owned(),
            format!("interval = {interval}"),
            format!("min-difficulty-blocks = {min_difficulty_blocks}"),
            format!("bip94 = {bip94}"),
        ],
    }
}

fn addresses(addresses: &Addresses) -> Vec<String> {
    vec![
        "[addresses]".to_owned(),
        format!("p2pkh = {}", addresses.p2pkh),
        format!("p2sh = {}", addresses.p2sh),
        format!("secret = {}", addresses.secret),
        format!("hrp = {}", quoted(&addresses.hrp)),
        format!("xpub = \"{}\"", addresses.xpub.as_hex()),
        format!("xprv = \"{}\"", addresses.xprv.as_hex()),
    ]
}

/// A TOML string with everything escaped that must be.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
