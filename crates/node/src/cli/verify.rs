//! `yap verify`: is what is stored whole, and does it agree with itself?

use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::Value;

use super::import::stop_on_signal;
use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::audit;
use crate::chainstate::Options;

#[derive(Debug, Args)]
pub(super) struct Verify {}

impl Verify {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let Self {} = self;
        let chainstate = global.open(Options::default())?;
        let stop = stop_on_signal();
        let bar = super::output::bar(u64::from(chainstate.tree().height(chainstate.tip())).saturating_add(1));
        let report = audit::audit(&chainstate, &mut |height| {
            bar.set_position(height.into());
            !stop.load(Ordering::Relaxed)
        })?;
        bar.finish_and_clear();
        for damage in &report.damages {
            output.note(format_args!("damaged: {damage}\n     to mend: {}", damage.mend()));
        }
        output.fields(
            Fields::default()
                .with("blocks", report.blocks)
                .with("txouts", report.txouts)
                .with("complete", report.complete)
                .with("damages", report.damages.iter().map(|damage| damage.to_string().into()).collect::<Vec<Value>>())
                .with("damage_count", report.damage_count),
        )?;
        Ok(match (report.complete, report.damage_count) {
            (false, _) => Ending::Stopped,
            (true, 0) => Ending::Done,
            (true, _) => Ending::Refused,
        })
    }
}
