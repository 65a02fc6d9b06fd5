//! Names that say whose a thing is: `yl<process id>-<label>`.
//!
//! Namespaces and folders bear them. A thing whose name does not parse is somebody else's and is never touched.

use std::fmt;
use std::str::FromStr;

/// What every name begins with.
const PREFIX: &str = "yl";

/// Longest label, in bytes. With it a name stays below 64 bytes, and can be read in a listing.
pub const MAX_LABEL: usize = 40;

/// The name of something that a run made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    run: u32,
    label: String,
}

/// Text that is no name of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't be a label: 1 to {MAX_LABEL} lower-case letters, digits and '-'")]
pub struct NameError(String);

impl Name {
    /// The name of `label` in the run of this process id.
    ///
    /// # Errors
    ///
    /// The label is empty, longer than [`MAX_LABEL`] or has other signs than lower-case letters, digits and `-`.
    pub fn new(run: u32, label: &str) -> Result<Self, NameError> {
        let fits = (1..=MAX_LABEL).contains(&label.len());
        let plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits && plain { Ok(Self { run, label: label.to_owned() }) } else { Err(NameError(label.to_owned())) }
    }

    /// Process id of the run that made the thing.
    #[must_use]
    pub fn run(&self) -> u32 {
        self.run
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", self.run, self.label)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let foreign = || NameError(text.to_owned());
        let (run, label) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).ok_or_else(foreign)?;
        // `parse` alone would take "+7" and "007", which no run writes.
        let run: u32 = run.parse().ok().filter(|number: &u32| number.to_string() == run).ok_or_else(foreign)?;
        Self::new(run, label)
    }
}
