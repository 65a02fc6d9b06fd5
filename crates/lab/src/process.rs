//! Peers as processes: `yap-peer` started on a host, told what to do and asked how it stands by JSON lines.
//!
//! Owns a [`Process`] from its start to its end: dropping it kills it. One thread per process reads what it tells; every
//! wait has a deadline and ends early if the process does. What it logs goes to a file beside its data.
//!
//! Not its job: what a peer does with a command (`peer`), and where it runs (`topology`).

mod launch;
mod status;
#[cfg(test)]
mod tests;
mod told;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use launch::Launch;
pub use status::{Link, Reach, Status};
pub use told::{Ear, MAX_EVENTS, Told};

use crate::topology::Host;

/// How long an answer may take that needs no other peer.
pub const ANSWER: Duration = Duration::from_secs(10);

/// How often a peer is asked how it stands, while it is waited for and tells nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a peer did not do what was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It did not start.
    #[error("can't start {name} ({program}): {source}")]
    Start {
        /// The peer.
        name: String,
        /// What was to run.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its files can't be made.
    #[error("can't use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It has ended.
    #[error("{name} has ended while {what} was waited for; its log is {log}")]
    Ended {
        /// The peer.
        name: String,
        /// What was waited for.
        what: String,
        /// What it logged.
        log: PathBuf,
    },
    /// It took too long.
    #[error("{name}: {what} did not happen within {within:?}; last seen: {last}")]
    Late {
        /// The peer.
        name: String,
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// What was there instead.
        last: String,
    },
    /// It refused a command.
    #[error("{name} refused {command}: {text}")]
    Refused {
        /// The peer.
        name: String,
        /// What it was told to do.
        command: String,
        /// Why, in its words.
        text: String,
    },
    /// Its answer has another form than is agreed.
    #[error("{name} answered {command} with {found}, which lacks {wanted}")]
    Form {
        /// The peer.
        name: String,
        /// What it was told to do.
        command: String,
        /// The answer.
        found: String,
        /// What was looked for.
        wanted: &'static str,
    },
}

/// A running peer.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    input: Mutex<(u64, Option<ChildStdin>)>,
    ear: Arc<Ear>,
    log: PathBuf,
    started: Instant,
}

