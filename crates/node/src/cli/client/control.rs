//! `yap ping` and `yap stop`: whether the node is alive, and its end.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::{Error, Link, Output, Run};
use crate::cli::Ending;

/// Time in which a node stops; it takes far less unless the disk is slow.
const STOPPING: Duration = Duration::from_secs(60);

/// Time between two looks whether it is gone.
const LOOK: Duration = Duration::from_millis(50);

/// `yap ping`.
pub(super) fn ping(link: &Link, output: &Output) -> Run {
    let begun = Instant::now();
    let answer = link.page("/ping")?;
    let (answer, took) = (answer.trim(), begun.elapsed());
    output.reply(&Value::from(answer), || {
        format!("{answer} ({:.1} ms); every node that can be reached shows it once\n", took.as_secs_f64() * 1000.0)
    })?;
    Ok(Ending::Done)
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Stop {
    /// Don't wait until it has stopped.
    #[arg(long)]
    no_wait: bool,
}

impl Stop {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call("stop", json!([]))?;
        if !self.no_wait {
            let begun = Instant::now();
            while !link.is_gone() {
                if begun.elapsed() > STOPPING {
                    return Err(Error::StillThere { seconds: STOPPING.as_secs() }.into());
                }
                std::thread::sleep(LOOK);
            }
        }
        output.reply(&reply, || if self.no_wait { "stopping\n".into() } else { "stopped\n".into() })?;
        Ok(Ending::Done)
    }
}
