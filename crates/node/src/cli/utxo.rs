//! `yap utxo`: the figures of Bitcoin Core's `gettxoutsetinfo`.

use clap::Args;
use yap_chain::utxo::Hashes;

use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::chainstate::Options;

#[derive(Debug, Args)]
pub(super) struct Utxo {
    /// Also compute the set's MuHash, which does not depend on the order of the coins.
    #[arg(long)]
    muhash: bool,
}

impl Utxo {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let chainstate = global.open(Options::default())?;
        let totals = chainstate.totals(Hashes { serialized: true, muhash: self.muhash })?;
        let tip = chainstate.tip();
        let tree = chainstate.tree();
        output.fields(
            Fields::default()
                .with("height", tree.height(tip))
                .with("bestblock", tree.hash(tip).to_string())
                .with("txouts", totals.txouts)
                .with("bogosize", totals.bogosize)
                .with_some("hash_serialized_3", totals.serialized.map(|hash| hash.to_string()))
                .with_some("muhash", totals.muhash.map(|hash| hash.to_string()))
                .with_amount("total_amount", totals.amount)
                .with("transactions", totals.transactions)
                .with("disk_size", chainstate.store().reader().tables_size()?)
                .with("chainwork", format!("{:064x}", tree.work(tip))),
        )?;
        Ok(Ending::Done)
    }
}
