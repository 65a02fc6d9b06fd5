//! The floor of every answer: an HTTP server on the node's runtime and framework that knows one sentence.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::post;

use crate::process::Usage;

/// The argument that makes this program be the server.
pub(crate) const SERVE: &str = "--serve";

/// What is answered: as long as the shortest answer of a node.
const HELLO: &str = r#"{"jsonrpc":"2.0","result":110,"id":1}"#;

/// The server, in a process of its own, as a node is.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(SERVE).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let hello = || async { ([("content-type", "application/json")], HELLO) };
        axum::serve(listener, Router::new().route("/", post(hello))).await.unwrap();
    });
}
