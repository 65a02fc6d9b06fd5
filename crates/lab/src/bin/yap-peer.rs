//! `yap-peer`: one peer, told what to do by JSON lines on standard input, telling what happens on standard output.
//!
//! ```text
//! $ yap-peer --data /tmp/alice --port 6001
//! {"event":"listening","address":"/ip4/192.168.1.5/tcp/6001"}
//! {"id":1,"do":"mine","blocks":2,"bytes":100000}
//! {"event":"tip","height":111,"hash":"…"}
//! {"event":"tip","height":112,"hash":"…"}
//! {"id":1,"ok":{"height":112,"tip":"…","bytes":200000}}
//! ```
//!
//! Ends with 0 at the end of its input or by `{"do":"stop"}`; with 1 and one line on standard error if it can't start.
#![allow(clippy::print_stderr, reason = "a program that says why it can't start")]

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use yap_lab::peer::{Arguments, Peer, StartError, console};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.log().parse::<Targets>() {
        Ok(targets) => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
            tracing_subscriber::registry().with(targets).with(lines).init();
        }
        Err(error) => {
            eprintln!("yap-peer: --log: {error}: write such as yap_net=debug,info");
            return ExitCode::FAILURE;
        }
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yap-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), StartError> {
    let options = arguments.options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (out, writer) = console::write_lines(std::io::stdout());
    runtime.block_on(async {
        let (peer, events) = Peer::start(&options).await?;
        console::run(peer, events, console::read_lines(std::io::stdin()), out).await;
        Ok::<(), StartError>(())
    })?;
    // Everything was told: what still runs is of no interest.
    runtime.shutdown_background();
    // A reader that is gone is no reason to fail.
    let _ = writer.join();
    Ok(())
}
