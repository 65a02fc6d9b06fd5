//! The running node, as a command sees it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use yap_api::client::{Client, ClientError, Events, Filter};
use yap_api::error::Code;
use yap_chain::spec::Spec;

use super::{Error, Output, secret};

/// Seconds for which a wallet is unlocked to do one thing.
const UNLOCKED: u32 = 60;

/// A node that runs, and the rules of its chain.
#[derive(Debug)]
pub(in crate::cli) struct Link {
    client: Client,
    spec: Arc<Spec>,
}

impl Link {
    /// A link to the node that `client` reaches.
    pub(in crate::cli) fn new(client: Client, spec: Arc<Spec>) -> Self {
        Self { client, spec }
    }

    /// The chain's rules.
    pub(in crate::cli) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The chain's unit of account.
    pub(in crate::cli) fn ticker(&self) -> &str {
        &self.spec.ticker
    }

    /// Calls a method.
    pub(in crate::cli) fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.client.call(method, params).map_err(|error| {
            let gone = matches!(error, ClientError::NotRunning { .. });
            if gone { Error::NoNode(error.to_string()) } else { Error::Call(error) }
        })
    }

    /// Calls a method that needs the wallet's keys. If they are locked and somebody is there, the passphrase is asked
    /// for; afterwards the wallet is as it was.
    pub(in crate::cli) fn call_unlocked(
        &self,
        method: &str,
        params: Value,
        source: &secret::Source,
    ) -> Result<Value, Error> {
        match self.call(method, params.clone()) {
            Err(error) if error.is(Code::UnlockNeeded) => {
                let passphrase = source.ask("Passphrase of the wallet: ")?;
                self.call("walletpassphrase", json!([passphrase, UNLOCKED]))?;
                let reply = self.call(method, params);
                if let Err(error) = self.call("walletlock", json!([])) {
                    tracing::warn!(%error, "the wallet stays unlocked for {UNLOCKED} s");
                }
                reply
            }
            reply => reply,
        }
    }

    /// A page of the node.
    pub(in crate::cli) fn page(&self, path: &str) -> Result<String, Error> {
        Ok(self.client.page(path)?)
    }

    /// What happens at the node from now on.
    pub(in crate::cli) fn events(&self, filter: &Filter) -> Result<Events, Error> {
        Ok(self.client.events(filter)?)
    }

    /// Whether nothing answers there any more.
    pub(in crate::cli) fn is_gone(&self) -> bool {
        matches!(self.client.page("/healthz"), Err(ClientError::NotRunning { .. }))
    }

    /// Tells if the node has no peers, so that what was made is known here alone.
    pub(in crate::cli) fn warn_if_alone(&self, output: &Output) {
        // The thing itself is done; nothing depends on this.
        if self.call("getconnectioncount", json!([])).is_ok_and(|count| count.as_u64() == Some(0)) {
            output.note("no peer is connected: it is kept here, and told to peers when they come (`yap peers`)");
        }
    }
}

/// The wall clock, in seconds since 1970.
pub(in crate::cli) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
