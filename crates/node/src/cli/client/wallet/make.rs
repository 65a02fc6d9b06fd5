//! `yap wallet create` and `yap wallet restore`: a wallet's files are made while no node runs. None is ever overwritten.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use yap_wallet::Words;

use super::super::{Error, Output, Run, secret};
use crate::chainstate::Options;
use crate::cli::{Ending, Global};
use crate::purse::{self, Purse};

#[derive(Debug, Args)]
pub(in crate::cli) struct Restore {
    /// File with the words (-: standard input) [default: they are typed].
    #[arg(long, value_name = "FILE", conflicts_with = "backup")]
    words_file: Option<PathBuf>,
    /// Backup to be restored, instead of words (see `yap wallet backup`).
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
    /// The backup, or the words, have a passphrase: ask for it.
    #[arg(long)]
    with_passphrase: bool,
    #[command(flatten)]
    passphrase: secret::Source,
}

/// `yap wallet create`.
pub(in crate::cli) fn create(global: &Global, output: &Output) -> Run {
    let spec = Arc::new(global.spec()?);
    let directory = global.directory(&spec)?;
    // Nobody has paid it in a block that is here already; they need not be looked through.
    let ledger = global.open(Options::default())?;
    let (tree, tip) = (ledger.tree(), ledger.verified_tip());
    let tip = (tree.height(tip), tree.hash(tip));
    ledger.close()?;
    let directory = purse::directory(&directory);
    Purse::create(&directory, &spec, tip).map_err(Error::Purse)?;
    output.reply(&json!({ "directory": directory }), || {
        "made. Start the node with `yap`, and write down the wallet's words: `yap wallet words`\n".into()
    })?;
    Ok(Ending::Done)
}

impl Restore {
    pub(in crate::cli) fn run(&self, global: &Global, output: &Output) -> Run {
        let spec = Arc::new(global.spec()?);
        let directory = global.directory(&spec)?;
        global.enter(&directory)?;
        let directory = purse::directory(&directory);
        match &self.backup {
            Some(backup) => {
                let passphrase = self.asked("Passphrase of the backup: ")?;
                Purse::restore(&directory, &spec, backup, passphrase.as_deref()).map_err(Error::Purse)?;
            }
            None => {
                let typed = secret::words(self.words_file.as_deref(), "The wallet's words, in their order: ")?;
                let passphrase = self.asked("Passphrase of the words (BIP-0039): ")?.unwrap_or_default();
                let words = Words::parse(&typed, &passphrase).map_err(Error::Words)?;
                Purse::restore_words(&directory, &spec, words).map_err(Error::Purse)?;
            }
        }
        output.reply(&json!({ "directory": directory }), || {
            "restored. Start the node with `yap`: it looks through the blocks for the wallet's payments\n".into()
        })?;
        Ok(Ending::Done)
    }

    fn asked(&self, prompt: &str) -> Result<Option<String>, Error> {
        (self.with_passphrase || self.passphrase.is_file()).then(|| self.passphrase.ask(prompt)).transpose()
    }
}