impl Process {
    /// Starts one on a host.
    ///
    /// # Errors
    ///
    /// The program is not there, or its files can't be made. (A peer that starts and ends at once is found out later.)
    pub fn start(host: &Host, launch: &Launch) -> Result<Self, Error> {
        let (name, data) = (launch.name().to_owned(), launch.data(host.folder()));
        let log = data.with_extension("log");
        let file = |path: &PathBuf| {
            std::fs::create_dir_all(&data)
                .and_then(|()| File::options().create(true).append(true).open(path))
                .map_err(|source| Error::File { path: path.clone(), source })
        };
        let (errors, told) = (file(&log)?, file(&data.with_extension("told"))?);
        let mut command = launch.command(host);
        command.args(launch.arguments(&data)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let started = Instant::now();
        let mut child = command.spawn().map_err(|source| Error::Start {
            name: name.clone(),
            program: launch.program().to_owned(),
            source,
        })?;
        let (input, ear) = (child.stdin.take(), Arc::new(Ear::default()));
        if let Some(output) = child.stdout.take() {
            let ear = Arc::clone(&ear);
            thread::spawn(move || listen(output, told, started, &ear));
        }
        Ok(Self { name, child, input: Mutex::new((0, input)), ear, log, started })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it has told.
    #[must_use]
    pub fn told(&self) -> &Ear {
        &self.ear
    }

    /// Tells it to do something, and waits for the answer.
    ///
    /// # Errors
    ///
    /// It refuses, has ended, or does not answer in time.
    pub fn ask(&self, what: &str, mut command: Value, within: Duration) -> Result<Value, Error> {
        let deadline = Instant::now().checked_add(within);
        let id = {
            let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
            let (last, stdin) = &mut *input;
            *last = last.saturating_add(1);
            if let Some(fields) = command.as_object_mut() {
                fields.insert("id".to_owned(), json!(*last));
                fields.insert("do".to_owned(), json!(what));
            }
            let written = stdin.as_mut().map(|stdin| writeln!(stdin, "{command}").and_then(|()| stdin.flush()));
            if !matches!(written, Some(Ok(()))) {
                return Err(self.ended(what));
            }
            *last
        };
        match self.ear.answer(id, deadline) {
            told::Answer::Ok(value) => Ok(value),
            told::Answer::Refused(text) => {
                Err(Error::Refused { name: self.name.clone(), command: what.to_owned(), text })
            }
            told::Answer::Ended => Err(self.ended(what)),
            told::Answer::Late => Err(self.late(what, within, "no answer")),
        }
    }

    /// How it stands.
    ///
    /// # Errors
    ///
    /// It has ended, does not answer in time, or answers in another form.
    pub fn status(&self) -> Result<Status, Error> {
        let answer = self.ask("status", json!({}), ANSWER)?;
        Status::parse(&answer).map_err(|wanted| self.form("status", &answer, wanted))
    }

    /// Waits until its status is as wanted, and gives that status. `what` says what is waited for.
    ///
    /// # Errors
    ///
    /// It does not come to that in time, or ends.
    pub fn until(&self, what: &str, within: Duration, wanted: impl Fn(&Status) -> bool) -> Result<Status, Error> {
        let begun = Instant::now();
        loop {
            let status = self.status()?;
            if wanted(&status) {
                return Ok(status);
            }
            if begun.elapsed() >= within {
                return Err(self.late(what, within, &format!("{status:?}")));
            }
            // Most of what changes a status is told, so that the moment is not missed by much.
            self.ear.pause(PAUSE);
        }
    }

    /// Waits for something that it tells, or has told since it started.
    ///
    /// # Errors
    ///
    /// It does not tell it in time, or ends.
    pub fn hear(&self, what: &str, within: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Told, Error> {
        self.hear_since(0, what, within, wanted)
    }

    /// Waits for something that it tells after `mark` (see [`Ear::mark`]).
    ///
    /// # Errors
    ///
    /// It does not tell it in time, or ends.
    pub fn hear_since(
        &self,
        mark: u64,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Told, Error> {
        match self.ear.wait(mark, Instant::now().checked_add(within), wanted) {
            told::Wait::Told(told) => Ok(told),
            told::Wait::Ended => Err(self.ended(what)),
            told::Wait::Late => Err(self.late(what, within, &self.ear.last())),
        }
    }

    /// Ends it without any warning, as a power cut does.
    pub fn kill(mut self) {
        self.end();
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    ///
    /// It does not stop in time, or says that something went wrong.
    pub fn stop(mut self, within: Duration) -> Result<(), Error> {
        // Standard input's end alone is enough; an answer may or may not come before it.
        self.input.lock().unwrap_or_else(PoisonError::into_inner).1 = None;
        let deadline = Instant::now().checked_add(within);
        if !self.ear.silent(deadline) {
            return Err(self.late("the end", within, "it still runs"));
        }
        let status = self.child.wait().map_err(|source| Error::File { path: self.log.clone(), source })?;
        if status.success() { Ok(()) } else { Err(self.late("a clean end", within, &status.to_string())) }
    }

    fn end(&mut self) {
        // One that has ended by itself is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn ended(&self, what: &str) -> Error {
        Error::Ended { name: self.name.clone(), what: what.to_owned(), log: self.log.clone() }
    }

    fn late(&self, what: &str, within: Duration, last: &str) -> Error {
        Error::Late { name: self.name.clone(), what: what.to_owned(), within, last: last.to_owned() }
    }

    /// That an answer has another form than is agreed.
    #[must_use]
    pub fn form(&self, command: &str, found: &Value, wanted: &'static str) -> Error {
        let (name, command, found) = (self.name.clone(), command.to_owned(), found.to_string());
        Error::Form { name, command, found, wanted }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads what a peer tells until it ends, and keeps a copy of events in a file, each with the seconds since `begun`.
fn listen(output: ChildStdout, mut copy: File, begun: Instant, ear: &Ear) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
        let at = Instant::now();
        if value.get("id").is_none() {
            // A copy that can't be written is missed by whoever looks for it, and by nobody else.
            let _ = writeln!(copy, "{:8.3} {line}", at.saturating_duration_since(begun).as_secs_f64());
        }
        ear.take(value, at);
    }
    ear.close();
}
