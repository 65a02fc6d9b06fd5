//! What scenarios have shown, as a table.

use std::fmt::Write as _;
use std::time::Duration;

/// What one run of a scenario has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The time that the scenario is about, if it is about one.
    pub time: Option<Duration>,
    /// What else is worth knowing, in a few words.
    pub note: String,
}

impl Measured {
    /// A time.
    #[must_use]
    pub fn time(time: Duration) -> Self {
        Self { time: Some(time), note: String::new() }
    }

    /// With something else worth knowing.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// A scenario's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What must be seen, in words.
    pub needed: String,
    /// The longest that its time may be.
    pub limit: Option<Duration>,
    /// What each run has shown, or why it failed.
    pub runs: Vec<Result<Measured, String>>,
}

impl Row {
    /// Whether a run has shown what is needed.
    fn is_good(&self, run: &Result<Measured, String>) -> bool {
        let within = |measured: &Measured| match (measured.time, self.limit) {
            (Some(time), Some(limit)) => time <= limit,
            // A limit without a time to hold against it would be kept by every run.
            (None, Some(_)) => false,
            (_, None) => true,
        };
        run.as_ref().is_ok_and(within)
    }

    /// Runs that have shown what is needed.
    #[must_use]
    pub fn good(&self) -> usize {
        self.runs.iter().filter(|run| self.is_good(run)).count()
    }

    /// Whether all have. A scenario that did not run has shown nothing.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.runs.is_empty() && self.good() == self.runs.len()
    }

    fn times(&self) -> Vec<Duration> {
        let mut times: Vec<_> = self.runs.iter().filter_map(|run| run.as_ref().ok()?.time).collect();
        times.sort_unstable();
        times
    }

    /// The first failure, else what the last run noted.
    fn remark(&self) -> String {
        let failure = self.runs.iter().find_map(|run| run.as_ref().err());
        let note = || self.runs.iter().rev().find_map(|run| run.as_ref().ok()).map(|run| run.note.clone());
        failure.cloned().or_else(note).unwrap_or_default()
    }

    fn cells(&self) -> [String; 7] {
        let times = self.times();
        let shown = |time: Option<&Duration>| time.map_or_else(|| "–".to_owned(), |time| seconds(*time));
        let middle = times.len().checked_div(2).and_then(|middle| times.get(middle));
        let limit = self.limit.map_or_else(String::new, |limit| format!(" (≤ {})", seconds(limit)));
        [
            self.name.clone(),
            format!("{}{limit}", self.needed),
            format!("{}/{}", self.good(), self.runs.len()),
            shown(middle),
            shown(times.last()),
            if self.passed() { "pass" } else { "FAIL" }.to_owned(),
            self.remark(),
        ]
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

const HEAD: [&str; 7] = ["scenario", "needed", "runs", "median", "worst", "verdict", "remark"];

/// The rows as a table of Markdown.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut out = format!("| {} |\n|{}\n", HEAD.join(" | "), "---|".repeat(HEAD.len()));
    for row in rows {
        // A bar would end the cell, and a line break the row.
        let cells = row.cells().map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

/// Longest remark in a table of plain text, in characters.
const REMARK: usize = 160;

/// The rows as a table of plain text.
#[must_use]
pub fn plain(rows: &[Row]) -> String {
    let lines: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0_usize; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        let last = line.len().saturating_sub(1);
        for (place, (cell, width)) in line.iter().zip(widths).enumerate() {
            if place == last {
                text.extend(cell.replace('\n', " ").chars().take(REMARK));
            } else {
                let _ = write!(text, "{cell:width$}  ");
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Measured, Row, markdown, plain};
    use std::time::Duration;

    fn row(limit: Option<u64>, runs: &[Result<u64, &str>]) -> Row {
        let measured = |run: &Result<u64, &str>| match run {
            Ok(millis) => Ok(Measured::time(Duration::from_millis(*millis))),
            Err(why) => Err((*why).to_owned()),
        };
        Row {
            name: "lan".to_owned(),
            needed: "connected".to_owned(),
            limit: limit.map(Duration::from_millis),
            runs: runs.iter().map(measured).collect(),
        }
    }

    #[test]
    fn a_run_at_its_limit_is_good_and_one_past_it_is_not() {
        assert!(row(Some(2000), &[Ok(2000), Ok(10)]).passed());
        assert!(!row(Some(2000), &[Ok(2001), Ok(10)]).passed());
    }

    #[test]
    fn one_failure_of_ten_fails_the_scenario_and_is_told() {
        let mut runs = vec![Ok(5); 9];
        runs.push(Err("bob: no connection"));
        let row = row(Some(2000), &runs);
        assert!(!row.passed() && row.good() == 9);
        let table = plain(&[row]);
        assert!(table.contains("9/10") && table.contains("FAIL") && table.contains("bob: no connection"), "{table}");
    }

    #[test]
    fn what_did_not_run_or_measured_nothing_has_not_passed() {
        assert!(!row(Some(1), &[]).passed() && !row(None, &[]).passed());
        let timeless = Row { runs: vec![Ok(Measured::default())], ..row(Some(1), &[]) };
        assert!(!timeless.passed());
        assert!(Row { limit: None, ..timeless }.passed());
    }

    #[test]
    fn a_row_of_markdown_stays_one_row() {
        let table = markdown(&[row(None, &[Err("a|b\nc")])]);
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("a\\|b c"), "{table}");
    }

    #[test]
    fn the_median_and_the_worst_are_of_all_runs() {
        let table = plain(&[row(Some(9000), &[Ok(300), Ok(100), Ok(8000)])]);
        assert!(table.contains("0.30 s") && table.contains("8.00 s") && table.contains("(≤ 9.00 s)"), "{table}");
    }
}
