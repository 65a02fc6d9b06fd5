//! Passphrases and words: asked for on the terminal, without echo where that matters, or read from a file. Never from
//! the command line, which other users of the computer can see and the shell remembers.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Error, interrupt};

/// Characters of which a passphrase has more than of any that is worth its name.
const LONGEST: u64 = 4096;

/// Characters below which a passphrase is told to be short.
const SHORT: usize = 8;

/// Where a passphrase comes from.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Source {
    /// Read the passphrase from the first line of a file (-: standard input) instead of asking for it.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Source {
    /// A file, or whoever sits at the terminal.
    pub(in crate::cli) fn of(passphrase_file: Option<PathBuf>) -> Self {
        Self { passphrase_file }
    }

    /// Whether it comes from a file.
    pub(in crate::cli) fn is_file(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// The passphrase of a wallet that has one.
    pub(in crate::cli) fn ask(&self, prompt: &str) -> Result<String, Error> {
        match &self.passphrase_file {
            Some(file) => first_line(file),
            None => hidden(prompt),
        }
    }

    /// A passphrase to be: asked for twice.
    pub(in crate::cli) fn choose(&self, output: &super::Output) -> Result<String, Error> {
        let Some(file) = &self.passphrase_file else {
            let chosen = hidden("New passphrase: ")?;
            if chosen.is_empty() {
                return Err(Error::NoPassphrase);
            }
            if chosen.chars().count() < SHORT {
                output.note("this passphrase is short: whoever gets the wallet's file may guess it");
            }
            if hidden("The same again: ")? != chosen {
                return Err(Error::NotTheSame);
            }
            return Ok(chosen);
        };
        let chosen = first_line(file)?;
        if chosen.is_empty() { Err(Error::NoPassphrase) } else { Ok(chosen) }
    }
}

fn first_line(file: &Path) -> Result<String, Error> {
    let failed = |cause| Error::Read { path: file.to_owned(), cause };
    if file == Path::new("-") {
        return line_of(&mut std::io::stdin().lock()).map_err(failed);
    }
    line_of(&mut BufReader::new(File::open(file).map_err(failed)?)).map_err(failed)
}

fn line_of(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(line)
}

/// Everything that stands in a file or comes from standard input, or is typed in one line, seen while it is typed.
pub(in crate::cli) fn words(file: Option<&Path>, prompt: &str) -> Result<String, Error> {
    let Some(file) = file else {
        if std::io::stdin().is_terminal() {
            return visible(prompt);
        }
        return words(Some(Path::new("-")), prompt);
    };
    let failed = |cause| Error::Read { path: file.to_owned(), cause };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text)).map_err(failed)?;
    }
    Ok(text)
}

/// Asks for `y`. Whoever can't be asked has not agreed.
pub(in crate::cli) fn agrees(question: &str) -> Result<bool, Error> {
    let answer = visible(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whether there is somebody who can be asked.
pub(in crate::cli) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn visible(prompt: &str) -> Result<String, Error> {
    ask(prompt).map_err(Error::Terminal)?;
    line_of(&mut std::io::stdin().lock()).map_err(Error::Terminal)
}

fn ask(prompt: &str) -> std::io::Result<()> {
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{prompt}")?;
    terminal.flush()
}

#[cfg(unix)]
fn hidden(prompt: &str) -> Result<String, Error> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    // The terminal itself: standard input and output may be something else.
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| Error::NoTerminal)?;
    let modes = tcgetattr(&terminal).map_err(|_| Error::NoTerminal)?;
    let failed = |cause: rustix::io::Errno| Error::Terminal(cause.into());
    let (handle, before) = (terminal.try_clone().map_err(Error::Terminal)?, modes.clone());
    let guard = interrupt::on(move || {
        // The process ends; there is nobody to tell.
        let _ = tcsetattr(&handle, OptionalActions::Now, &before);
        std::process::exit(interrupt::CODE);
    });
    let mut silent = modes.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(failed)?;
    let asked = (&terminal).write_all(prompt.as_bytes()).and_then(|()| line_of(&mut BufReader::new(&terminal)));
    let restored = tcsetattr(&terminal, OptionalActions::Now, &modes);
    drop(guard);
    let line = asked.map_err(Error::Terminal)?;
    restored.map_err(failed)?;
    Ok(line)
}

#[cfg(not(unix))]
fn hidden(_: &str) -> Result<String, Error> {
    // Nothing here could turn the echo off.
    Err(Error::NoTerminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_as_it_is() {
        let line = |text: &str| line_of(&mut text.as_bytes()).unwrap();
        assert_eq!(line(" two words \r\nmore"), " two words ");
        assert_eq!(line("no end"), "no end");
        assert_eq!(line(""), "");
        let most = usize::try_from(LONGEST).unwrap();
        assert_eq!(line(&"x".repeat(most)).len(), most);
        assert_eq!(line(&"x".repeat(most + 1)).len(), most);
    }

    #[test]
    fn words_may_stand_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("words");
        std::fs::write(&file, "abandon\nabout\n").unwrap();
        assert_eq!(words(Some(&file), "").unwrap(), "abandon\nabout\n");
        let source = Source { passphrase_file: Some(file) };
        assert_eq!(source.ask("").unwrap(), "abandon");
        let missing = words(Some(Path::new("/nowhere/at/all")), "").unwrap_err();
        assert!(missing.to_string().contains("/nowhere/at/all"));
    }
}
