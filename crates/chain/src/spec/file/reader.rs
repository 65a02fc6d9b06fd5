//! Tables and values of TOML that know their names and lines, so that every error can say them.

use std::ops::{Range, RangeInclusive};

use bitcoin::hex::FromHex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Error, MAX_SIZE};

/// What a number of up to 256 bits looks like.
pub(super) const NUMBER: &str = "1 to 64 hexadecimal digits";

/// Most characters of a value that an error repeats.
const SHOWN: usize = 40;

/// Reads the text as TOML.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, Error> {
    if text.len() > MAX_SIZE {
        return Err(Error::TooLong { size: text.len() });
    }
    DeTable::parse(text).map_err(|cause| {
        let line = line(text, cause.span().map_or(text.len(), |span| span.start));
        Error::Syntax { line, cause: Box::new(cause) }
    })
}

/// The line of a byte, from 1.
fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
}

/// One table, of which every key is one that may be there.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    /// Names of the tables it is in, each followed by a dot.
    path: String,
    table: &'a DeTable<'a>,
    line: usize,
}

/// One value.
#[derive(Debug)]
pub(super) struct Value<'a> {
    text: &'a str,
    field: String,
    value: &'a DeValue<'a>,
    span: Range<usize>,
}

impl<'a> Reader<'a> {
    /// The whole text.
    pub(super) fn root(text: &'a str, table: &'a DeTable<'a>, keys: &[&str]) -> Result<Self, Error> {
        Self::new(text, String::new(), table, 1, keys)
    }

    fn new(
        text: &'a str,
        path: String,
        table: &'a DeTable<'a>,
        line_of_table: usize,
        keys: &[&str],
    ) -> Result<Self, Error> {
        // The first by place, so that the same text always gives the same error.
        let unknown =
            table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())).min_by_key(|key| key.span().start);
        match unknown {
            Some(key) => Err(Error::Unknown {
                line: line(text, key.span().start),
                field: format!("{path}{}", shortened(key.get_ref())),
                allowed: keys.join(", "),
            }),
            None => Ok(Self { text, path, table, line: line_of_table }),
        }
    }

    /// A value that may be missing.
    pub(super) fn optional(&self, key: &str) -> Option<Value<'a>> {
        let value = self.table.get(key)?;
        let field = format!("{}{key}", self.path);
        Some(Value { text: self.text, field, value: value.get_ref(), span: value.span() })
    }

    /// A value that must be there.
    pub(super) fn required(&self, key: &str) -> Result<Value<'a>, Error> {
        self.optional(key).ok_or_else(|| Error::Missing { line: self.line, field: format!("{}{key}", self.path) })
    }

    /// A table that must be there, with the keys it may have.
    pub(super) fn table(&self, key: &str, keys: &[&str]) -> Result<Self, Error> {
        self.required(key)?.table(keys)
    }

    /// A table that may be missing.
    pub(super) fn optional_table(&self, key: &str, keys: &[&str]) -> Result<Option<Self>, Error> {
        self.optional(key).map(|value| value.table(keys)).transpose()
    }

    /// A text that must be there and pass `test`.
    pub(super) fn text(&self, key: &str, allowed: &str, test: impl Fn(&str) -> bool) -> Result<String, Error> {
        self.required(key)?.parsed(allowed, |text| test(text).then(|| text.to_owned()))
    }

    /// Four bytes that must be there.
    pub(super) fn bytes(&self, key: &str) -> Result<[u8; 4], Error> {
        self.required(key)?.parsed("8 hexadecimal digits", |text| FromHex::from_hex(text).ok())
    }

    /// A truth value; false if it is missing.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Error> {
        let Some(value) = self.optional(key) else { return Ok(false) };
        value.value.as_bool().ok_or_else(|| value.not_allowed("true, false"))
    }

    /// The line of a value, or of the table if it is missing.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.optional(key).map_or(self.line, |value| value.line())
    }
}

impl<'a> Value<'a> {
    fn line(&self) -> usize {
        line(self.text, self.span.start)
    }

    fn table(self, keys: &[&str]) -> Result<Reader<'a>, Error> {
        match self.value.as_table() {
            Some(table) => Reader::new(self.text, format!("{}.", self.field), table, self.line(), keys),
            None => Err(self.not_allowed("a table")),
        }
    }

    /// The value, if it is text.
    pub(super) fn str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// What `parse` makes of the text; `allowed` says of what it makes something.
    pub(super) fn parsed<T>(self, allowed: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        self.str().and_then(parse).ok_or_else(|| self.not_allowed(allowed))
    }

    /// An integer within `range`, which must lie within that of `T`.
    pub(super) fn integer<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Result<T, Error> {
        let number =
            self.value.as_integer().and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        number
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.not_allowed(&format!("an integer from {} to {}", range.start(), range.end())))
    }

    /// The error that says the value can't be.
    pub(super) fn not_allowed(&self, allowed: &str) -> Error {
        let found = shortened(self.text.get(self.span.clone()).unwrap_or_default());
        Error::NotAllowed { line: self.line(), field: self.field.clone(), found, allowed: allowed.to_owned() }
    }

    /// The error that says the field means nothing under that retarget rule.
    pub(super) fn misplaced(self, retarget: &str) -> Error {
        Error::Misplaced { line: self.line(), field: self.field, retarget: retarget.to_owned() }
    }
}

/// One line of at most [`SHOWN`] characters.
fn shortened(text: &str) -> String {
    let mut chars = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut shown: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
