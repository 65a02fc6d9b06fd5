//! Writes valid inputs for the fuzzer: `cargo run -p yap-sim --example corpus -- fuzz/corpus`.
#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a program for whoever fuzzes")]

use std::path::PathBuf;

use yap_sim::fuzz::TARGETS;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("fuzz/corpus"), PathBuf::from);
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (at, sample) in (target.samples)().iter().enumerate() {
            std::fs::write(folder.join(format!("{at:04}")), sample)?;
        }
    }
    Ok(())
}
