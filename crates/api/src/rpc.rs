//! JSON-RPC: from a request's bytes to the reply's, as Bitcoin Core answers them (`src/httprpc.cpp`, `src/rpc/request.cpp`).
//!
//! Both 2.0 and its older forms are spoken; batches are answered in order. What differs from Bitcoin Core: the status is 200
//! for every request that is one, also where an old one fails (clients read the error from the reply), and 400 for what
//! is none; a name that is given twice is refused.

mod envelope;
mod scan;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use self::envelope::{Call, Item, Version};
use crate::error::{Code, Error};
use crate::method::{Access, Entry, Group};
use crate::server::app::App;
use crate::server::body::{Received, json};
use crate::server::gate::Caller;
use crate::server::limits::DEPTH;

/// Names of the one wallet, as in `/wallet/<name>`.
const WALLET_NAMES: [&str; 2] = ["", "yap"];

/// Who calls, and within what.
struct Session<'a> {
    app: &'a Arc<App>,
    caller: Caller,
    wallet: Option<&'a str>,
    permit: Arc<OwnedSemaphorePermit>,
}

/// Answers a body.
pub(crate) async fn answer(
    app: &Arc<App>,
    caller: Caller,
    wallet: Option<&str>,
    received: Received,
    permit: OwnedSemaphorePermit,
) -> Response {
    let session = Session { app, caller, wallet, permit: Arc::new(permit) };
    let bytes = received.bytes.as_slice();
    let values = app.lane(caller).values;
    let parsed = match scan::check(bytes, DEPTH, values) {
        Ok(()) => envelope::parse(bytes),
        Err(error) => Err(Error::new(Code::Parse, format!("Parse error: {error}"))),
    };
    // The text is not needed any more: its room is free while methods are at work.
    drop(received);
    match parsed {
        Err(error) => session.send(StatusCode::BAD_REQUEST, Reply::broken(error)).await,
        Ok(envelope::Body::One(item)) => session.one(item).await,
        Ok(envelope::Body::Batch(items)) => session.batch(items).await,
    }
}

impl Session<'_> {
    /// Answers a single request.
    async fn one(&self, item: Item) -> Response {
        let call = match item {
            Ok(call) => call,
            Err(reply) => return self.send(StatusCode::BAD_REQUEST, Reply::from(*reply)).await,
        };
        let reply = self.call(call).await;
        let refused = matches!(&reply, Reply { outcome: Err(error), .. } if error.code == Code::Unauthorized);
        if refused {
            let mut response = self.send(StatusCode::UNAUTHORIZED, reply).await;
            let realm = HeaderValue::from_static("Basic realm=\"jsonrpc\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
            return response;
        }
        if reply.is_silent() { StatusCode::NO_CONTENT.into_response() } else { self.send(StatusCode::OK, reply).await }
    }

    /// Answers requests one after the other.
    async fn batch(&self, items: Vec<Item>) -> Response {
        let limits = &self.app.limits;
        if items.len() > limits.batch {
            let text = format!("a batch has {} requests at most, not {}", limits.batch, items.len());
            return self.send(StatusCode::BAD_REQUEST, Reply::broken(Error::new(Code::InvalidRequest, text))).await;
        }
        let silent = !items.is_empty();
        let mut bytes = b"[".to_vec();
        for item in items {
            let reply = match item {
                Err(reply) => Reply::from(*reply),
                Ok(call) if bytes.len() > limits.batch_reply => {
                    let text = "the replies of this batch are too long already: ask for less at a time";
                    call.reply(Err(Error::new(Code::Misc, text)))
                }
                Ok(call) => self.call(call).await,
            };
            if !reply.is_silent() {
                if bytes.len() > 1 {
                    bytes.push(b',');
                }
                bytes.extend_from_slice(&reply.written().await);
            }
        }
        if silent && bytes.len() == 1 {
            return StatusCode::NO_CONTENT.into_response();
        }
        bytes.extend_from_slice(b"]\n");
        json(StatusCode::OK, bytes, Some(Arc::clone(&self.permit)))
    }

    /// Calls a method.
    async fn call(&self, mut call: Call) -> Reply {
        let parameters = call.parameters.take();
        let found = self.app.context.methods.get(&call.method);
        let outcome = match found {
            None => Err(Error::new(Code::MethodNotFound, "Method not found")),
            Some(entry) => match (self.may(&call.method, entry), parameters) {
                (Err(error), _) | (Ok(()), Err(error)) => Err(error),
                (Ok(()), Ok(parameters)) => self.run(entry, parameters).await,
            },
        };
        tracing::debug!(method = call.method, code = ?outcome.as_ref().err().map(|error| error.code), "called");
        Reply { large: found.is_some_and(|entry| entry.large), ..call.reply(outcome) }
    }

    /// Whether the method may be called by this caller, for this wallet.
    fn may(&self, name: &str, entry: &Entry) -> Result<(), Error> {
        if entry.access == Access::Cookie && self.caller != Caller::Owner {
            let text = format!("`{name}` needs the node's cookie: the file .cookie in its directory has it");
            return Err(Error::new(Code::Unauthorized, text));
        }
        match self.wallet {
            Some(wallet) if entry.group == Group::Wallet && !WALLET_NAMES.contains(&wallet) => {
                Err(Error::new(Code::WalletNotFound, "Requested wallet does not exist or is not loaded"))
            }
            _ => Ok(()),
        }
    }

    /// Runs a method. One that changes something goes on when the caller goes away; a panic is an error like any other.
    async fn run(&self, entry: &Entry, parameters: Value) -> Result<Value, Error> {
        let prepared = entry.prepare(parameters)?;
        let context = self.app.context.clone();
        let failed = || Error::new(Code::Internal, "the node failed at this: please report it");
        match entry.access {
            Access::Open => {
                AssertUnwindSafe(async { prepared.run(context).await }).catch_unwind().await.map_err(|_| failed())?
            }
            Access::Cookie => {
                let answer = std::panic::catch_unwind(AssertUnwindSafe(|| prepared.run(context)));
                let (answer, permit) = (answer.map_err(|_| failed())?, Arc::clone(&self.permit));
                let task = tokio::spawn(async move {
                    let outcome = answer.await;
                    drop(permit);
                    outcome
                });
                task.await.map_err(|_| failed())?
            }
        }
    }

    async fn send(&self, status: StatusCode, reply: Reply) -> Response {
        let mut bytes = reply.written().await;
        bytes.push(b'\n');
        json(status, bytes, Some(Arc::clone(&self.permit)))
    }
}

