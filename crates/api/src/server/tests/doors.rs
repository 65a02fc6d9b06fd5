//! Who is let in, and to what.

use std::time::Instant;

use crate::credentials::Credentials;
use crate::fixture::{Node, post};
use crate::server::limits::WRONG_CREDENTIALS;

const ECHO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":["a"]}"#;
const SECRET: &str = r#"{"jsonrpc":"2.0","id":1,"method":"secret"}"#;

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{headers}\r\n")
}

#[tokio::test]
async fn pages_are_open_to_this_machine() {
    let node = Node::start().await;
    let ping = node.get("/ping").await;
    assert_eq!((ping.status, ping.text().as_str()), (200, "I'm alive\n"));
    assert!(ping.head.contains("content-type: text/plain"));
    assert_eq!(node.backend.calls(), ["ping"]);
    let metrics = node.get("/metrics").await;
    assert_eq!((metrics.status, metrics.text().as_str()), (200, "yap_height 0\n# EOF\n"));
    assert!(metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(node.get("/healthz").await.text(), "ok\n");
    assert!(node.get("/").await.text().contains("JSON-RPC"));
    assert_eq!(node.get("/nowhere").await.status, 404);
    assert_eq!(node.get("/wallet/yap").await.status, 405);
}

#[tokio::test]
async fn a_node_that_catches_up_is_alive_and_not_ready() {
    let node = Node::start().await;
    assert_eq!(node.get("/readyz").await.status, 200);
    node.backend.scene().standing.catching_up = true;
    assert_eq!(node.get("/readyz").await.status, 503);
    node.backend.scene().stopped = true;
    assert_eq!(node.get("/readyz").await.status, 503);
    assert_eq!(node.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn secrets_need_the_cookie() {
    let node = Node::start().await;
    let open = node.post(ECHO).await;
    assert_eq!((open.status, open.json()["result"].as_str()), (200, Some("a")));
    let refused = node.post(SECRET).await;
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate: basic"));
    assert_eq!(refused.json()["error"]["code"], -32001);
    assert_eq!(node.own(SECRET).await.json()["result"]["secret"], 42);
}

#[tokio::test]
async fn wrong_cookie_is_refused_later_and_holds_nobody_up() {
    let node = Node::start().await;
    let wrong = format!("authorization: {}\r\n", Credentials::new("__cookie__:00").header());
    let begun = Instant::now();
    let guess = async {
        let refused = node.raw(post("/", &wrong, ECHO)).await;
        assert_eq!(refused.status, 401);
        assert!(refused.head.contains("www-authenticate: basic"));
        begun.elapsed()
    };
    let honest = async {
        assert_eq!(node.post(ECHO).await.status, 200);
        begun.elapsed()
    };
    let (guess, honest) = tokio::join!(guess, honest);
    assert!(guess >= WRONG_CREDENTIALS, "{guess:?}");
    assert!(honest < guess, "{honest:?} {guess:?}");
}

#[tokio::test]
async fn beyond_this_machine_all_but_health_needs_the_cookie() {
    let node = Node::configured(|config| config.addresses = vec!["0.0.0.0:0".parse().unwrap()]).await;
    let port = node.address().port();
    let ask = async |request: Vec<u8>| {
        let mut stream = crate::fixture::open(([127, 0, 0, 1], port).into()).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await.unwrap();
        crate::fixture::answers(&mut stream, 1).await.pop().unwrap().status
    };
    assert_eq!(ask(get("/healthz", "host: probe.example\r\n").into()).await, 200);
    for path in ["/", "/ping", "/readyz", "/metrics", "/events"] {
        assert_eq!(ask(get(path, "host: localhost\r\n").into()).await, 401, "{path}");
    }
    assert_eq!(ask(post("/", "", ECHO)).await, 401);
    assert_eq!(ask(post("/", &node.authorization(), ECHO)).await, 200);
    assert_eq!(ask(get("/ping", &format!("host: localhost\r\n{}", node.authorization())).into()).await, 200);
}

#[tokio::test]
async fn rebound_names_and_foreign_pages_are_turned_away() {
    let node = Node::configured(|config| {
        config.allow_hosts = vec!["yap.example".into()];
        config.allow_origins = vec!["https://app.example".into()];
    })
    .await;
    let status = async |headers: &str| node.raw(get("/ping", headers)).await.status;
    assert_eq!(status("host: evil.example\r\n").await, 403);
    assert_eq!(status("host: yap.example\r\n").await, 200);
    assert_eq!(status("").await, 400);
    assert_eq!(status("host: localhost\r\norigin: https://evil.example\r\n").await, 403);
    assert_eq!(status("host: localhost\r\nsec-fetch-site: cross-site\r\n").await, 403);
    let answer = node.raw(get("/ping", "host: localhost\r\n")).await;
    assert!(!answer.head.contains("access-control-"), "{}", answer.head);
    assert!(answer.head.contains("x-content-type-options: nosniff"));
    let answer = node.raw(get("/ping", "host: localhost\r\norigin: https://app.example\r\n")).await;
    assert!(answer.head.contains("access-control-allow-origin: https://app.example"), "{}", answer.head);
    let asked = "OPTIONS / HTTP/1.1\r\nhost: localhost\r\norigin: https://app.example\r\n\
                 access-control-request-method: POST\r\n\r\n";
    let answer = node.raw(asked).await;
    assert_eq!(answer.status, 204);
    assert!(answer.head.contains("access-control-allow-headers: authorization, content-type"));
    assert_eq!(node.raw(asked.replace("app", "evil")).await.status, 403);
}

#[tokio::test]
async fn a_form_of_a_web_page_can_not_call() {
    let node = Node::start().await;
    let ask = async |kind: &str, cookie: &str| {
        let length = ECHO.len();
        let request =
            format!("POST / HTTP/1.1\r\nhost: localhost\r\n{kind}{cookie}content-length: {length}\r\n\r\n{ECHO}");
        node.raw(request).await.status
    };
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
        assert_eq!(ask(kind, "").await, 415, "{kind}");
        assert_eq!(ask(kind, &node.authorization()).await, 200, "{kind}");
    }
    assert_eq!(ask("content-type: Application/JSON; charset=utf-8\r\n", "").await, 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_the_cookie_stays() {
    let node = Node::start().await;
    let cookie = node.home.path().join(".cookie");
    let before = std::fs::read(&cookie).unwrap();
    let mut config = crate::server::Config::new(cookie.clone());
    config.addresses = vec![node.address()];
    let backend = std::sync::Arc::clone(&node.backend);
    let error = crate::server::Server::start(backend, std::sync::Arc::default(), config).await.unwrap_err();
    assert!(error.to_string().contains(&node.address().to_string()), "{error}");
    assert_eq!(std::fs::read(&cookie).unwrap(), before);
}
