//! Scenarios: a network, what happens in it, and what must be seen.
//!
//! A [`Scenario`] is a named function that builds a network, starts peers in it and measures. It runs in a [`Site`], which
//! has a folder of its own and is gone afterwards. [`all`] lists them.
//!
//! | module | scenarios |
//! |---|---|
//! | `networks` | the networks themselves, without peers |
//! | `local` | one host, one local network, lines of named peers |
//! | `nat` | two homes behind routers of every kind |
//! | `cafe` | networks that let little through |
//! | `tls` | secure WebSocket, and certificates that are not to be trusted |
//! | `change` | addresses that change, nodes that go and are looked for |
//! | `hostile` | peers that are attacked while others use them |
//! | `records` | values that outlive those that hold them |

mod cafe;
mod change;
mod hostile;
mod local;
mod nat;
mod networks;
mod records;
mod steps;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::namespace::{self, name::Name};
use crate::process::{self, Launch, Process};
use crate::report::{Measured, Row};
use crate::topology::Host;

/// The port of a peer where nothing else is said.
pub const PORT: u16 = 6001;

/// Why a run did not show what was needed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The network could not be made.
    #[error(transparent)]
    Network(#[from] namespace::Error),
    /// A peer did not do what was wanted.
    #[error(transparent)]
    Peer(#[from] process::Error),
    /// A file could not be made.
    #[error("can't make a file: {0}")]
    File(#[from] std::io::Error),
    /// Something is other than it must be.
    #[error("{what}, but found: {found}")]
    Wrong {
        /// What must be.
        what: &'static str,
        /// What is.
        found: String,
    },
}

/// Where one run takes place.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    program: PathBuf,
}

impl Site {
    /// For files in this folder, with peers of this program.
    #[must_use]
    pub fn new(folder: &Path, program: &Path) -> Self {
        Self { folder: folder.to_owned(), program: program.to_owned() }
    }

    fn launch(&self, name: &str) -> Launch {
        Launch::new(&self.program, name, PORT)
    }

    /// Starts a peer that is called like its host and knows nobody.
    fn start(&self, host: &Host) -> Result<Process, Failure> {
        Ok(Process::start(host, &self.launch(host.label()))?)
    }

    /// Starts a peer that is called like its host and is told of these, then waits until it listens.
    fn ready(&self, host: &Host, peers: &[&str]) -> Result<Process, Failure> {
        let launch = peers.iter().fold(self.launch(host.label()), |launch, peer| launch.peer(*peer));
        let process = Process::start(host, &launch)?;
        steps::listening(&process)?;
        Ok(process)
    }
}

type Run = Box<dyn Fn(&Site) -> Result<Measured, Failure>>;

/// A network, what happens in it, and what must be seen.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What must be seen, in words.
    pub needed: &'static str,
    /// The longest that its time may be.
    pub limit: Option<Duration>,
    /// How often it runs where nothing else is said.
    pub runs: u32,
    run: Run,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("name", &self.name).field("needed", &self.needed).finish_non_exhaustive()
    }
}

impl Scenario {
    fn new(
        name: &'static str,
        needed: &'static str,
        run: impl Fn(&Site) -> Result<Measured, Failure> + 'static,
    ) -> Self {
        Self { name, needed, limit: None, runs: 1, run: Box::new(run) }
    }

    fn within(self, seconds: u64) -> Self {
        Self { limit: Some(Duration::from_secs(seconds)), ..self }
    }

    fn times(self, runs: u32) -> Self {
        Self { runs, ..self }
    }

    /// Runs it so often, each time in a network of its own. `tell` hears of each run when it has ended; its files are gone
    /// then, unless they are to be kept.
    pub fn run(&self, program: &Path, runs: u32, keep: bool, mut tell: impl FnMut(&RunEnd<'_>)) -> Row {
        let mut row =
            Row { name: self.name.to_owned(), needed: self.needed.to_owned(), limit: self.limit, runs: Vec::new() };
        for number in 1..=runs {
            let outcome = self.run_once(program, number, keep, |folder, outcome| {
                tell(&RunEnd { scenario: self.name, number, outcome, folder });
            });
            row.runs.push(outcome);
        }
        row
    }

    fn run_once(
        &self,
        program: &Path,
        number: u32,
        keep: bool,
        ended: impl FnOnce(&Path, &Result<Measured, String>),
    ) -> Result<Measured, String> {
        let run = std::process::id();
        let name = Name::new(run, &format!("{}-{number}", self.name)).map_err(|error| error.to_string())?;
        let mut folder = std::env::temp_dir().join(name.to_string());
        let made = {
            let _making = namespace::making();
            std::fs::create_dir_all(&folder)
        };
        made.map_err(|error| format!("can't make {}: {error}", folder.display()))?;
        let outcome = (self.run)(&Site::new(&folder, program)).map_err(|failure| failure.to_string());
        if keep {
            // Under a name that no sweep takes for a leftover.
            let kept = folder.with_file_name(format!("yap-lab-{}-{number}-{run}", self.name));
            if std::fs::rename(&folder, &kept).is_ok() {
                folder = kept;
            }
        }
        ended(&folder, &outcome);
        if !keep {
            // A folder that can't be removed now is removed by the next sweep.
            let _ = std::fs::remove_dir_all(&folder);
        }
        outcome
    }
}

/// The end of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// Which run of it, from 1.
    pub number: u32,
    /// What it showed, or why it failed.
    pub outcome: &'a Result<Measured, String>,
    /// Its files, which may be gone after this call.
    pub folder: &'a Path,
}

/// Every scenario, quick ones first.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let parts = [networks::all(), local::all(), nat::all(), cafe::all(), tls::all(), change::all()];
    parts.into_iter().chain([hostile::all(), records::all()]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{Measured, Scenario, all};
    use crate::namespace::name::Name;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_scenario_has_a_name_of_its_own_that_a_folder_can_have() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
        for scenario in &all {
            assert!(Name::new(1, &format!("{}-{}", scenario.name, scenario.runs)).is_ok(), "{}", scenario.name);
            assert!(scenario.runs > 0, "{}", scenario.name);
        }
    }

    #[test]
    fn a_folder_lasts_as_long_as_its_run_unless_it_is_kept() {
        let scenario = Scenario::new("folder", "a folder", |site| {
            std::fs::write(site.folder.join("file"), "x").unwrap();
            Ok(Measured::default())
        });
        for keep in [false, true] {
            let mut folder = None;
            let row = scenario.run(Path::new("none"), 1, keep, |end| {
                assert!(end.folder.join("file").exists());
                folder = Some(end.folder.to_owned());
            });
            assert!(row.passed());
            let folder = folder.unwrap();
            assert_eq!(folder.exists(), keep);
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