/// What is said to a request.
struct Reply {
    version: Version,
    id: Option<Value>,
    outcome: Result<Value, Error>,
    /// Whether it may be so large that it is written down on a thread for long work.
    large: bool,
}

impl Call {
    fn reply(self, outcome: Result<Value, Error>) -> Reply {
        Reply { version: self.version, id: self.id, outcome, large: false }
    }
}

impl From<envelope::Invalid> for Reply {
    fn from(invalid: envelope::Invalid) -> Self {
        let envelope::Invalid { version, id, error } = invalid;
        Self { version, id: Some(id.unwrap_or(Value::Null)), outcome: Err(error), large: false }
    }
}

impl Reply {
    /// To what is no request at all, whose version is not known.
    const fn broken(error: Error) -> Self {
        Self { version: Version::One, id: None, outcome: Err(error), large: false }
    }

    /// Whether nothing is said: a request of 2.0 without an id is a notification.
    fn is_silent(&self) -> bool {
        self.version == Version::Two && self.id.is_none()
    }

    /// The reply as text, which for a large one may take a while.
    async fn written(self) -> Vec<u8> {
        if !self.large {
            return self.bytes();
        }
        // It neither panics nor is cancelled; a runtime that is gone sends nothing either.
        tokio::task::spawn_blocking(move || self.bytes()).await.unwrap_or_default()
    }

    /// The reply as text. 2.0 has result or error, older versions both.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let two = self.version == Version::Two;
        bytes.extend_from_slice(if two { b"{\"jsonrpc\":\"2.0\"" } else { b"{" });
        let mut field = |name: &str, value: &Value| {
            if bytes.len() > 1 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(format!("\"{name}\":").as_bytes());
            // Writing a value to memory does not fail.
            let _ = serde_json::to_writer(&mut bytes, value);
        };
        match &self.outcome {
            Ok(result) => {
                field("result", result);
                if !two {
                    field("error", &Value::Null);
                }
            }
            Err(error) => {
                if !two {
                    field("result", &Value::Null);
                }
                field("error", &object(error));
            }
        }
        field("id", self.id.as_ref().unwrap_or(&Value::Null));
        bytes.push(b'}');
        bytes
    }
}

/// An error as JSON-RPC writes it.
fn object(error: &Error) -> Value {
    let mut object = Map::new();
    object.insert("code".into(), (error.code as i32).into());
    object.insert("message".into(), error.message.as_str().into());
    if let Some(data) = &error.data {
        object.insert("data".into(), data.clone());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
