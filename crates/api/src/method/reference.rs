//! The reference of all methods as Markdown, written from their schemas: `docs/rpc.md`.
//!
//! Nothing in it is written by hand but the introduction and the examples, so it says what the program does. Fields of
//! fields are told down to [`MOST_LEVELS`]; a list's are those of its items.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::parameters::types;
use super::{Access, Entry, Group, Methods};

/// Levels of a reply's fields that are told.
const MOST_LEVELS: usize = 3;

/// What stands before the methods.
const INTRODUCTION: &str = "\
# JSON-RPC methods

This page is written by the program: its test renews it with
`YAP_WRITE_REFERENCE=1 cargo nextest run -p yap-api reference`.

A method is called by `POST /` with JSON-RPC 1.0, 1.1 or 2.0, at `127.0.0.1:3001` unless told otherwise. Parameters go by
position (`[…]`), by name (`{…}`), or both (`{\"args\": […], …}`); `null` stands for one that is left out. Names, fields
and error codes are Bitcoin Core's where it has the method. Amounts are coins with eight decimals.

Methods marked with a key (🔑) change something, or tell what is the user's own: they need the user name and password in
the file `.cookie` of the node's directory. `yap rpc <method> …` finds it by itself. `help` tells the same as this page.

| Code | Meaning |
|---|---|
| -1 | anything else; too few or too many parameters |
| -3 | not the type that was expected |
| -4 | the wallet can't do it |
| -5 | not known: an address, a block, a transaction, a key |
| -6 | too little money |
| -8 | not a value that can be used |
| -9 | no peer is connected |
| -13 | the wallet is locked |
| -14 | not the passphrase |
| -15 | not for a wallet with, or without, a passphrase |
| -18 | there is no wallet |
| -22 | not a transaction, a block or a script |
| -23, -24, -29 | the peer was added before, was not added, is not connected |
| -25, -26, -27 | a block or transaction could not be looked at, is refused, is in the chain already |
| -28 | the node is starting |
| -32601 | no method has that name |
";

