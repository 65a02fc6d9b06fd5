//! Numbers, times and tables in words.
//!
//! Pure: whoever calls brings the time. What comes from other people (labels, messages, names of programs) is made
//! harmless by [`harmless`] before a terminal sees it.

use std::fmt::Write as _;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Age up to which something happened "just now".
const JUST_NOW: u64 = 2;

/// Seconds by which a time may be ahead of the clock, and still is "just now": as far as blocks of `local` may.
const AHEAD: u64 = 600;

/// Age from which a date is told instead of a number of days.
const OLD: u64 = 30 * DAY;

/// `1,234,567`.
pub(in crate::cli) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 block`, `1,200 blocks`.
pub(in crate::cli) fn count(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        // Consonant and `y`.
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{} {stem}ies", grouped(number)),
        _ => format!("{} {noun}s", grouped(number)),
    }
}

/// `850 B`, `1.2 kB`, `3.4 MB`.
pub(in crate::cli) fn bytes(number: u64) -> String {
    let units = [(number / 100_000_000, "GB"), (number / 100_000, "MB"), (number / 100, "kB")];
    for (tenths, unit) in units {
        if tenths >= 10 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{number} B")
}

/// A number of seconds: `12 s`, `3 min`, `2 h 5 min`, `4 days`.
pub(in crate::cli) fn span(seconds: u64) -> String {
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY if seconds % HOUR < MINUTE => format!("{} h", seconds / HOUR),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => count(seconds / DAY, "day"),
    }
}

/// How long ago a Unix time is: `just now`, `3 min ago`; long ago, its date. Blocks' times may be ahead of the clock.
pub(in crate::cli) fn ago(now: u64, time: u64) -> String {
    match now.saturating_sub(time) {
        0 if time > now.saturating_add(AHEAD) => format!("in {}", span(time.saturating_sub(now))),
        0..=JUST_NOW => "just now".into(),
        age @ 0..OLD => format!("{} ago", span(age)),
        _ => date(time),
    }
}

/// `2026-01-01`, of Greenwich.
pub(in crate::cli) fn date(time: u64) -> String {
    // Days are counted from 1 March of year 0, so that the leap day is the last of its year.
    // Source: Howard Hinnant, "chrono-compatible low-level date algorithms" (public domain).
    let days = (time / DAY).saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = (day_of_era / 1_460).saturating_add(day_of_era / 146_096).saturating_sub(day_of_era / 36_524);
    let year_of_era = day_of_era.saturating_sub(leaps) / 365;
    let first = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(first);
    let month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = day_of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let (month, next) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(next);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `14:03:22`, of Greenwich.
pub(in crate::cli) fn clock(time: u64) -> String {
    let second = time % DAY;
    format!("{:02}:{:02}:{:02}", second / HOUR, second % HOUR / MINUTE, second % MINUTE)
}

/// The first and last characters of what is too long to be read: `d2f1a09c…77b0`.
pub(in crate::cli) fn short(text: &str) -> String {
    let letters = text.chars().count();
    if letters <= 16 {
        return text.to_owned();
    }
    let head: String = text.chars().take(8).collect();
    let tail: String = text.chars().skip(letters.saturating_sub(4)).collect();
    format!("{head}…{tail}")
}

/// Text that can do nothing to a terminal: control characters are written as escapes, and so are those that turn the
/// direction of writing, since they make an address look like another. Line ends stay.
pub(in crate::cli) fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (letter.is_control() && letter != '\n') || turns {
            // Writing to a string can't fail.
            let _ = write!(clean, "{}", letter.escape_unicode());
        } else {
            clean.push(letter);
        }
    }
    clean
}

/// Rows whose cells stand below one another.
#[derive(Debug, Default)]
pub(in crate::cli) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these columns; those whose heading begins with `>` are set to the right.
    pub(in crate::cli) fn new<const N: usize>(headings: [&str; N]) -> Self {
        let right = headings.iter().enumerate().filter(|(_, heading)| heading.starts_with('>'));
        let right = right.map(|(column, _)| column).collect();
        let headings = headings.iter().map(|heading| heading.trim_start_matches('>').to_owned());
        Self { rows: vec![headings.collect()], right }
    }

    /// Lines of a name and what belongs to it, without headings.
    pub(in crate::cli) fn facts() -> Self {
        Self::default()
    }

    /// Adds a row. A line end within a cell would break it, and becomes a space.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| harmless(&cell.replace(['\n', '\r'], " "))).into());
    }

    /// Adds a name and what belongs to it.
    pub(in crate::cli) fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.row([name.to_owned(), value.into()]);
    }

    /// The table as text, each row with its line end.
    pub(in crate::cli) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width.saturating_sub(cell.chars().count()));
                let gap = if column == 0 { "" } else { "  " };
                let (before, after) = if self.right.contains(&column) { (&*space, "") } else { ("", &*space) };
                line.extend([gap, before, cell, after]);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "block"), "1 block");
        assert_eq!(count(0, "block"), "0 blocks");
        assert_eq!(count(1200, "reply"), "1,200 replies");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_290), "1.2 kB");
        assert_eq!(bytes(3_400_000), "3.4 MB");
    }

    #[test]
    fn times_are_told_as_people_do() {
        let now = 1_767_225_600;
        for (age, told) in [
            (0, "just now"),
            (12, "12 s ago"),
            (200, "3 min ago"),
            (3600, "1 h ago"),
            (7500, "2 h 5 min ago"),
            (4 * 86_400, "4 days ago"),
            (86_400, "1 day ago"),
            (31 * 86_400, "2025-12-01"),
        ] {
            assert_eq!(ago(now, now - age), told);
        }
        assert_eq!(ago(now, now + 3600), "in 1 h");
        assert_eq!(ago(now, now + 600), "just now");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (time, told) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_231_006_505, "2009-01-03"),
            (1_767_225_600, "2026-01-01"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(time), told);
        }
        assert_eq!(clock(1_231_006_505), "18:15:05");
    }

    #[test]
    fn no_text_of_others_steers_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r"), "a\\u{1b}[2Jb\\u{d}");
        assert_eq!(harmless("\u{202e}pay"), "\\u{202e}pay");
        assert_eq!(harmless("Grüße\n"), "Grüße\n");
        let mut table = Table::facts();
        table.fact("label", "two\nlines\u{7}");
        assert_eq!(table.text(), "label  two lines\\u{7}\n");
    }

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new(["Peer", ">Height"]);
        table.row(["ä".into(), "7".into()]);
        table.row(["long name".into(), "1,000".into()]);
        assert_eq!(table.text(), "Peer       Height\nä               7\nlong name   1,000\n");
    }

    #[test]
    fn long_ids_keep_both_ends() {
        assert_eq!(short("0123456789abcdef"), "0123456789abcdef");
        assert_eq!(short("0123456789abcdef0"), "01234567…def0");
    }
}
