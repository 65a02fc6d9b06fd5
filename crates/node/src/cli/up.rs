//! `yap up`: starts a node, shows how it stands, and stops it in order.
//!
//! On a terminal a few lines at its bottom show how the node stands; elsewhere each thing worth telling is a log line. The
//! words of both are made by pure functions (`said`, `render`) out of what the node tells.

mod line;
mod log;
mod render;
mod said;
mod screen;
mod show;
mod snapshot;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use tokio::sync::Notify;
use yap_chain::spec::Spec;

use self::screen::Screen;
use self::show::Show;
use super::output::Output;
use super::settings::OfNode;
use super::{Ending, Error, Global};
use crate::config::{Config, Flags};
use crate::home::{Home, Running};
use crate::import::unix_time;
use crate::node::Node;

#[derive(Debug, Default, Args)]
pub(super) struct Up {
    #[command(flatten)]
    node: OfNode<true>,
}

impl Up {
    pub(super) fn run(&self, global: &Global, before: &Flags, output: &Output) -> Result<Ending, Error> {
        let mut flags = before.clone();
        flags.extend(self.node.0.clone());
        let config = global.config_with(&flags)?;
        // The status is for people.
        let screen = if output.is_json() { None } else { Screen::of_stdout().map(Arc::new) };
        log::start(&config, global.verbose, screen.as_ref());
        for warning in config.warnings() {
            tracing::warn!(target: log::TOLD, "{warning}");
        }
        let spec = Arc::new(super::spec(&config.chain)?);
        let stop = stop_on_signal();
        let home = Home::take(&config, &spec.name)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Threads)?;
        let show = Show::new(Arc::clone(&spec), &config, screen);
        let ended = runtime.block_on(Box::pin(serve(&config, &spec, &home, &stop, show)));
        // What still runs holds nothing that is not on disk.
        runtime.shutdown_background();
        ended.map(|()| Ending::Done)
    }
}

/// Starts the node and shows it, until somebody or something stops it.
async fn serve(config: &Config, spec: &Arc<Spec>, home: &Home, stop: &Notify, mut show: Show) -> Result<(), Error> {
    let builder = config.builder(spec, home)?;
    let started = u64::from(unix_time());
    let mut node = tokio::select! {
        node = builder.start() => node.map_err(Box::new)?,
        // Nothing has begun that would have to be ended in order.
        () = stop.notified() => return Ok(()),
    };
    let running = Running {
        pid: std::process::id(),
        chain: spec.name.clone(),
        http: node.http().first().copied(),
        p2p_port: home.p2p_port(),
        started,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        directory: home.directory().to_path_buf(),
    };
    home.announce(&running)?;
    let standing = node.backend().ask(|view| view.standing()).await.ok();
    show.begin(config, home, &running, standing.as_ref());
    let outcome = watch(&mut node, home, running, stop, &mut show).await;
    show.end();
    let stopped = node.stop().await;
    outcome.and(stopped).map_err(Error::Node)
}

/// Shows the node while it runs.
async fn watch(
    node: &mut Node,
    home: &Home,
    mut running: Running,
    stop: &Notify,
    show: &mut Show,
) -> Result<(), Arc<crate::chainstate::Error>> {
    let backend = node.backend();
    let mut events = backend.events();
    let mut tick = tokio::time::interval(show.interval());
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            outcome = node.finished() => return outcome,
            () = stop.notified() => return Ok(()),
            event = events.recv() => match event {
                Ok(stamped) => show.event(&stamped),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::debug!(lost, "events came faster than they could be shown");
                }
                // All who could tell are gone: so is the node.
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return node.finished().await,
            },
            _ = tick.tick() => {
                // A node that is too busy to look at is shown later.
                if let Ok((snapshot, listening)) = backend.ask(|view| (snapshot::Snapshot::of(view), view.standing().listening)).await {
                    show.tick(snapshot, running.http);
                    announce_port(home, &mut running, &listening);
                }
            }
        }
    }
}

/// Tells others the port that the system chose, once it is known.
fn announce_port(home: &Home, running: &mut Running, listening: &[String]) {
    if running.p2p_port != 0 {
        return;
    }
    let port = listening.iter().find_map(|address| {
        let (_, rest) = address.split_once("/tcp/")?;
        rest.split('/').next()?.parse().ok()
    });
    if let Some(port) = port {
        running.p2p_port = port;
        if let Err(error) = home.announce(running) {
            tracing::warn!(target: log::TOLD, "the port for peers could not be noted for other commands: {error}");
        }
    }
}

/// Rung by the first Ctrl-C or request to end; the second ends the process at once.
fn stop_on_signal() -> Arc<Notify> {
    let (stop, first) = (Arc::new(Notify::new()), AtomicBool::new(true));
    let bell = Arc::clone(&stop);
    let handler = move || {
        if !first.swap(false, Ordering::Relaxed) {
            // What was committed is safe whenever the process ends.
            std::process::exit(130);
        }
        bell.notify_one();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(target: log::TOLD, %error, "Ctrl-C will end the node at once; the next start goes on from the last commit");
    }
    stop
}