/// Calls that are shown: method and parameters.
const EXAMPLES: [(&str, &str); 8] = [
    ("getblockchaininfo", "[]"),
    ("getblockhash", "[0]"),
    ("getpeerinfo", "[]"),
    ("addnode", r#"["192.168.1.7:6001", "add"]"#),
    ("getnewaddress", "[]"),
    ("sendtoaddress", r#"{"address": "bcrt1q…", "amount": 1.5, "comment": "for the boat"}"#),
    ("put", r#"["song", "la la la"]"#),
    ("generatetoaddress", r#"[1, "bcrt1q…"]"#),
];

/// All methods, in their groups.
#[must_use]
pub fn reference(methods: &Methods) -> String {
    let mut text = INTRODUCTION.to_owned();
    for group in Group::ALL {
        let of_group: Vec<(&str, &Entry)> = methods.iter().filter(|(_, entry)| entry.group == group).collect();
        if of_group.is_empty() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "\n## {}", group.title());
        for (name, entry) in of_group {
            method(&mut text, name, entry);
        }
    }
    text
}

fn method(text: &mut String, name: &str, entry: &Entry) {
    let key = if entry.access == Access::Cookie { " 🔑" } else { "" };
    let _ = writeln!(text, "\n### {name}{key}\n\n`{}`\n\n{}", entry.signature(), entry.description());
    parameters(text, entry);
    reply(text, entry);
    if let Some((_, parameters)) = EXAMPLES.iter().find(|(method, _)| *method == name) {
        // Without the cookie the node wants to be told that it is JSON: web pages can't send that unasked.
        let open = entry.access != Access::Cookie;
        let user = if open { "-H 'content-type: application/json'" } else { "-u \"$(cat .cookie)\"" };
        let body = format!("{{\"method\": \"{name}\", \"params\": {parameters}}}");
        let _ = writeln!(text, "\n```sh\ncurl {user} http://127.0.0.1:3001/ -d '{body}'\n```");
    }
}

fn parameters(text: &mut String, entry: &Entry) {
    if entry.names().is_empty() {
        return;
    }
    text.push_str("\n| Parameter | Type | | |\n|---|---|---|---|\n");
    let required: Vec<&str> = entry.required().collect();
    let root = entry.parameters().as_value();
    for name in entry.names() {
        let schema = entry.property(name).unwrap_or(&Value::Null);
        let need = match schema.get("default").filter(|default| !default.is_null() && !is_object(default)) {
            Some(default) => format!("default `{default}`"),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => "optional".to_owned(),
        };
        let _ = writeln!(text, "| `{name}` | {} | {need} | {} |", named(schema, root), about(schema));
        fields(text, schema, root, &format!("{name}."), 1, "| ");
    }
}

fn reply(text: &mut String, entry: &Entry) {
    let root = entry.reply().as_value();
    let kind = named(root, root);
    let meaning = about(root);
    if kind == "null" {
        text.push_str("\nReply: `null`.\n");
        return;
    }
    let _ =
        writeln!(text, "\nReply: {kind}{}", if meaning.is_empty() { ".".to_owned() } else { format!(": {meaning}") });
    let mut rows = String::new();
    fields(&mut rows, root, root, "", 0, "");
    if !rows.is_empty() {
        text.push_str("\n| Field | Type | |\n|---|---|---|\n");
        text.push_str(&rows);
    }
}

/// The fields of an object, or of a list's items; `extra` fills a column that fields don't have.
fn fields(text: &mut String, schema: &Value, root: &Value, prefix: &str, level: usize, extra: &str) {
    let object = resolve(schema, root);
    let Some(properties) = object.get("properties").and_then(Value::as_object).filter(|_| level < MOST_LEVELS) else {
        return;
    };
    for (name, schema) in properties {
        let _ = writeln!(text, "| `{prefix}{name}` | {} {extra}| {} |", named(schema, root), about(schema));
        let inner = format!("{prefix}{name}.");
        fields(text, schema, root, &inner, level.saturating_add(1), extra);
    }
}

fn is_object(value: &Value) -> bool {
    *value == json!({}) || value.as_object().is_some()
}

/// What a schema stands for: what it refers to, the one choice that is not `null`, or a list's items.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut at = schema;
    // Each step leads one level down, but for references to itself.
    for _ in 0..8 {
        let reference = at.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let choice = ["anyOf", "oneOf"].into_iter().find_map(|choice| at.get(choice)).and_then(Value::as_array);
        let choice = choice.and_then(|choices| choices.iter().find(|choice| named(choice, root) != "null"));
        let next = match reference {
            Some("") => Some(root),
            Some(path) => root.pointer(path),
            None => choice.or_else(|| at.get("items")),
        };
        let Some(next) = next else { break };
        at = next;
    }
    at
}

/// The type that a schema tells, in a few words.
fn named(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#')) {
        return root.pointer(reference).filter(|_| !reference.is_empty()).map_or_else(
            || "object".to_owned(),
            |schema| {
                let choices = constants(schema);
                if choices.is_empty() { named(schema, root) } else { choices.join(" or ") }
            },
        );
    }
    if let Some(choices) =
        ["anyOf", "oneOf"].into_iter().find_map(|choice| schema.get(choice)).and_then(Value::as_array)
    {
        let choices = choices.iter().map(|choice| named(choice, root)).filter(|name| name != "null");
        let mut choices: Vec<String> = choices.collect();
        choices.dedup();
        return choices.join(" or ");
    }
    let types = types(schema).into_iter().filter(|kind| *kind != "null");
    let told = types.map(|kind| match (kind, schema.get("format").and_then(Value::as_str), schema.get("items")) {
        ("number", Some("amount"), _) => "amount".to_owned(),
        ("array", _, Some(items)) => format!("list of {}", named(items, root)),
        (kind, _, _) => kind.to_owned(),
    });
    let told: Vec<String> = told.collect();
    match (told.is_empty(), schema.get("type").and_then(Value::as_str)) {
        (true, Some("null")) => "null".to_owned(),
        (true, _) if schema.get("const").is_some() => "string".to_owned(),
        (true, _) => "any".to_owned(),
        (false, _) => told.join(" or "),
    }
}

/// The values of an enumeration.
fn constants(schema: &Value) -> Vec<String> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let chosen = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let chosen = chosen.filter_map(|choice| choice.get("const"));
    listed.chain(chosen).filter_map(Value::as_str).map(|name| format!("`{name}`")).collect()
}

/// A schema's documentation on one line.
fn about(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_reference_is_as_the_program_is() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rpc.md");
        let written = reference(&crate::methods::all());
        if std::env::var_os("YAP_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = kept.lines().zip(written.lines()).position(|(kept, written)| kept != written);
        assert!(
            kept == written,
            "docs/rpc.md is not as the methods are (from line {} on): renew it with YAP_WRITE_REFERENCE=1 cargo nextest \
             run -p yap-api reference",
            differs.unwrap_or_else(|| kept.lines().count().min(written.lines().count())).saturating_add(1)
        );
    }

    #[test]
    fn every_method_and_parameter_is_explained() {
        let methods = crate::methods::all();
        let text = reference(&methods);
        for (name, entry) in methods.iter() {
            assert!(text.contains(&format!("\n### {name}")), "{name} is missing");
            assert!(!entry.description().is_empty(), "{name} is not explained");
            for parameter in entry.names() {
                let schema = entry.property(parameter).unwrap();
                assert!(!about(schema).is_empty(), "{parameter} of {name} is not explained");
            }
        }
        for (name, parameters) in EXAMPLES {
            assert!(methods.get(name).is_some(), "{name} is shown and does not exist");
            let parameters: Value = serde_json::from_str(parameters).unwrap();
            assert!(methods.get(name).unwrap().prepare(parameters).is_ok(), "{name} can't be called like that");
        }
        assert_eq!(
            text.matches("🔑\n").count(),
            methods.iter().filter(|(_, entry)| entry.access == Access::Cookie).count()
        );
    }
}
