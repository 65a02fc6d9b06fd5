//! Where output goes: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Number, Value};
use tracing_subscriber::filter::LevelFilter;
use yap_chain::bitcoin::Amount;

use super::Error;
use super::client::text::harmless;

/// Starts logging to standard error: warnings, with `-v` also information, with `-vv` everything.
pub(super) fn start_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .init();
}

/// A bar on standard error that counts to `total`; hidden unless that is a terminal.
pub(super) fn bar(total: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {pos} of {len}  {eta} left");
    // The template is constant; a wrong one would show in the first run.
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Time between two pictures of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// Something that turns on standard error while `text` goes on; hidden unless that is a terminal.
pub(super) fn spinner(text: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    let spinner = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    spinner.set_message(text.to_owned());
    spinner.enable_steady_tick(TICK);
    spinner
}

/// How results are written.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
}

/// One result: fields with Bitcoin Core's names, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Adds a field.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Adds an amount of coins, with eight decimals as Bitcoin Core writes them.
    pub(super) fn with_amount(self, name: &str, amount: Amount) -> Self {
        let sats = amount.to_sat();
        let coins = format!("{}.{:08}", sats / 100_000_000, sats % 100_000_000);
        match coins.parse::<Number>() {
            Ok(number) => self.with(name, number),
            Err(_) => self.with(name, coins),
        }
    }

    /// Adds a field if there is a value for it.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the result is to be one JSON object.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes the result of a command.
    pub(super) fn fields(&self, fields: Fields) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        self.write(&mut out, fields).map_err(Error::Output)
    }

    fn write(&self, out: &mut impl Write, fields: Fields) -> io::Result<()> {
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &fields.0)?;
            return writeln!(out);
        }
        let width = fields.0.keys().map(String::len).max().unwrap_or(0);
        for (name, value) in &fields.0 {
            match value {
                Value::String(text) => writeln!(out, "{name:width$}  {text}")?,
                Value::Array(values) => {
                    writeln!(out, "{name:width$}  {} entries", values.len())?;
                    for value in values {
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        writeln!(out, "{:width$}  {text}", "")?;
                    }
                }
                value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                    writeln!(out, "{name:width$}  {value}")?;
                }
            }
        }
        Ok(())
    }

    /// Writes a line of text as the result.
    pub(super) fn text(&self, text: &str) -> Result<(), Error> {
        writeln!(io::stdout().lock(), "{text}").map_err(Error::Output)
    }

    /// Writes a node's reply: unchanged for programs, else in words, of which those that come from others can do nothing
    /// to the terminal.
    pub(super) fn reply(&self, reply: &Value, words: impl FnOnce() -> String) -> Result<(), Error> {
        if self.json { self.json(reply) } else { self.lines(&words()) }
    }

    /// Writes a value as JSON over several lines.
    pub(super) fn json(&self, value: &Value) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
        written.and_then(|()| writeln!(out)).map_err(Error::Output)
    }

    /// Writes a value as JSON in one line, at once: for streams.
    pub(super) fn compact(&self, value: &Value) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        writeln!(out, "{value}").and_then(|()| out.flush()).map_err(Error::Output)
    }

    /// Writes words, at once. What would steer a terminal is made harmless there, and left as it is elsewhere.
    pub(super) fn lines(&self, text: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let text = text.strip_suffix('\n').unwrap_or(text);
        let written = if out.is_terminal() { writeln!(out, "{}", harmless(text)) } else { writeln!(out, "{text}") };
        written.and_then(|()| out.flush()).map_err(Error::Output)
    }

    /// Shows something on standard error that is asked about next.
    pub(super) fn aside(&self, text: &str) {
        // Whoever can't see it will not agree.
        let _ = write!(io::stderr().lock(), "{}", harmless(text));
    }

    /// Tells something beside the result.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        // Nobody is left to tell if this fails.
        let _ = writeln!(io::stderr().lock(), "yap: {}", harmless(&text.to_string()));
    }

    /// Tells why a command failed, and what to do about it if that is known.
    pub(super) fn error(&self, error: &Error, advice: Option<&str>) {
        if self.json {
            let fields = Fields::default().with("error", error.to_string()).with_some("mend", advice);
            let _ = self.write(&mut io::stdout().lock(), fields);
        }
        self.note(format_args!("error: {error}"));
        if let Some(advice) = advice {
            self.note(advice);
        }
    }
}
