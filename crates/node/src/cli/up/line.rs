//! A line of text in which parts have a weight, before anybody knows whether colours are shown.

use std::fmt::Write as _;

/// How a part of a line is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// As any text.
    #[default]
    Plain,
    /// What is always the same.
    Dim,
    /// What is looked for first.
    Strong,
    /// What went well.
    Good,
    /// What needs the user.
    Warn,
}

impl Style {
    /// The sequence that begins it (ECMA-48, SGR).
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Dim => Some("2"),
            Self::Strong => Some("1"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
        }
    }
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(String, Style)>);

impl Line {
    pub(super) fn of(style: Style, text: impl Into<String>) -> Self {
        Self::default().with(style, text)
    }

    pub(super) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        // What peers say is shown, and must not steer the terminal.
        let text: String = text.into().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        self.0.push((text, style));
        self
    }

    /// This line, and that one behind it.
    pub(super) fn joined(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Letters.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text.chars().count()).sum()
    }

    /// Cut to `width` letters, with an ellipsis where something is missing.
    pub(super) fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut left = width.saturating_sub(1);
        let mut cut = Vec::new();
        for (text, style) in self.0 {
            let part: String = text.chars().take(left).collect();
            left = left.saturating_sub(part.chars().count());
            cut.push((part, style));
        }
        if width > 0 {
            cut.push(("…".to_owned(), Style::Dim));
        }
        Self(cut)
    }

    /// The text alone.
    pub(super) fn plain(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// The text for a terminal.
    pub(super) fn paint(&self, colours: bool) -> String {
        if !colours {
            return self.plain();
        }
        let mut painted = String::new();
        for (text, style) in &self.0 {
            // Writing to a string does not fail.
            let _ = match style.code() {
                Some(code) => write!(painted, "\x1b[{code}m{text}\x1b[0m"),
                None => painted.write_str(text),
            };
        }
        painted
    }
}

/// Breaks text into lines of at most `width` letters, at spaces where there are some.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        let room = width.saturating_sub(line.chars().count().saturating_add(1));
        if !line.is_empty() && word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > width {
            lines.push(word.drain(..width).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_it_must_be() {
        let line = || Line::of(Style::Strong, "height ").with(Style::Plain, "128");
        assert_eq!(line().cut(10).plain(), "height 128");
        assert_eq!(line().cut(9).plain(), "height 1…");
        assert_eq!(line().cut(1).plain(), "…");
        assert_eq!(line().cut(0).plain(), "");
    }

    #[test]
    fn colours_are_left_away_where_they_are_not_wanted() {
        let line = Line::of(Style::Warn, "alone").with(Style::Plain, ".");
        assert_eq!(line.paint(false), "alone.");
        assert_eq!(line.paint(true), "\x1b[33malone\x1b[0m.");
    }

    #[test]
    fn what_peers_say_does_not_steer_the_terminal() {
        assert_eq!(Line::of(Style::Plain, "a\x1b[2Jb\nc").paint(true), "a [2Jb c");
    }

    #[test]
    fn text_is_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("set the clock right", 10), ["set the", "clock", "right"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 10), Vec::<String>::new());
        for width in 0..40 {
            let text = "one two three abcdefghijklmnopqrstuvwxyz four";
            assert!(wrap(text, width).iter().all(|line| line.chars().count() <= width.max(1)), "{width}");
            assert_eq!(wrap(text, width).concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
