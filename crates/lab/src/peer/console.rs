//! A peer as a process: lines in, lines out.
//!
//! Commands are done side by side, [`COMMANDS`] at most, so answers come in the order in which they are ready. Reading
//! and writing are threads of their own, since standard input and output block.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::command::{self, Command};
use super::{Event, Peer};

/// Commands that are done at one time.
pub const COMMANDS: usize = 64;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 2 << 20;

/// Lines that wait to be written.
const LINES: usize = 1024;

/// Serves a peer until its input ends or it is told to stop, and stops it.
pub async fn run(
    peer: Peer,
    events: broadcast::Receiver<Event>,
    input: mpsc::Receiver<String>,
    out: mpsc::Sender<String>,
) {
    let telling = tokio::spawn(tell(events, out.clone()));
    let stop = serve(&peer, input, &out).await;
    peer.stop().await;
    // The peer's last words, then the answer.
    let _ = telling.await;
    if let Some(id) = stop {
        let _ = out.send(command::answer(&id, Ok(json!({})))).await;
    }
}

/// Does what is told until it is to stop; gives the id of that command, if it was one.
async fn serve(peer: &Peer, mut input: mpsc::Receiver<String>, out: &mpsc::Sender<String>) -> Option<Value> {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = running.join_next() => {}
            line = input.recv(), if running.len() < COMMANDS => {
                let line = line?;
                if line.trim().is_empty() {
                    continue;
                }
                let (id, command) = command::read(&line);
                if matches!(command, Ok(Command::Stop)) {
                    return Some(id);
                }
                let (peer, out) = (peer.clone(), out.clone());
                running.spawn(async move {
                    let outcome = match command {
                        Ok(command) => peer.execute(command).await,
                        Err(error) => Err(error),
                    };
                    // If nobody reads any more, nobody misses it.
                    let _ = out.send(command::answer(&id, outcome)).await;
                });
            }
        }
    }
}

/// Writes what happens, until the peer has stopped.
async fn tell(mut events: broadcast::Receiver<Event>, out: mpsc::Sender<String>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Notice { text: format!("{count} events came too fast to be told") },
            Err(RecvError::Closed) => return,
        };
        match serde_json::to_string(&event) {
            Ok(line) => {
                if out.send(line).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, "an event can't be written"),
        }
    }
}

/// Reads lines in a thread of its own.
pub fn read_lines(input: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (lines, received) = mpsc::channel(COMMANDS);
    std::thread::spawn(move || {
        let mut input = io::BufReader::new(input);
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line);
            let whole = line.ends_with(b"\n");
            // What is longer than any line ends the input, as does the end.
            if !matches!(read, Ok(1..)) || (!whole && line.len() == MAX_LINE) {
                return;
            }
            if lines.blocking_send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    received
}

/// Writes lines in a thread of its own, which ends once every sender is gone.
pub fn write_lines(mut output: impl Write + Send + 'static) -> (mpsc::Sender<String>, std::thread::JoinHandle<()>) {
    let (lines, mut received) = mpsc::channel::<String>(LINES);
    let thread = std::thread::spawn(move || {
        while let Some(line) = received.blocking_recv() {
            if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
                return;
            }
        }
    });
    (lines, thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &'static [u8]) -> Vec<String> {
        let mut received = read_lines(input);
        std::iter::from_fn(move || received.blocking_recv()).collect()
    }

    #[test]
    fn lines_are_read_to_the_end_even_without_a_last_newline() {
        assert_eq!(lines(b"one\ntwo\n\nthree"), ["one\n", "two\n", "\n", "three"]);
        assert_eq!(lines(b"\xff\n"), ["\u{fffd}\n"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn the_longest_line_is_read_and_a_longer_one_ends_the_input() {
        let mut input = vec![b'x'; MAX_LINE - 1];
        input.push(b'\n');
        let received = lines(input.leak());
        assert_eq!((received.len(), received[0].len()), (1, MAX_LINE));
        let mut input = vec![b'x'; MAX_LINE];
        input.extend(b"\nnext\n");
        assert!(lines(input.leak()).is_empty());
    }
}
