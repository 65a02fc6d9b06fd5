//! From parameters as they came to a method's fields, as Bitcoin Core does it (`src/rpc/server.cpp`, `src/rpc/util.cpp`).
//!
//! By position, by name, or both: `args` in a call by name gives the first ones by position. `null` stands for one that
//! is left out. Too many, or too few, is answered with the method's help.

use serde_json::{Map, Value};

use super::{Entry, Prepared};
use crate::error::{Code, Error};

/// The parameter of a call by name that gives the first parameters by position.
const ARGS: &str = "args";

/// What `serde_json` says of an exact number that is not the integer that was wanted.
const NO_INTEGER: &str = "invalid number";

impl Entry {
    /// The parameters by name, ready for the call.
    ///
    /// # Errors
    /// If there are too many or too few, or one that the method does not have.
    pub(crate) fn prepare(&self, parameters: Value) -> Result<Prepared<'_>, Error> {
        let mut named = match parameters {
            Value::Null => Map::new(),
            Value::Array(values) => self.placed(values)?,
            Value::Object(named) => self.named(named)?,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(Error::new(Code::InvalidRequest, "Params must be an array or object"));
            }
        };
        named.retain(|_, value| !value.is_null());
        if self.required().any(|name| !named.contains_key(name)) {
            return Err(Error::new(Code::Misc, self.help()));
        }
        Ok(Prepared { entry: self, named })
    }

    /// Parameters by position.
    fn placed(&self, values: Vec<Value>) -> Result<Map<String, Value>, Error> {
        if values.len() > self.names().len() {
            return Err(Error::new(Code::Misc, self.help()));
        }
        Ok(self.names().iter().cloned().zip(values).collect())
    }

    /// Parameters by name.
    fn named(&self, mut given: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let invalid = |text| Error::new(Code::InvalidParameter, text);
        let mut named = match given.shift_remove(ARGS) {
            Some(Value::Array(values)) if !self.names().iter().any(|name| name == ARGS) => self.placed(values)?,
            Some(value) => Map::from_iter([(ARGS.to_owned(), value)]),
            None => Map::new(),
        };
        for (name, value) in given {
            let alias = self.aliases.iter().find(|(alias, _)| *alias == name);
            let field = alias.map_or(name.as_str(), |(_, field)| *field);
            if named.contains_key(field) {
                let text = format!("Parameter {field} specified twice both as positional and named argument");
                return Err(invalid(text));
            }
            named.insert(field.to_owned(), value);
        }
        match named.keys().find(|name| !self.names().contains(name)) {
            Some(unknown) => Err(invalid(format!("Unknown named parameter {unknown}"))),
            None => Ok(named),
        }
    }

    /// Names of the parameters that can't be left out.
    pub(super) fn required(&self) -> impl Iterator<Item = &str> {
        let required = self.parameters().get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The types of the parameters as they came, in the order of their positions.
    pub(super) fn kinds(&self, named: &Map<String, Value>) -> Vec<Option<&'static str>> {
        self.names().iter().map(|name| named.get(name).map(kind)).collect()
    }

    /// Why parameters of these types don't fit, in Bitcoin Core's words where the schema tells.
    pub(super) fn mistyped(&self, kinds: &[Option<&'static str>], error: &serde_json::Error) -> Error {
        let mut wrong = Vec::new();
        for (position, (name, kind)) in self.names().iter().zip(kinds).enumerate() {
            let expected = self.property(name).map(types).unwrap_or_default();
            let Some(kind) = kind.filter(|kind| !expected.iter().any(|expected| core_name(expected) == *kind)) else {
                continue;
            };
            if !expected.is_empty() {
                let expected = expected.iter().map(|kind| core_name(kind)).collect::<Vec<_>>().join(" or ");
                let place = format!("Position {} ({name})", position.saturating_add(1));
                wrong
                    .push(format!("    \"{place}\": \"JSON value of type {kind} is not of expected type {expected}\""));
            }
        }
        if !wrong.is_empty() {
            return Error::new(Code::Type, format!("Wrong type passed:\n{{\n{}\n}}", wrong.join(",\n")));
        }
        let text = error.to_string();
        if text.starts_with(NO_INTEGER) {
            return Error::new(Code::Misc, "JSON integer out of range");
        }
        Error::new(Code::Type, text)
    }

    /// The schema of a parameter.
    pub(super) fn property(&self, name: &str) -> Option<&Value> {
        self.parameters().get("properties")?.get(name)
    }
}

/// The JSON types that a schema allows, `null` apart; none if it does not say.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    let types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|kind| *kind != "null").collect()
}

/// Bitcoin Core's name of a schema's type.
fn core_name(kind: &str) -> &str {
    match kind {
        "integer" | "number" => "number",
        "boolean" => "bool",
        other => other,
    }
}

/// Bitcoin Core's name of a value's type (`uvTypeName`).
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
