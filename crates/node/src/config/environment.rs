//! What the environment says: the variables that begin with `YAP_`, and the short names of some keys.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::value::Value;
use super::{Config, Error, KEYS, Key, Origin, Warning, near};

/// What all variables begin with but the short ones.
const PREFIX: &str = "YAP_";

/// The variable that names the file.
const CONFIG: &str = "YAP_CONFIG";

/// What tests and benchmarks of this project read, which means nothing to a node.
const FOREIGN: [&str; 2] = ["YAP_TEST_", "YAP_BENCH_"];

/// The part of the environment that concerns a node.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    home: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let ours = |name: &String| name.starts_with(PREFIX) || KEYS.iter().any(|key| key.short == Some(name));
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { variables: named.filter(|(name, _)| ours(name)).collect(), home: std::env::home_dir() }
    }

    /// One that has these variables, and this home directory.
    #[must_use]
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, home: PathBuf) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        Self { variables: variables.collect(), home: Some(home) }
    }

    /// The user's home directory.
    pub(super) fn home(&self) -> Option<&PathBuf> {
        self.home.as_ref()
    }

    /// The file that is named.
    pub(super) fn file(&self) -> Option<String> {
        let path = self.variables.get(CONFIG)?.to_str()?;
        (!path.is_empty()).then(|| path.to_owned())
    }

    /// Sets what the variables say. One that is empty counts as not set, as programs that pass variables on expect.
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), Error> {
        for (name, value) in &self.variables {
            let Some(key) = key(name) else {
                if name != CONFIG && !FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
                    config.warnings.push(Warning::UnknownVariable { name: name.clone(), suggestion: meant(name) });
                }
                continue;
            };
            let value = value.to_str().ok_or_else(|| Error::NotText { name: name.clone() })?;
            if value.trim().is_empty() {
                continue;
            }
            if is_service_link(value) && key.name != "p2p.peers" {
                let (name, value) = (name.clone(), value.chars().take(60).collect());
                config.warnings.push(Warning::ServiceLink { name, value });
                continue;
            }
            // In order of names `YAP_…` comes last, so that the full name counts where both are set.
            config.set(key, Value::Text(value), Origin::Environment(name.clone()))?;
        }
        Ok(())
    }
}

/// The key that a variable is for.
fn key(variable: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.short == Some(variable) || key.variable() == variable)
}

fn meant(variable: &str) -> Option<String> {
    let names: Vec<String> = KEYS.iter().map(Key::variable).chain([CONFIG.to_owned()]).collect();
    let near = near::nearest(variable, names.iter().map(String::as_str)).map(str::to_owned);
    near.or_else(|| {
        let rest = variable.strip_prefix(PREFIX)?;
        // `YAP_PEERS` for `PEERS`, `YAP_MDNS` for `YAP_P2P_MDNS`.
        let short = KEYS.iter().find(|key| key.short == Some(rest)).and_then(|key| key.short.map(str::to_owned));
        short.or_else(|| {
            let ending = format!("_{rest}");
            names.iter().find(|name| name.ends_with(&ending)).cloned()
        })
    })
}

/// Whether this is what Kubernetes sets for a service: `YAP_P2P_PORT=tcp://10.0.0.1:6001` for one that is called
/// `yap-p2p` (Kubernetes documentation, "Accessing the Service: environment variables").
fn is_service_link(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}
