//! The reference of all keys, as `docs/configuration.md` has it.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::{Config, FILE, Flag, KEYS, Key};

/// Markdown of all keys: name in the file, flag, variable, default, meaning.
#[must_use]
pub fn reference() -> String {
    let defaults = Config::new(PathBuf::from("~/.yap"));
    let mut text = String::from(HEAD);
    let mut section = Some("");
    for key in KEYS {
        let (own, _) = key.place();
        if own != section {
            section = own;
            let title = own.map_or_else(|| "Before the first section".to_owned(), |name| format!("`[{name}]`"));
            let _ = write!(
                text,
                "\n## {title}\n\n| key | flag | environment | default | meaning |\n|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            name(key),
            flag(key.flag),
            variables(key),
            default(&(key.show)(&defaults)),
            key.help.replace('|', "\\|")
        );
    }
    text
}

const HEAD: &str = "\
# Configuration

A node needs none: `yap` starts one with the defaults below. What is to be otherwise is said by a flag, by the environment,
or in the file `yap.toml` in the data directory (`--config FILE` or `YAP_CONFIG` names another). Where several say
something, the first of these counts: flag, environment, file, default. `yap config` shows what counts now, and where each
value comes from.

```toml
# ~/.yap/yap.toml
chain = \"local\"

[p2p]
port = 6001
peers = [\"ws://192.0.2.7:6001\", \"example.org:6001\"]

[mining]
mode = \"off\"
```

Flags and variables take lists separated by commas or spaces, and `true`/`false`, `yes`/`no`, `on`/`off` or `1`/`0` where
the file takes `true` or `false`. A variable that is empty counts as not set. A key in the file that is unknown, and a value
of the wrong type, is an error that names the line. A variable that begins with `YAP_` and is unknown brings a warning.

A second node that is started on the same machine finds the first one's directory taken, and without `--data-dir` takes the
next: `~/.yap/local.2`, `local.3` and so on, up to 64 of them; likewise the next free ports. What was set, by whatever
source, is never replaced: if it is taken, the node says so and does not start.
";

fn name(key: &Key) -> String {
    if key.is_in_file() { format!("`{}`", key.place().1) } else { format!("(not in `{FILE}`)") }
}

fn flag(flag: Flag) -> String {
    match flag {
        Flag::Value(name, value) | Flag::List(name, value) => format!("`--{name} {}`", value.replace('|', "\\|")),
        Flag::Switch { yes, no } => format!("`--{no}`, `--{yes}`"),
    }
}

fn variables(key: &Key) -> String {
    let full = format!("`{}`", key.variable());
    key.short.map_or_else(|| full.clone(), |short| format!("`{short}`, {full}"))
}

fn default(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            format!("`{}`", other.to_string().replace('|', "\\|"))
        }
    }
}
