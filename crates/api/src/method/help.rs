//! `help`, written from the schemas: one line for each method, or all about one.

use std::fmt::Write as _;

use serde_json::Value;

use super::parameters::types;
use super::{Access, Entry, Group, Methods};

impl Group {
    /// Every group, in the order in which `help` shows them.
    pub const ALL: [Self; 9] = [
        Self::Blockchain,
        Self::Control,
        Self::Mempool,
        Self::Mining,
        Self::Network,
        Self::RawTransactions,
        Self::Records,
        Self::Util,
        Self::Wallet,
    ];

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Blockchain => "Blockchain",
            Self::Control => "Control",
            Self::Mempool => "Mempool",
            Self::Mining => "Mining",
            Self::Network => "Network",
            Self::RawTransactions => "Rawtransactions",
            Self::Records => "Records",
            Self::Util => "Util",
            Self::Wallet => "Wallet",
        }
    }
}

impl Entry {
    /// Name and parameters in one line, as Bitcoin Core writes them: `getblock "blockhash" ( verbosity )`.
    #[must_use]
    pub fn signature(&self) -> String {
        let required: Vec<&str> = self.required().collect();
        let mut line = self.name.to_owned();
        let mut optional = false;
        for name in self.names() {
            if !optional && !required.contains(&name.as_str()) {
                line.push_str(" (");
                optional = true;
            }
            let string = self.property(name).is_some_and(|schema| types(schema) == ["string"]);
            line.push_str(&if string { format!(" \"{name}\"") } else { format!(" {name}") });
        }
        if optional {
            line.push_str(" )");
        }
        line
    }

    /// What the method does: the documentation of its type.
    #[must_use]
    pub fn description(&self) -> &str {
        self.parameters().get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// All about the method: how it is called, what it does, its parameters and its reply.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.signature(), self.description());
        if self.access == Access::Cookie {
            text.push_str("\nNeeds the cookie.\n");
        }
        if !self.names().is_empty() {
            text.push_str("\nArguments:\n");
        }
        let required: Vec<&str> = self.required().collect();
        for (position, name) in self.names().iter().enumerate() {
            let schema = self.property(name).unwrap_or(&Value::Null);
            let need = match schema.get("default").filter(|default| !default.is_null()) {
                Some(default) => format!("optional, default={default}"),
                None if required.contains(&name.as_str()) => "required".to_owned(),
                None => "optional".to_owned(),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{}. {name} ({}, {need}){}",
                position.saturating_add(1),
                named_type(schema),
                documentation(schema, "   ")
            );
        }
        let _ = writeln!(
            text,
            "\nResult:\n{}{}",
            named_type(self.reply().as_value()),
            documentation(self.reply().as_value(), "")
        );
        self.fields(&mut text);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// The first level of the reply's fields.
    fn fields(&self, text: &mut String) {
        let fields = self.reply().get("properties").and_then(Value::as_object);
        for (name, schema) in fields.into_iter().flatten() {
            let _ = writeln!(text, "  {name} ({}){}", named_type(schema), documentation(schema, "     "));
        }
    }
}

impl Methods {
    /// A line for each method, in groups.
    #[must_use]
    pub fn help(&self) -> String {
        let sections = Group::ALL.into_iter().filter_map(|group| {
            let lines: Vec<String> =
                self.iter().filter(|(_, entry)| entry.group == group).map(|(_, entry)| entry.signature()).collect();
            (!lines.is_empty()).then(|| format!("== {} ==\n{}\n", group.title(), lines.join("\n")))
        });
        sections.collect::<Vec<_>>().join("\n")
    }
}

/// The type that a schema tells, in a word or two.
fn named_type(schema: &Value) -> String {
    let types = types(schema);
    if !types.is_empty() {
        return types.join(" or ");
    }
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let choice = ["anyOf", "oneOf"].into_iter().find_map(|choice| schema.get(choice)).and_then(Value::as_array);
    match (reference, choice) {
        (Some(name), _) => name.to_owned(),
        (None, Some(choice)) => {
            let mut names: Vec<String> = choice.iter().map(named_type).filter(|name| name != "null").collect();
            names.dedup();
            names.join(" or ")
        }
        (None, None) if schema.get("const").is_some_and(Value::is_string) => "string".to_owned(),
        (None, None) if schema.get("type").and_then(Value::as_str) == Some("null") => "null".to_owned(),
        (None, None) => "any".to_owned(),
    }
}

/// A schema's documentation on one line after a space, or on lines of its own that are set in.
fn documentation(schema: &Value, indent: &str) -> String {
    match schema.get("description").and_then(Value::as_str) {
        None => String::new(),
        Some(text) => format!(" {}", text.replace('\n', &format!("\n{indent}"))),
    }
}
