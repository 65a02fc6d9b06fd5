//! A request of JSON-RPC, or several: which method, with what, and how it wants to be answered.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Code, Error};

/// Longest id that is sent back, bytes of its text.
pub(super) const ID_BYTES: usize = 1024;

/// Which form of JSON-RPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Version {
    /// 1.0, 1.1, or not said.
    #[default]
    One,
    /// 2.0.
    Two,
}

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) version: Version,
    /// None if there is none.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) parameters: Parameters,
}

/// A request's parameters; a name that is given twice is an error of the method's.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    value: Value,
    twice: Option<String>,
}

impl Parameters {
    /// The parameters, which are gone then.
    pub(super) fn take(&mut self) -> Result<Value, Error> {
        match self.twice.take() {
            None => Ok(self.value.take()),
            Some(name) => Err(Error::new(Code::InvalidParameter, format!("Parameter {name} specified multiple times"))),
        }
    }
}

/// What is no request, though it is JSON.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) version: Version,
    pub(super) id: Option<Value>,
    pub(super) error: Error,
}

/// A request, or what is none.
pub(super) type Item = Result<Call, Box<Invalid>>;

/// What a body has.
#[derive(Debug)]
pub(super) enum Body {
    One(Item),
    Batch(Vec<Item>),
}

/// Reads a body.
///
/// # Errors
/// If it is no JSON.
pub(super) fn parse(bytes: &[u8]) -> Result<Body, Error> {
    let failed = |error: serde_json::Error| Error::new(Code::Parse, format!("Parse error: {error}"));
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let items: Vec<Parsed> = serde_json::from_slice(bytes).map_err(failed)?;
        return Ok(Body::Batch(items.into_iter().map(|item| item.0).collect()));
    }
    let item: Parsed = serde_json::from_slice(bytes).map_err(failed)?;
    Ok(Body::One(item.0))
}

struct Parsed(Item);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

/// Reads one request. Only what is no JSON is an error here; what is no request is a value.
struct ItemVisitor;

impl ItemVisitor {
    fn no_object<E>() -> Result<Parsed, E> {
        Ok(Parsed(Err(invalid(Version::One, None, "Invalid Request object"))))
    }
}

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_i64<E>(self, _: i64) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_u64<E>(self, _: u64) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_f64<E>(self, _: f64) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_str<E>(self, _: &str) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Self::no_object()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parsed, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Self::no_object()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<String>()? {
            let first = match key.as_str() {
                "jsonrpc" => fields.jsonrpc.replace(map.next_value()?).is_none(),
                "id" => fields.id.replace(map.next_value()?).is_none(),
                "method" => fields.method.replace(map.next_value()?).is_none(),
                "params" => fields.params.replace(map.next_value()?).is_none(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    true
                }
            };
            if !first {
                fields.twice = Some(key);
            }
        }
        Ok(Parsed(fields.call()))
    }
}

/// What a request has, as it came.
#[derive(Default)]
struct Fields {
    jsonrpc: Option<Value>,
    id: Option<Value>,
    method: Option<Value>,
    params: Option<Parameters>,
    twice: Option<String>,
}

impl Fields {
    /// The request, if it is one. Bitcoin Core's words where it has some.
    fn call(self) -> Item {
        let Self { jsonrpc, id, method, params, twice } = self;
        let scalar = match &id {
            None | Some(Value::Null | Value::Bool(_)) => true,
            Some(Value::Number(number)) => number.as_str().len() <= ID_BYTES,
            Some(Value::String(text)) => text.len() <= ID_BYTES,
            Some(Value::Array(_) | Value::Object(_)) => false,
        };
        if !scalar {
            return Err(invalid(Version::One, None, "id must be null, a number or a string that is not long"));
        }
        let version = match jsonrpc {
            None | Some(Value::Null) => Version::One,
            Some(Value::String(version)) => match version.as_str() {
                "1.0" | "1.1" => Version::One,
                "2.0" => Version::Two,
                _ => return Err(invalid(Version::One, id, "JSON-RPC version not supported")),
            },
            Some(_) => return Err(invalid(Version::One, id, "jsonrpc field must be a string")),
        };
        if let Some(name) = twice {
            return Err(invalid(version, id, format!("{name} is there twice")));
        }
        let method = match method {
            Some(Value::String(method)) => method,
            None | Some(Value::Null) => return Err(invalid(version, id, "Missing method")),
            Some(_) => return Err(invalid(version, id, "Method must be a string")),
        };
        let parameters = params.unwrap_or_default();
        if !matches!(parameters.value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Err(invalid(version, id, "Params must be an array or object"));
        }
        Ok(Call { version, id, method, parameters })
    }
}

fn invalid(version: Version, id: Option<Value>, text: impl Into<String>) -> Box<Invalid> {
    Box::new(Invalid { version, id, error: Error::new(Code::InvalidRequest, text) })
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParametersVisitor)
    }
}

struct ParametersVisitor;

impl ParametersVisitor {
    const fn of<E>(value: Value) -> Result<Parameters, E> {
        Ok(Parameters { value, twice: None })
    }
}

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parameters, E> {
        Self::of(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parameters, E> {
        Self::of(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parameters, E> {
        Self::of(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parameters, E> {
        Self::of(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Parameters, E> {
        Self::of(value.into())
    }

    fn visit_unit<E>(self) -> Result<Parameters, E> {
        Self::of(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parameters, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Self::of(Value::Array(values))
    }

    /// An exact number comes as an object too, under a name of `serde_json`'s own; no method has such a parameter.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
        let (mut named, mut twice) = (Map::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            if named.insert(name.clone(), map.next_value()?).is_some() {
                twice = Some(name);
            }
        }
        Ok(Parameters { value: Value::Object(named), twice })
    }
}
