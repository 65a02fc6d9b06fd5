//! A request's way to its answer: the gate, then the page or method that it is for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, Request};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::app::App;
use super::body::{self, Refusal, Sent};
use super::gate::{Barred, Caller, is_json, is_preflight};
use super::limits::WRONG_CREDENTIALS;
use super::link::Link;
use super::pages;
use super::pulse::Stage;
use crate::{rpc, stream};

/// The page that anybody may see, by whatever name the node is called: probes come from elsewhere.
const HEALTH: &str = "/healthz";

/// Every page.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(pages::index).post(root))
        .route("/wallet/", post(root))
        .route("/wallet/{name}", post(wallet))
        .route("/ping", get(pages::ping))
        .route(HEALTH, get(pages::health))
        .route("/readyz", get(pages::ready))
        .route("/metrics", get(pages::metrics))
        .route("/events", get(stream::events))
        .fallback(pages::nowhere)
}

/// Answers a request, whatever it is.
pub(super) async fn answer(app: Arc<App>, link: Link, request: hyper::Request<Incoming>) -> Response<Sent> {
    let begun = Instant::now();
    link.pulse.enter(Stage::Working);
    let (head, incoming) = request.into_parts();
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let answered = AssertUnwindSafe(respond(&app, &link, head, Body::new(incoming))).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the node failed at this: please report it").into_response()
    });
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, micros = begun.elapsed().as_micros(), "answered");
    let headers = response.headers_mut();
    // What is said to one program is not for pages of others, nor for stores on the way.
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response.map(|body| Sent::new(body, link.pulse))
}

async fn respond(app: &Arc<App>, link: &Link, head: Parts, body: Body) -> Response {
    if head.uri.path() == HEALTH {
        return route(app, Request::from_parts(head, body)).await;
    }
    let origin = match app.doors.admit(&head, link) {
        Ok(origin) => origin,
        Err(refusal) => return refusal.into_response(),
    };
    let mut response = if origin.is_some() && is_preflight(&head) {
        preflight()
    } else {
        enter(app, link, head, body).await.unwrap_or_else(Refusal::into_response)
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    }
    response
}

/// Lets in whoever may, as who they are.
async fn enter(app: &Arc<App>, link: &Link, head: Parts, body: Body) -> Result<Response, Refusal> {
    let caller = match app.doors.caller(&head.headers, link) {
        Ok(caller) => caller,
        Err(Barred::NoCredentials) => {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this node asks for its cookie"));
        }
        Err(Barred::WrongCredentials) => {
            // Guessing is to be slow. Whoever guesses waits alone.
            tokio::time::sleep(WRONG_CREDENTIALS).await;
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this is not the cookie of this node"));
        }
    };
    if caller == Caller::Anyone && head.method == Method::POST && !is_json(&head.headers) {
        let text = "say `content-type: application/json`, or show the cookie";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(link.clone());
    Ok(route(app, request).await)
}

async fn route(app: &Arc<App>, mut request: Request) -> Response {
    request.extensions_mut().insert(Arc::clone(app));
    let Ok(response) = app.router.clone().oneshot(request).await;
    response
}

/// What a page that may talk to the node is told before it does.
fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// JSON-RPC.
async fn root(
    app: Extension<Arc<App>>,
    link: Extension<Link>,
    caller: Extension<Caller>,
    request: Request,
) -> Response {
    call(&app, &link, *caller, None, request).await.unwrap_or_else(Refusal::into_response)
}

/// JSON-RPC for a wallet that is named, as with Bitcoin Core.
async fn wallet(
    app: Extension<Arc<App>>,
    link: Extension<Link>,
    caller: Extension<Caller>,
    name: Path<String>,
    request: Request,
) -> Response {
    call(&app, &link, *caller, Some(&name), request).await.unwrap_or_else(Refusal::into_response)
}

async fn call(
    app: &Arc<App>,
    link: &Link,
    caller: Caller,
    wallet: Option<&str>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let lane = app.lane(caller);
    let received = body::read(&head.headers, body, lane, &link.pulse).await?;
    let permit = lane.turn().await.ok_or_else(Refusal::busy)?;
    Ok(rpc::answer(app, caller, wallet, received, permit).await)
}
