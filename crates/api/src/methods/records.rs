//! What the peer-to-peer network keeps for everybody: values under keys, who has what a key stands for, and topics.
//!
//! Keys, values and messages are text, or bytes in hexadecimal digits where `hex` says so. Whatever is not text comes
//! back in digits. Messages of topics that are subscribed to come by the event stream (`/events`), as `message`.

mod keys;
#[cfg(test)]
mod tests;
mod topics;

use bitcoin::hex::{DisplayHex, FromHex};

pub(crate) use self::topics::topic;
use crate::backend::RecordError;
use crate::error::{Code, Error};
use crate::method::Methods;

/// Most bytes of a key.
pub(crate) const MAX_KEY: usize = 256;

/// Most bytes of a value, or of a message.
pub(crate) const MAX_VALUE: usize = 60_000;

/// Most bytes of a topic's name.
pub(crate) const MAX_TOPIC: usize = 128;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<keys::Put>()
        .with::<keys::Get>()
        .with::<keys::Withdraw>()
        .with::<keys::Provide>()
        .with::<keys::StopProviding>()
        .with::<keys::Providers>()
        .with::<topics::Publish>()
        .with::<topics::Subscribe>()
        .with::<topics::Unsubscribe>()
}

/// The bytes that a parameter stands for: `least` at least, `most` at most.
fn read(text: &str, hex: bool, name: &str, (least, most): (usize, usize)) -> Result<Vec<u8>, Error> {
    let bytes = if hex {
        Vec::from_hex(text).map_err(|_| {
            Error::new(Code::InvalidParameter, format!("{name} must be hexadecimal digits, two for each byte"))
        })?
    } else {
        text.as_bytes().to_vec()
    };
    if bytes.len() < least {
        return Err(Error::new(Code::InvalidParameter, format!("{name} must not be empty")));
    }
    if bytes.len() > most {
        let text = format!("{name} has {} bytes, and may have {most} at most", bytes.len());
        return Err(Error::new(Code::InvalidParameter, text));
    }
    Ok(bytes)
}

/// The bytes of a key.
fn key(text: &str, hex: bool) -> Result<Vec<u8>, Error> {
    read(text, hex, "key", (1, MAX_KEY))
}

/// Bytes as text, and whether it is hexadecimal digits.
fn write(bytes: Vec<u8>, hex: bool) -> (String, bool) {
    if hex {
        return (bytes.to_lower_hex_string(), true);
    }
    String::from_utf8(bytes).map_or_else(|error| (error.as_bytes().to_lower_hex_string(), true), |text| (text, false))
}

/// What an error is as an answer.
fn refused(error: &RecordError) -> Error {
    let code = match error {
        RecordError::NotFound => Code::NotFound,
        RecordError::Alone => Code::NotConnected,
        RecordError::Refused(_) => Code::Misc,
    };
    Error::new(code, error.to_string())
}
