//! `yap rpc`: any method of the node, as `bitcoin-cli` calls them.
//!
//! Parameters are typed as text. Which of them are texts, and which numbers, lists or objects, is known from the
//! methods' own schemas; there is no table beside them to keep in step.

use std::io::BufRead;

use clap::Args;
use serde_json::{Map, Value};
use yap_api::error::Code;
use yap_api::method::Entry;

use super::{Error, Link, Output, Run};
use crate::cli::Ending;

/// Digits from which a number is taken for a hash where both may stand.
const HASH_DIGITS: usize = 20;

/// Lines that are read from standard input at most.
const MOST_LINES: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Rpc {
    /// Method, as `yap rpc help` lists them.
    method: String,
    /// Parameters by position, or with --named as `name=value`.
    #[arg(allow_hyphen_values = true)]
    params: Vec<String>,
    /// Parameters are given by name: `--named getblock blockhash=00ab… verbosity=1`.
    #[arg(long)]
    named: bool,
    /// Read further parameters from standard input, one in a line: for what nobody else should see.
    #[arg(long)]
    stdin: bool,
}

impl Rpc {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let mut params = self.params.clone();
        if self.stdin {
            for line in std::io::stdin().lock().lines().take(MOST_LINES) {
                params.push(line.map_err(Error::Terminal)?);
            }
        }
        let methods = yap_api::methods::all();
        let entry = methods.get(&self.method);
        let params = if self.named { by_name(entry, &params)? } else { by_position(entry, &params)? };
        let reply = match link.call(&self.method, params) {
            Err(error) if error.is(Code::MethodNotFound) => return Err(Error::NoMethod(self.method.clone()).into()),
            reply => reply?,
        };
        match reply {
            // As `bitcoin-cli`: a text is printed bare, so that a shell can use it.
            Value::Null => {}
            Value::String(text) if !output.is_json() => output.text(&text)?,
            reply @ (Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                output.json(&reply)?;
            }
        }
        Ok(Ending::Done)
    }
}

fn by_position(entry: Option<&Entry>, params: &[String]) -> Result<Value, Error> {
    let value = |(place, text): (usize, &String)| {
        let name = entry.and_then(|entry| entry.names().get(place));
        value(entry, name.map(String::as_str), text)
    };
    params.iter().enumerate().map(value).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn by_name(entry: Option<&Entry>, params: &[String]) -> Result<Value, Error> {
    let mut named = Map::new();
    for text in params {
        let (name, text) = text.split_once('=').ok_or_else(|| Error::NotNamed(text.clone()))?;
        if named.insert(name.to_owned(), value(entry, Some(name), text)?).is_some() {
            return Err(Error::NamedTwice(name.to_owned()));
        }
    }
    Ok(Value::Object(named))
}

/// What a text means as that parameter.
fn value(entry: Option<&Entry>, name: Option<&str>, text: &str) -> Result<Value, Error> {
    let schema = entry.zip(name).and_then(|(entry, name)| {
        let root = entry.parameters().as_value();
        root.get("properties")?.get(name).map(|schema| Kinds::of(schema, root, 0))
    });
    let kinds = schema.unwrap_or(Kinds { text: true, other: true });
    let read = serde_json::from_str::<Value>(text).ok();
    match (kinds, read) {
        (Kinds { other: false, .. }, _) | (_, None) if kinds.text => Ok(text.into()),
        (Kinds { text: true, .. }, Some(Value::Number(_))) if text.len() >= HASH_DIGITS => Ok(text.into()),
        (_, Some(value)) => Ok(value),
        (_, None) => Err(Error::NotJson { name: name.unwrap_or_default().to_owned(), text: text.to_owned() }),
    }
}

/// Which kinds of JSON a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kinds {
    text: bool,
    other: bool,
}

/// Depth to which schemas refer to one another at most.
const DEEPEST: u32 = 8;

impl Kinds {
    fn of(schema: &Value, root: &Value, depth: u32) -> Self {
        let either = |a: Self, b: Self| Self { text: a.text || b.text, other: a.other || b.other };
        let nothing = Self { text: false, other: false };
        if depth >= DEEPEST {
            return Self { text: true, other: true };
        }
        let deeper = |schema: &Value| Self::of(schema, root, depth.saturating_add(1));
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return target.map_or(Self { text: true, other: true }, deeper);
        }
        let one = |name: &str| match name {
            "string" => Self { text: true, other: false },
            "null" => nothing,
            _ => Self { text: false, other: true },
        };
        match schema.get("type") {
            Some(Value::String(name)) => return one(name),
            Some(Value::Array(names)) => return names.iter().filter_map(Value::as_str).map(one).fold(nothing, either),
            _ => {}
        }
        let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
        let kinds = alternatives.map(deeper).fold(nothing, either);
        // A list of words that may stand there has no type of its own.
        let words = schema.get("enum").or_else(|| schema.get("const")).is_some();
        if words {
            return Self { text: true, other: false };
        }
        if kinds == nothing { Self { text: true, other: true } } else { kinds }
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;
    use yap_api::error::Error as Refusal;
    use yap_api::method::{Access, Context, Group, Method, Methods};

    use super::*;

    /// A method with a parameter of every kind.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "its schema is what counts")]
    struct Sample {
        text: String,
        maybe: Option<String>,
        number: i64,
        list: Option<Vec<u32>>,
        any: Value,
        nested: Option<Inner>,
        way: Option<Way>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "its schema is what counts")]
    struct Inner {
        field: bool,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Way {
        /// One.
        One,
        /// The other.
        Other,
    }

    impl Method for Sample {
        const NAME: &'static str = "sample";
        const GROUP: Group = Group::Util;
        const ACCESS: Access = Access::Open;
        type Reply = bool;

        async fn call(self, _: Context) -> Result<bool, Refusal> {
            Ok(true)
        }
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn parameters_become_what_the_method_wants() {
        let methods = Methods::default().with::<Sample>();
        let entry = methods.get("sample");
        let typed = texts(&["7", "null", "-3", "[1, 2]", "true", "{\"field\": true}", "one"]);
        let wanted = json!(["7", "null", -3, [1, 2], true, {"field": true}, "one"]);
        assert_eq!(by_position(entry, &typed).unwrap(), wanted);
        let named = by_name(entry, &texts(&["number=5", "text=a=b", "any=plain"])).unwrap();
        assert_eq!(named, json!({"number": 5, "text": "a=b", "any": "plain"}));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let methods = Methods::default().with::<Sample>();
        let entry = methods.get("sample");
        let error = by_position(entry, &texts(&["a", "b", "many"])).unwrap_err();
        assert!(error.to_string().contains("number"), "{error}");
        assert!(matches!(by_name(entry, &texts(&["text"])), Err(Error::NotNamed(_))));
        assert!(matches!(by_name(entry, &texts(&["text=a", "text=b"])), Err(Error::NamedTwice(_))));
    }

    #[test]
    fn a_method_that_is_not_known_here_gets_json_where_it_is_json() {
        let hash = "1".repeat(64);
        let typed = texts(&["1", "word", "[1]", &hash, "\"quoted\""]);
        assert_eq!(by_position(None, &typed).unwrap(), json!([1, "word", [1], hash, "quoted"]));
    }
}
