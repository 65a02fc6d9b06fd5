//! Pages for people and for what watches over programs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::body::Refusal;

/// Time in which a node says whether it is ready.
const READY_TIME: Duration = Duration::from_secs(2);

/// What is at this address.
pub(super) async fn index() -> &'static str {
    "This is a Yap node. It speaks JSON-RPC here (POST), as Bitcoin Core does: try `yap rpc help`.\n\n\
     /ping     shows at every node that can be reached that you asked\n\
     /events   what happens, as it happens (server-sent events)\n\
     /healthz  whether the node serves\n\
     /readyz   whether it has caught up with the network\n\
     /metrics  numbers, for Prometheus\n"
}

/// Shows at every node that can be reached that somebody asked.
pub(super) async fn ping(app: Extension<Arc<App>>) -> Result<&'static str, Refusal> {
    app.context.backend.ping().await?;
    Ok("I'm alive\n")
}

/// Whether the program serves.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Whether the node answers, and has caught up with the network.
pub(super) async fn ready(app: Extension<Arc<App>>) -> Result<&'static str, Refusal> {
    let waits = |text: &'static str| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text);
    let standing = app.context.backend.ask(|view| view.standing());
    let standing = tokio::time::timeout(READY_TIME, standing).await.map_err(|_| waits("the node is busy"))??;
    if standing.catching_up {
        return Err(waits("the node is catching up with the network"));
    }
    Ok("ready\n")
}

/// Numbers.
pub(super) async fn metrics(app: Extension<Arc<App>>) -> Result<Response, Refusal> {
    let text = app.context.backend.metrics().await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// Nothing is there.
pub(super) async fn nowhere() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such page: / tells which there are")
}
