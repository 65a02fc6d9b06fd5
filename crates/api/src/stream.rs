//! What happens, as it happens: server-sent events (WHATWG HTML §9.2).
//!
//! ```text
//! id: 17
//! event: block_connected
//! data: {"id":17,"time":1700000000000,"event":{"type":"block_connected",…}}
//! ```
//!
//! Whoever reads slower than events come gets `event: lost` with how many are gone; the node never waits for a reader.
//! `?types=a,b` and `?topic=t` choose. Payments are told to whoever has the cookie, and the node is subscribed to the topic
//! that such a reader names for as long as the stream is open, however it ends.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use crate::backend::{Backend, Unavailable};
use crate::event::{Event, Stamped};
use crate::methods;
use crate::server::app::App;
use crate::server::body::Refusal;
use crate::server::gate::Caller;

/// Said first: it opens the stream, and lets browsers come back a second after it breaks.
const OPENING: &str = "retry: 1000\n\n";

/// Said when there is nothing to say, so that neither side takes the other for gone.
const COMMENT: &str = ":\n\n";

/// The type that only whoever has the cookie is told.
const PRIVATE: &str = "payment";

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    types: String,
    topic: Option<String>,
}

/// Which events a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    types: Vec<&'static str>,
    topic: Option<String>,
}

impl Filter {
    fn new(asked: Asked, caller: Caller) -> Result<Self, Refusal> {
        let mut types = Vec::new();
        for name in asked.types.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = Event::KINDS.into_iter().find(|kind| *kind == name);
            types.push(known.ok_or_else(|| {
                let text = format!("there are no events of this type; there are {}", Event::KINDS.join(", "));
                Refusal::new(StatusCode::BAD_REQUEST, text)
            })?);
        }
        if types.contains(&PRIVATE) && caller != Caller::Owner {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "payments are told to whoever shows the cookie"));
        }
        if let Some(topic) = &asked.topic {
            methods::topic(topic).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.message))?;
        }
        if types.is_empty() {
            let private = |kind: &&str| caller != Caller::Owner && *kind == PRIVATE;
            types.extend(Event::KINDS.into_iter().filter(|kind| !private(kind)));
            if asked.topic.is_some() {
                types.retain(|kind| *kind == "message");
            }
        }
        Ok(Self { types, topic: asked.topic })
    }

    fn wants(&self, event: &Event) -> bool {
        let topic = match (event, &self.topic) {
            (Event::Message { topic, .. }, Some(wanted)) => topic == wanted,
            _ => true,
        };
        topic && self.types.contains(&event.kind())
    }
}

/// Opens a stream.
pub(crate) async fn events(
    app: Extension<Arc<App>>,
    caller: Extension<Caller>,
    asked: Query<Asked>,
) -> Result<Response, Refusal> {
    let filter = Filter::new(asked.0, *caller)?;
    let permit = Arc::clone(&app.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many event streams are open"))?;
    // Before the subscription, so that nothing is missed in between.
    let events = app.context.backend.events();
    let subscription = match &filter.topic {
        Some(topic) if *caller == Caller::Owner => Some(Subscription::new(&app.context.backend, topic).await?),
        _ => None,
    };
    let reader = Reader {
        events,
        stop: app.stop.clone(),
        keep_alive: app.limits.keep_alive,
        filter,
        opened: false,
        _subscription: subscription,
        _permit: permit,
    };
    let body = Body::from_stream(futures::stream::unfold(reader, |mut reader| async move {
        let text = reader.next().await?;
        Some((Ok::<_, Infallible>(text), reader))
    }));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

/// A topic that the node hears for as long as this value lives.
struct Subscription {
    backend: Arc<dyn Backend>,
    topic: String,
}

impl Subscription {
    async fn new(backend: &Arc<dyn Backend>, topic: &str) -> Result<Self, Refusal> {
        let (backend, topic) = (Arc::clone(backend), topic.to_owned());
        // A task of its own: if the reader goes away meanwhile, what it gives is dropped, and so taken back.
        let subscribing = tokio::spawn(async move {
            let asked = backend.subscribe(&topic).await?;
            asked.map_err(|why| Refusal::new(StatusCode::CONFLICT, why.to_string()))?;
            Ok(Self { backend, topic })
        });
        subscribing.await.unwrap_or_else(|_| Err(Unavailable::Stopped.into()))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Without a runtime the server is gone, and its node with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.backend.unsubscribe(&self.topic));
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// One reader of events.
#[derive(Debug)]
struct Reader {
    events: broadcast::Receiver<Arc<Stamped>>,
    stop: watch::Receiver<bool>,
    keep_alive: Duration,
    filter: Filter,
    opened: bool,
    _subscription: Option<Subscription>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// What is to be sent next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.opened, true) {
            return Some(Bytes::from_static(OPENING.as_bytes()));
        }
        let silent = tokio::time::sleep(self.keep_alive);
        tokio::pin!(silent);
        loop {
            let received = tokio::select! {
                biased;
                received = self.events.recv() => Some(received),
                // An error is a server that was dropped: it stops as well.
                _ = self.stop.wait_for(|stopping| *stopping) => None,
                () = &mut silent => return Some(Bytes::from_static(COMMENT.as_bytes())),
            };
            match received {
                None => return self.last(),
                Some(Ok(stamped)) if self.filter.wants(&stamped.event) => return Some(text(&stamped)),
                Some(Ok(_)) => {}
                Some(Err(RecvError::Lagged(lost))) => return Some(gone(lost)),
                Some(Err(RecvError::Closed)) => return None,
            }
        }
    }

    /// What had happened when the server stopped.
    fn last(&mut self) -> Option<Bytes> {
        loop {
            match self.events.try_recv() {
                Ok(stamped) if self.filter.wants(&stamped.event) => return Some(text(&stamped)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(lost)) => return Some(gone(lost)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }
}

fn text(stamped: &Stamped) -> Bytes {
    // Events are made of texts and numbers: they can be written. JSON has no line breaks of its own.
    let data = serde_json::to_string(stamped).unwrap_or_default();
    Bytes::from(format!("id: {}\nevent: {}\ndata: {data}\n\n", stamped.id, stamped.event.kind()))
}

fn gone(lost: u64) -> Bytes {
    Bytes::from(format!("event: lost\ndata: {{\"lost\":{lost}}}\n\n"))
}

#[cfg(test)]
mod tests;
