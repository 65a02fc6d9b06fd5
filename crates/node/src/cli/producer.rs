//! `yap producer`: the key by which this node signs blocks, on chains that name it.

use clap::Subcommand;
use yap_chain::producer::Key;

use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::producer::Files;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Producer {
    /// Make this node's key, and show its public half: whoever makes the chain names it with `yap chain new --producer`.
    New,
    /// Show the public half of this node's key.
    Show,
}

impl Producer {
    pub(super) fn run(self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let files = global.config()?.producer();
        let key = match self {
            Self::New => files.create()?,
            Self::Show => files.open()?.ok_or_else(|| Error::NoProducer { path: files.sealed().to_owned() })?,
        };
        show(&key, &files, output)?;
        if matches!(self, Self::New) {
            output.note("keep copies of both files, apart from each other: nobody can make this key again");
        }
        Ok(Ending::Done)
    }
}

fn show(key: &Key, files: &Files, output: &Output) -> Result<(), Error> {
    output.fields(
        Fields::default()
            .with("producer", key.public().to_string())
            .with("sealed", files.sealed().display().to_string())
            .with("opener", files.opener().display().to_string()),
    )
}
