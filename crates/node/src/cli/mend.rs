//! What to do about a damaged ledger, as commands to copy.

use std::io::ErrorKind;
use std::path::Path;

use super::{Error, Global};
use crate::chainstate;

/// How much of the ledger can be made again from its own block files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Everything.
    Nothing,
    /// All but the blocks that are damaged.
    SomeBlocks,
    /// Nothing: early blocks were pruned.
    Pruned,
}

/// Whether a command failed because what is stored is damaged.
pub(super) fn is_damage(error: &Error) -> bool {
    if let Error::Store(error) | Error::Chainstate(chainstate::Error::Store(error)) = error {
        return is_store_damage(error);
    }
    let Error::Chainstate(error) = error else { return false };
    matches!(
        error,
        chainstate::Error::Undo { .. }
            | chainstate::Error::Block { .. }
            | chainstate::Error::OtherBlock { .. }
            | chainstate::Error::Coins(_)
            | chainstate::Error::Index(_)
    )
}

fn is_store_damage(error: &yap_store::Error) -> bool {
    if let yap_store::Error::Io { path, source } = error {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_data = (name.starts_with("blk") || name.starts_with("rev")) && name.ends_with(".dat");
        // Files that the engine wrote are gone, cut short or overwritten.
        let is_broken =
            |kind| matches!(kind, ErrorKind::AlreadyExists | ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
        let kind = source.kind();
        return (kind == ErrorKind::NotFound && (is_data || name == "tables")) || (name == "tables" && is_broken(kind));
    }
    matches!(
        error,
        yap_store::Error::Engine { .. }
            | yap_store::Error::Damaged { .. }
            | yap_store::Error::DamagedRow { .. }
            | yap_store::Error::BrokenOff
            | yap_store::Error::NoTables { .. }
    )
}

/// What to do, for the chain that `global` names. `None` if that cannot be told.
pub(super) fn advice(global: &Global, loss: Loss) -> Option<String> {
    let directory = global.directory(&global.spec().ok()?).ok()?;
    let mut away = directory.clone().into_os_string();
    away.push(".damaged");
    let away = quoted(Path::new(&away));
    let config = global.config().ok()?;
    let mut command = format!("yap --chain {}", quoted(Path::new(&config.chain)));
    if config.is_given("data_dir") {
        command.push_str(&format!(" --data-dir {}", quoted(&config.data_dir)));
    }
    let moved = format!("mv {} {away}", quoted(&directory));
    let rebuild = format!("{command} import {away}/blocks/blk*.dat");
    Some(match loss {
        Loss::Nothing => format!("to mend it, make it again from its own block files:\n  {moved}\n  {rebuild}"),
        Loss::SomeBlocks => format!(
            "to mend it, make it again from its own block files, and take the damaged blocks from another copy:\n  \
             {moved}\n  {rebuild}\n  {command} import OTHER/blocks/blk*.dat"
        ),
        Loss::Pruned => format!(
            "to mend it, make it again from another copy, because its own old blocks are pruned:\n  \
             {moved}\n  {command} import OTHER/blocks/blk*.dat"
        ),
    })
}

/// A path as a word for a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:,@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn paths_are_words_for_a_shell() {
        assert_eq!(quoted(Path::new("/home/me/.yap/regtest")), "/home/me/.yap/regtest");
        assert_eq!(quoted(Path::new("/my data/it's")), r"'/my data/it'\''s'");
    }

    #[test]
    fn advice_asks_for_another_copy_only_where_one_is_needed() {
        let cli = super::super::Cli::try_parse_from(["yap", "--chain", "regtest", "--data-dir", "/my data", "verify"]);
        let global = cli.unwrap().global;
        let commands = |loss| {
            let advice = advice(&global, loss).unwrap();
            advice.lines().skip(1).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        let moved = "mv '/my data/regtest' '/my data/regtest.damaged'";
        let own = "yap --chain regtest --data-dir '/my data' import '/my data/regtest.damaged'/blocks/blk*.dat";
        let other = "yap --chain regtest --data-dir '/my data' import OTHER/blocks/blk*.dat";
        assert_eq!(commands(Loss::Nothing), [moved, own]);
        assert_eq!(commands(Loss::SomeBlocks), [moved, own, other]);
        assert_eq!(commands(Loss::Pruned), [moved, other]);
    }
}
