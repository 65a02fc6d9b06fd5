//! `yap config`: what is set, and where each value comes from.

use clap::Args;
use serde_json::{Map, Value, json};

use super::output::Output;
use super::settings::OfNode;
use super::{Ending, Error, Global};
use crate::config::{Config, Flags};

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    node: OfNode<true>,
}

impl Show {
    pub(super) fn run(&self, global: &Global, before: &Flags, output: &Output) -> Result<Ending, Error> {
        let mut flags = before.clone();
        flags.extend(self.node.0.clone());
        let config = global.config_with(&flags)?;
        for warning in config.warnings() {
            output.note(format_args!("warning: {warning}"));
        }
        let text = if output.is_json() { format!("{:#}", as_json(&config)) } else { as_text(&config) };
        output.text(text.trim_end())?;
        Ok(Ending::Done)
    }
}

/// By key: value and origin.
fn as_json(config: &Config) -> Value {
    let entry = |value: Value, origin: String| json!({ "value": value, "origin": origin });
    let all: Map<String, Value> =
        config.values().map(|(key, value, origin)| (key.name.to_owned(), entry(value, origin.to_string()))).collect();
    Value::Object(all)
}

/// As the file would say it, with each origin behind. What is not set is a comment.
fn as_text(config: &Config) -> String {
    let mut text = String::new();
    let mut last = None;
    let lines: Vec<(Option<&str>, String, String)> = config
        .values()
        .map(|(key, value, origin)| {
            let (section, name) = key.place();
            let absent = value.is_null() || !key.is_in_file();
            let shown = if value.is_null() { "…".to_owned() } else { value.to_string() };
            (section, format!("{}{name} = {shown}", if absent { "# " } else { "" }), origin.to_string())
        })
        .collect();
    let width = lines.iter().map(|(_, line, _)| line.chars().count()).max().unwrap_or(0).min(40);
    for (section, line, origin) in lines {
        if section != last {
            last = section;
            text.push_str(&format!("\n[{}]\n", section.unwrap_or_default()));
        }
        text.push_str(&format!("{line:width$}  # {origin}\n"));
    }
    text
}
