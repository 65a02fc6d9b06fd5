//! From text to a [`Given`].

use std::str::FromStr;

use super::{Given, GivenError};

impl FromStr for Given {
    type Err = GivenError;

    fn from_str(text: &str) -> Result<Self, GivenError> {
        todo!("{text}")
    }
}
