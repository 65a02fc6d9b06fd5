//! `yap verify`: is what is stored whole, and does it agree with itself?

use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::Value;

use super::import::stop_on_signal;
use super::mend::{self, Loss};
use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::audit::{self, Damage, Report};
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
        });
        bar.finish_and_clear();
        let advice = if report.damage_count > 0 { mend::advice(global, loss(&report)) } else { None };
        tell(output, &report, advice.as_deref());
        output.fields(
            Fields::default()
                .with("blocks", report.blocks)
                .with("pruned", report.pruned)
                .with("txouts", report.txouts)
                .with("complete", !report.stopped && report.pruned == 0)
                .with("damages", report.damages.iter().map(|damage| damage.to_string().into()).collect::<Vec<Value>>())
                .with("damage_count", report.damage_count)
                .with_some("mend", advice.filter(|_| output.is_json())),
        )?;
        Ok(match (report.stopped, report.damage_count) {
            (true, _) => Ending::Stopped,
            (false, 0) => Ending::Done,
            (false, _) => Ending::Refused,
        })
    }
}

fn loss(report: &Report) -> Loss {
    if report.pruned > 0 {
        Loss::Pruned
    } else if report.damages.iter().any(Damage::loses_block) {
        Loss::SomeBlocks
    } else {
        Loss::Nothing
    }
}

fn tell(output: &Output, report: &Report, advice: Option<&str>) {
    if output.is_json() {
        return;
    }
    if let Some(advice) = advice {
        output.note(advice);
    }
    if report.stopped {
        output.note("stopped before everything was checked");
    } else if report.damage_count == 0 {
        output.note("no damage found");
    }
}
