//! An attack as a process on a host.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::CLOSED;
use crate::attack::{CEASE, Kind, Tally};
use crate::scenario::PORT;
use crate::topology::Host;

/// How often it is asked how many are left.
const PAUSE: Duration = Duration::from_millis(200);

/// Attacks until it is dropped.
#[derive(Debug)]
pub(super) struct Attacker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Attacker {
    /// Begins, from these addresses of its host or from any.
    pub(super) fn start(host: &Host, kind: Kind, victim: Ipv4Addr, sources: &[Ipv4Addr]) -> io::Result<Self> {
        let mut command = host.command(std::env::current_exe()?);
        command.args(["helper", "attack", &kind.word(), &format!("{victim}:{PORT}")]);
        if !sources.is_empty() {
            let sources: Vec<String> = sources.iter().map(Ipv4Addr::to_string).collect();
            command.args(["--from", &sources.join(",")]);
        }
        let errors = File::create(host.folder().join("attack.err"))?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| io::Error::other("an attacker without pipes"))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// How it stands.
    pub(super) fn tally(&mut self) -> io::Result<Tally> {
        self.say("")
    }

    /// Opens nothing more, and waits until the victim has closed what there is. Gives what is open then, or after
    /// [`CLOSED`].
    pub(super) fn cease(&mut self) -> io::Result<u64> {
        let begun = Instant::now();
        let mut open = self.say(CEASE)?.open;
        while open > 0 && begun.elapsed() < CLOSED {
            std::thread::sleep(PAUSE);
            open = self.tally()?.open;
        }
        Ok(open)
    }

    fn say(&mut self, line: &str) -> io::Result<Tally> {
        writeln!(self.input, "{line}").and_then(|()| self.input.flush())?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // One that has ended by itself is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
