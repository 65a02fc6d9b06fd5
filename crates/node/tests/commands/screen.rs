//! What stands on a terminal: of its language (ECMA-48) what the status uses. When it becomes narrower or wider, lines are
//! broken anew, as most terminals do.

/// A row, and whether it goes on in the next because there was no room.
#[derive(Clone, Debug, Default)]
struct Row {
    text: Vec<char>,
    broken: bool,
}

/// The screen, and all that was scrolled off it.
#[derive(Debug)]
pub(crate) struct Screen {
    width: usize,
    rows: Vec<Row>,
    row: usize,
    column: usize,
    /// Bytes of a letter or sequence that has not come whole.
    rest: Vec<u8>,
}

impl Screen {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, rows: vec![Row::default()], row: 0, column: 0, rest: Vec::new() }
    }

    /// What stands there.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.text.iter().collect::<String>().trim_end().to_owned()).collect()
    }

    /// Takes what is written to the terminal.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.rest.extend(bytes);
        let rest = std::mem::take(&mut self.rest);
        let whole = match std::str::from_utf8(&rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap(),
        };
        let mut left = whole;
        while let Some(letter) = left.chars().next() {
            if letter == '\x1b' {
                // ESC [ parameters letter
                let Some(end) = left.char_indices().skip(2).find(|(_, one)| one.is_ascii_alphabetic()) else { break };
                self.sequence(&left[2..end.0], end.1);
                left = &left[end.0 + 1..];
                continue;
            }
            self.letter(letter);
            left = &left[letter.len_utf8()..];
        }
        let used = whole.len() - left.len();
        self.rest = rest[used..].to_vec();
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '\r' => self.column = 0,
            '\n' => self.down(),
            _ => {
                if self.column == self.width {
                    self.rows[self.row].broken = true;
                    self.down();
                    self.column = 0;
                }
                let text = &mut self.rows[self.row].text;
                text.resize(text.len().max(self.column + 1), ' ');
                text[self.column] = letter;
                self.column += 1;
            }
        }
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Row::default());
        }
    }

    fn sequence(&mut self, parameters: &str, kind: char) {
        match kind {
            'A' => self.row = self.row.saturating_sub(parameters.parse().unwrap_or(1)),
            'K' => self.clear(),
            'J' => {
                self.clear();
                self.rows.truncate(self.row + 1);
            }
            // Colours, and what hides the cursor.
            'm' | 'h' | 'l' => {}
            other => panic!("the terminal is told ESC [ {parameters} {other}"),
        }
    }

    /// To the end of the row.
    fn clear(&mut self) {
        let row = &mut self.rows[self.row];
        row.text.truncate(self.column);
        row.broken = false;
    }

    /// Breaks all lines anew. The cursor stays in its place of the text.
    pub(crate) fn resize(&mut self, width: usize) {
        let (mut rows, mut cursor) = (Vec::new(), (0, 0));
        let mut line: Vec<char> = Vec::new();
        let mut place = None;
        for (number, row) in self.rows.iter().enumerate() {
            if number == self.row {
                place = Some(line.len() + self.column);
            }
            line.extend(&row.text);
            if row.broken && number + 1 < self.rows.len() {
                continue;
            }
            if let Some(place) = place.take() {
                cursor = (rows.len() + place / width, place % width);
            }
            let mut parts: Vec<Vec<char>> = line.chunks(width).map(<[char]>::to_vec).collect();
            if parts.is_empty() {
                parts.push(Vec::new());
            }
            let last = parts.len() - 1;
            rows.extend(parts.into_iter().enumerate().map(|(number, text)| Row { text, broken: number < last }));
            line.clear();
        }
        (self.row, self.column) = cursor;
        rows.resize(rows.len().max(self.row + 1), Row::default());
        (self.width, self.rows) = (width, rows);
    }
}

#[test]
fn a_screen_shows_what_a_terminal_would() {
    let mut screen = Screen::new(10);
    screen.take("above\r\none two three\r\n\x1b[1mfo".as_bytes());
    screen.take("ur\x1b[0m\r\n".as_bytes());
    assert_eq!(screen.rows(), ["above", "one two th", "ree", "four", ""]);
    screen.resize(5);
    assert_eq!(screen.rows(), ["above", "one t", "wo th", "ree", "four", ""]);
    screen.take("\r\x1b[4Anew\x1b[K\r\n\x1b[J".as_bytes());
    assert_eq!(screen.rows(), ["above", "new", ""]);
    let letter = "ü".as_bytes();
    screen.take(&letter[..1]);
    screen.take(&letter[1..]);
    assert_eq!(screen.rows()[2], "ü");
}
