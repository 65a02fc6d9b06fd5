//! Lines that stay at the bottom of the terminal and are drawn anew in their place.

use std::io;
use std::sync::{Mutex, PoisonError};

use console::Term;

use super::line::Line;

/// The terminal.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Term,
    colours: bool,
    drawn: Mutex<Vec<Line>>,
}

impl Screen {
    /// Standard output, if that is a terminal.
    pub(super) fn of_stdout() -> Option<Self> {
        let terminal = Term::stdout();
        // A terminal that can't move its cursor is told lines, as a file is.
        let able = terminal.is_term() && std::env::var_os("TERM").is_none_or(|name| name != "dumb");
        able.then(|| Self { terminal, colours: console::colors_enabled(), drawn: Mutex::default() })
    }

    /// Letters in a line, of which the last stays free: some terminals break the line there.
    pub(super) fn width(&self) -> usize {
        usize::from(self.terminal.size().1).saturating_sub(1)
    }

    /// Draws these lines in place of the last ones, if they are others.
    pub(super) fn draw(&self, mut lines: Vec<Line>) {
        // What does not fit could not be taken back.
        let rows = usize::from(self.terminal.size().0).saturating_sub(1).max(1);
        lines.truncate(rows);
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if *drawn != lines {
            self.write(&back(&drawn, self.width()), "", &lines);
            *drawn = lines;
        }
    }

    /// Writes text that stays, above the lines.
    pub(super) fn above(&self, text: &str) {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&back(&drawn, self.width()), text, &drawn);
    }

    /// All in one piece, so that nothing flickers.
    fn write(&self, back: &str, text: &str, lines: &[Line]) {
        let mut frame = back.to_owned();
        for line in text.lines() {
            frame.push_str(&format!("{line}\x1b[K\r\n"));
        }
        for line in lines {
            frame.push_str(&format!("{}\x1b[K\r\n", line.paint(self.colours)));
        }
        // Whatever was below is gone.
        frame.push_str("\x1b[J");
        // The node goes on when its terminal has gone.
        let _ = self.terminal.write_str(&frame).and_then(|()| self.terminal.flush());
    }
}

/// What moves the cursor to where the lines begin; a terminal that became narrower has broken them.
fn back(lines: &[Line], width: usize) -> String {
    let rows: usize = lines.iter().map(|line| line.width().div_ceil(width.saturating_add(1)).max(1)).sum();
    if rows == 0 { "\r".to_owned() } else { format!("\r\x1b[{rows}A") }
}

/// Log lines, as the log's writer gives them: one at a time.
impl io::Write for &Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.above(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Style;
    use super::*;

    #[test]
    fn the_cursor_goes_back_over_lines_that_the_terminal_has_broken() {
        let line = |letters: usize| Line::of(Style::Plain, "x".repeat(letters));
        assert_eq!(back(&[], 79), "\r");
        assert_eq!(back(&[line(79), line(0)], 79), "\r\x1b[2A");
        assert_eq!(back(&[line(79), line(0)], 39), "\r\x1b[3A", "80 columns became 40");
    }
}
