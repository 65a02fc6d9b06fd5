//! The telling of a demonstration: steps, how long each took, and what was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Error;
use crate::cli::output::{self, Output};

/// Between two looks at the nodes.
const LOOK: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub(super) struct Story<'a> {
    output: &'a Output,
    stop: Arc<AtomicBool>,
    steps: Vec<Value>,
}

impl<'a> Story<'a> {
    pub(super) fn new(output: &'a Output, stop: Arc<AtomicBool>) -> Self {
        Self { output, stop, steps: Vec::new() }
    }

    /// What was done so far, for programs.
    pub(super) fn steps(&self) -> &[Value] {
        &self.steps
    }

    /// Says something, to people.
    pub(super) fn say(&self, text: &str) -> Result<(), Error> {
        if self.output.is_json() {
            return Ok(());
        }
        self.output.lines(text).map_err(of_output)
    }

    /// Does a step, and tells how long it took and what was seen.
    pub(super) fn step(
        &mut self,
        title: &str,
        doing: impl FnOnce(&Self) -> Result<Vec<String>, Error>,
    ) -> Result<(), Error> {
        let number = self.steps.len().saturating_add(1);
        let begun = Instant::now();
        let spinner =
            if self.output.is_json() { None } else { Some(output::spinner(&format!("{number:>2}  {title}"))) };
        let done = doing(self);
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let took = begun.elapsed();
        let seen = done?;
        self.say(&format!("{number:>2}  {title}  ({})", told(took)))?;
        for line in &seen {
            self.say(&format!("      {line}"))?;
        }
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.steps.push(json!({ "step": title, "milliseconds": milliseconds, "seen": seen }));
        Ok(())
    }

    /// Waits until `look` sees something; gives up at the deadline, or when asked to stop. `look` says what it saw
    /// instead, if it has not seen it yet.
    pub(super) fn until<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut() -> Result<Result<T, String>, Error>,
    ) -> Result<Result<T, String>, Error> {
        let begun = Instant::now();
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return Err(Error::Stopped);
            }
            match look()? {
                Err(last) if begun.elapsed() >= limit => return Ok(Err(last)),
                Err(_) => std::thread::sleep(LOOK),
                seen @ Ok(_) => return Ok(seen),
            }
        }
    }
}

/// A time that people can compare: `35 ms`, `1.2 s`.
pub(super) fn told(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

fn of_output(error: crate::cli::Error) -> Error {
    if let crate::cli::Error::Output(cause) = error {
        return Error::Output(cause);
    }
    Error::Output(std::io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(output: &Output) -> Story<'_> {
        Story::new(output, Arc::new(AtomicBool::new(false)))
    }

    #[test]
    fn steps_are_counted_and_kept_for_programs() {
        let output = Output::new(true);
        let mut story = story(&output);
        story.step("begin", |_| Ok(vec!["all is well".into()])).unwrap();
        let failed = story.step("go on", |_| Err(Error::Stopped));
        assert!(matches!(failed, Err(Error::Stopped)));
        assert_eq!(story.steps().len(), 1);
        assert_eq!(story.steps()[0]["step"], "begin");
        assert_eq!(story.steps()[0]["seen"], json!(["all is well"]));
    }

    #[test]
    fn waiting_ends_with_what_was_seen_last() {
        let output = Output::new(true);
        let story = story(&output);
        let mut looks = 0;
        let seen = story.until(Duration::from_secs(60), || {
            looks += 1;
            Ok(if looks == 3 { Ok(looks) } else { Err("not yet".into()) })
        });
        assert_eq!(seen.unwrap(), Ok(3));
        let late = story.until(Duration::ZERO, || Ok(Err::<(), _>("0 peers".into())));
        assert_eq!(late.unwrap(), Err("0 peers".into()));
        story.stop.store(true, Ordering::SeqCst);
        let stopped = story.until(Duration::from_secs(60), || Ok(Ok(())));
        assert!(matches!(stopped, Err(Error::Stopped)));
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        assert_eq!(told(Duration::from_micros(35_900)), "35 ms");
        assert_eq!(told(Duration::from_millis(1_240)), "1.2 s");
    }
}
