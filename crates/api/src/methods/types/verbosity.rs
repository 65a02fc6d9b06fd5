//! How much a reply says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How much a reply says: a number, or `false` for 0 and `true` for 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verbosity(pub i64);

impl<'de> Deserialize<'de> for Verbosity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(flag) => Ok(Self(flag.into())),
            Value::Number(number) => {
                number.as_i64().map(Self).ok_or_else(|| D::Error::custom("JSON integer out of range"))
            }
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Err(D::Error::custom("JSON value is not a number or a boolean as expected"))
            }
        }
    }
}

impl JsonSchema for Verbosity {
    fn schema_name() -> Cow<'static, str> {
        "Verbosity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "boolean"], "minimum": 0 })
    }
}
