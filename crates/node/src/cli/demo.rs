//! `yap demo`: three nodes in a line on this computer, and what a ledger without a middle can do, told as it happens.
//!
//! The nodes are processes of this very program, with the interface that every user has: what the demonstration does, its
//! reader can do by hand. Each step has a deadline; one that is missed ends the demonstration with the nodes' last words.
//! No node outlives it, whatever happens to it short of SIGKILL.

mod child;
mod directory;
mod error;
mod steps;
mod story;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use self::child::Child;
use self::directory::Directory;
pub use self::error::{Error, LastWords};
use self::steps::Town;
use self::story::Story;
use super::client::interrupt;
use super::output::Output;
use super::{Ending, Global};

/// Between two looks whether the demonstration was ended, once all is done.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Keep the nodes' directories, in this new directory [default: a temporary one, removed at the end].
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// End when all is shown, instead of leaving the nodes running.
    #[arg(long)]
    exit: bool,
}

impl Demo {
    pub(super) fn run(&self, _: &Global, output: &Output) -> Result<Ending, super::Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        // Not even the second Ctrl-C may leave nodes behind.
        let _guard = interrupt::always(move || flag.store(true, Ordering::SeqCst));
        let directory = match &self.keep {
            Some(path) => Directory::kept(path),
            None => Directory::temporary(),
        }?;
        let mut story = Story::new(output, Arc::clone(&stop));
        story.say(&format!(
            "Three nodes on this computer, in a line: 1 - 2 - 3. Nobody is in the middle of it all.\n\
             Their directories are in {}.\n",
            directory.path().display()
        ))?;
        let told = Town::new(directory.path()).and_then(|mut town| {
            steps::play(&mut town, &mut story)?;
            Ok(town)
        });
        let town = match told {
            Ok(town) => town,
            Err(Error::Stopped) => {
                story.say("\nStopped; every node is ended.")?;
                return Ok(Ending::Stopped);
            }
            Err(error) => return Err(error.into()),
        };
        if output.is_json() {
            output.json(&json!({ "steps": story.steps() }))?;
        }
        if !self.exit {
            story.say(&invitation(&town.nodes))?;
            while !stop.load(Ordering::SeqCst) {
                std::thread::sleep(LOOK);
            }
            story.say("\nStopping the three nodes.")?;
        }
        town.end();
        let kept = if self.keep.is_some() { "kept" } else { "removed" };
        story.say(&format!("All three nodes have stopped; their directories are {kept}."))?;
        Ok(Ending::Done)
    }
}

/// How to look at the nodes, while they run.
fn invitation(nodes: &[Child]) -> String {
    let look = nodes.iter().map(|node| format!("  yap --data-dir {} status\n", node.directory().display()));
    let look: String = look.collect();
    let first = nodes.first().map(|node| node.directory().display().to_string()).unwrap_or_default();
    format!(
        "\nThe three nodes go on running. In another terminal, look at each of them:\n{look}\
         or try it yourself:\n  yap --data-dir {first} history\n  yap --data-dir {first} events\n\
         Ctrl-C here stops all three."
    )
}
