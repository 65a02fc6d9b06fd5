//! How a program on this machine talks to a running node: calls, pages and the event stream, blocking.
//!
//! A [`Client`] reads the cookie file at each call, so it goes on when the node was started anew. Not its job: to find out
//! where a node is.

mod error;
mod events;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use ureq::Agent;

use crate::credentials::Credentials;

pub use self::error::ClientError;
pub use self::events::{Events, Filter, Stopper, Told};

/// Time to reach a node.
const CONNECT: Duration = Duration::from_secs(5);

/// Time in which an answer comes, unless told otherwise; as `bitcoin-cli`.
pub const TIMEOUT: Duration = Duration::from_secs(900);

/// Longest answer that is read, bytes.
pub const REPLY_MAX: u64 = 256 << 20;

/// Port of a node's interface, where none is given.
pub const PORT: u16 = 3001;

/// A way to talk to one node.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    authority: String,
    cookie: Option<PathBuf>,
}

impl Client {
    /// A way to talk to the node at an address: `http://host:port`, `host:port` or `host`. The cookie file proves that we
    /// may do all; without one, only what is open to everybody works.
    ///
    /// # Errors
    /// If it is no address.
    pub fn new(address: &str, cookie: Option<&Path>) -> Result<Self, ClientError> {
        let authority = authority(address).ok_or_else(|| ClientError::Address { address: address.to_owned() })?;
        let client = Self { agent: agent(TIMEOUT), authority, cookie: cookie.map(Path::to_owned) };
        Ok(client)
    }

    /// The same, with another time in which an answer must come.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.agent = agent(timeout);
        self
    }

    /// Host and port of the node.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.authority
    }

    /// Calls a method. Parameters are an array (by position), an object (by name), or `null` for none.
    ///
    /// # Errors
    /// As the method says ([`ClientError::Rpc`]), or because the node can't be asked.
    pub fn call(&self, method: &str, parameters: Value) -> Result<Value, ClientError> {
        let mut request = Map::new();
        request.insert("jsonrpc".into(), "2.0".into());
        request.insert("id".into(), 1.into());
        request.insert("method".into(), method.into());
        if !parameters.is_null() {
            request.insert("params".into(), parameters);
        }
        let credentials = self.credentials()?;
        let url = format!("http://{}/", self.authority);
        let mut post = self.agent.post(&url).content_type("application/json");
        if let Some(credentials) = &credentials {
            post = post.header("authorization", credentials.header());
        }
        let response = post.send(Value::Object(request).to_string());
        let (status, body) = self.read(response)?;
        let reply = serde_json::from_slice::<Value>(&body).ok();
        let error = reply.as_ref().and_then(|reply| reply.get("error")).and_then(Value::as_object);
        match (status, error, reply.as_ref().and_then(|reply| reply.get("result"))) {
            (401, _, _) => Err(self.refused(credentials.is_some())),
            (_, Some(error), _) => Err(ClientError::rpc(error)),
            (200, None, Some(result)) => Ok(result.clone()),
            _ => Err(ClientError::http(&self.authority, status, &body)),
        }
    }

    /// A page, as text: `/ping`, `/readyz`, `/metrics` …
    ///
    /// # Errors
    /// If the node can't be asked, or answers with anything but 200.
    pub fn page(&self, path: &str) -> Result<String, ClientError> {
        let credentials = self.credentials()?;
        let mut get = self.agent.get(format!("http://{}{path}", self.authority));
        if let Some(credentials) = &credentials {
            get = get.header("authorization", credentials.header());
        }
        let (status, body) = self.read(get.call())?;
        match status {
            200 => Ok(String::from_utf8_lossy(&body).into_owned()),
            401 => Err(self.refused(credentials.is_some())),
            _ => Err(ClientError::http(&self.authority, status, &body)),
        }
    }

    /// What happens at the node from now on.
    ///
    /// # Errors
    /// If the node can't be asked, or refuses.
    pub fn events(&self, filter: &Filter) -> Result<Events, ClientError> {
        let credentials = self.credentials()?;
        match Events::open(&self.authority, credentials.as_ref(), filter) {
            Err(ClientError::NoCookie) => Err(self.refused(credentials.is_some())),
            opened => opened,
        }
    }

    /// What the cookie file says now. There is none while no node runs.
    fn credentials(&self) -> Result<Option<Credentials>, ClientError> {
        let Some(path) = &self.cookie else { return Ok(None) };
        match Credentials::read(path) {
            Ok(credentials) => Ok(Some(credentials)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(ClientError::Cookie { path: path.clone(), why }),
        }
    }

    fn refused(&self, shown: bool) -> ClientError {
        match &self.cookie {
            Some(path) if shown => ClientError::WrongCookie { path: path.clone(), address: self.authority.clone() },
            Some(path) => {
                ClientError::Cookie { path: path.clone(), why: std::io::Error::from(std::io::ErrorKind::NotFound) }
            }
            None => ClientError::NoCookie,
        }
    }

    fn read(
        &self,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let failed = |error| ClientError::transport(&self.authority, error);
        let response = response.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.into_body().into_with_config().limit(REPLY_MAX).read_to_vec().map_err(failed)?;
        Ok((status, body))
    }
}

/// Host and port of an address.
fn authority(address: &str) -> Option<String> {
    let rest = address.strip_prefix("http://").unwrap_or(address);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if rest.is_empty() || !plain(rest) {
        return None;
    }
    let parsed: axum::http::uri::Authority = rest.parse().ok()?;
    match parsed.port() {
        Some(port) if port.as_str().parse::<u16>().is_ok() => Some(rest.to_owned()),
        Some(_) => None,
        // What follows the colon is no port.
        None if rest.rsplit(']').next().is_some_and(|end| end.contains(':')) => None,
        None => Some(format!("{rest}:{PORT}")),
    }
}

/// An agent that keeps to the node: no proxy, no redirects, and the status is ours to judge.
fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(timeout))
        .max_idle_age(Duration::from_secs(5))
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests;
