//! What a JSON-RPC method is: its parameters, its reply, and who may call it.
//!
//! A method is a type: its fields are the parameters, in the order in which they may be given by position; its
//! documentation is what `help` and the reference say. [`Methods`] is the table of all.

mod active;
mod help;
mod parameters;
mod reference;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::backend::Backend;
use crate::error::{Code, Error};
use crate::prices::Prices;

pub(crate) use self::active::Active;
pub use self::reference::reference;

/// What a method is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Blocks and coins.
    Blockchain,
    /// Transactions as bytes.
    RawTransactions,
    /// Transactions that wait.
    Mempool,
    /// Blocks to come.
    Mining,
    /// Peers.
    Network,
    /// Records and topics of the peer-to-peer network.
    Records,
    /// The user's money.
    Wallet,
    /// Addresses, scripts, fees.
    Util,
    /// The program itself.
    Control,
}

/// Who may call a method, from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Anyone: it reads what every peer knows.
    Open,
    /// Whoever has the cookie: it changes something, or tells what is the user's own.
    Cookie,
}

/// One call's surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The node.
    pub backend: Arc<dyn Backend>,
    /// Every method, for `help`.
    pub methods: Arc<Methods>,
}

/// A JSON-RPC method. The type's fields are its parameters.
pub trait Method: DeserializeOwned + JsonSchema + Send + 'static {
    /// Its name.
    const NAME: &'static str;
    /// What it is about.
    const GROUP: Group;
    /// Who may call it.
    const ACCESS: Access;
    /// Whether a reply may be so large, such as a block in full, that it is written down on a thread for long work.
    const LARGE: bool = false;
    /// Other names of parameters: the other name, and the field that it stands for.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
    /// What it answers.
    type Reply: Serialize + JsonSchema + Send + 'static;

    /// Answers a call. If the caller goes away, a method that is [`Access::Open`] is stopped where it waits; one that
    /// needs the cookie is let go on to its end, since it changes something.
    fn call(self, context: Context) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

type Answer = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// A method in the table. Its schemas are made when they are first looked at: those of all methods together are more than
/// a megabyte, and most methods are never called.
pub struct Entry {
    /// What it is about.
    pub group: Group,
    /// Who may call it.
    pub access: Access,
    /// Whether a reply may be so large that it is written down on a thread for long work.
    pub large: bool,
    name: &'static str,
    parameters: LazyLock<Parameters>,
    reply: LazyLock<Schema>,
    aliases: &'static [(&'static str, &'static str)],
    call: fn(Map<String, Value>, Context) -> Result<Answer, serde_json::Error>,
}

/// What is known of a method's parameters.
#[derive(Debug)]
struct Parameters {
    schema: Schema,
    /// In the order of their positions.
    names: Vec<String>,
}

impl Parameters {
    fn of<M: Method>() -> Self {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<M>();
        let properties = schema.get("properties").and_then(Value::as_object);
        let names = properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default();
        Self { schema, names }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("group", &self.group).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Entry {
    fn of<M: Method>() -> Self {
        let call = |named: Map<String, Value>, context: Context| -> Result<Answer, serde_json::Error> {
            let call: M = serde_json::from_value(Value::Object(named))?;
            Ok(Box::pin(async move {
                let reply = call.call(context).await?;
                let written = if M::LARGE {
                    let written = tokio::task::spawn_blocking(|| serde_json::to_value(reply)).await;
                    written.map_err(|error| Error::new(Code::Internal, error.to_string()))?
                } else {
                    serde_json::to_value(reply)
                };
                written.map_err(|error| Error::new(Code::Internal, error.to_string()))
            }))
        };
        Self {
            group: M::GROUP,
            access: M::ACCESS,
            large: M::LARGE,
            name: M::NAME,
            parameters: LazyLock::new(Parameters::of::<M>),
            reply: LazyLock::new(|| schemars::SchemaGenerator::default().into_root_schema_for::<M::Reply>()),
            aliases: M::ALIASES,
            call,
        }
    }

    /// Names of the parameters, in the order of their positions.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.parameters.names
    }

    /// The parameters' schema: properties in the order of their positions, and the documentation.
    #[must_use]
    pub fn parameters(&self) -> &Schema {
        &self.parameters.schema
    }

    /// The reply's schema.
    #[must_use]
    pub fn reply(&self) -> &Schema {
        &self.reply
    }
}

/// The table of methods.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    entries: BTreeMap<&'static str, Arc<Entry>>,
    active: Arc<Active>,
    prices: Arc<Prices>,
}

impl Methods {
    /// Adds a method.
    #[must_use]
    pub fn with<M: Method>(mut self) -> Self {
        self.entries.insert(M::NAME, Arc::new(Entry::of::<M>()));
        self
    }

    /// The method of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name).map(Arc::as_ref)
    }

    /// Every method, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (*name, entry.as_ref()))
    }

    /// Calls that are under way.
    pub(crate) fn active(&self) -> &Active {
        &self.active
    }

    /// What room in the last blocks cost, as far as somebody asked.
    pub(crate) fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Calls a method with the parameters as they came: by position, by name, or none.
    ///
    /// # Errors
    /// As the method says; or there is none of that name, or the parameters are not its.
    pub async fn call(&self, name: &str, parameters: Value, context: Context) -> Result<Value, Error> {
        let entry = self.get(name).ok_or_else(|| Error::new(Code::MethodNotFound, "Method not found"))?;
        entry.prepare(parameters)?.run(context).await
    }
}

/// A method with its parameters, about to be called.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    entry: &'a Entry,
    named: Map<String, Value>,
}

impl Prepared<'_> {
    /// Calls it. The future borrows nothing, so that it can outlive whoever asked.
    pub(crate) fn run(self, context: Context) -> Answer {
        let Self { entry, named } = self;
        let kinds = entry.kinds(&named);
        let under_way = context.methods.active.begin(entry.name);
        match (entry.call)(named, context) {
            Ok(answer) => Box::pin(async move {
                let _under_way = under_way;
                answer.await
            }),
            Err(error) => {
                let error = entry.mistyped(&kinds, &error);
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
