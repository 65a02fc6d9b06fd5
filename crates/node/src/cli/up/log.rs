//! The log of a running node: where its lines go, which there are, and in which form.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::screen::Screen;
use crate::config::{Config, Format};

/// What is told to users, apart from what parts of the program note for developers.
pub(super) const TOLD: &str = "yap::told";

/// Starts the log. With a `screen`, its lines appear above the status, or where standard error goes if that is no terminal.
pub(super) fn start(config: &Config, verbose: u8, screen: Option<&Arc<Screen>>) {
    let targets = targets(level(config, verbose, screen.is_some()));
    let json = config.log.format == Format::Json;
    match screen {
        Some(screen) if io::stderr().is_terminal() => {
            let screen = Arc::clone(screen);
            install(targets, json, console::colors_enabled(), move || Above(Arc::clone(&screen)));
        }
        Some(_) => install(targets, json, false, io::stderr),
        None => install(targets, json, console::colors_enabled() && io::stdout().is_terminal(), io::stdout),
    }
}

fn install<W>(targets: Targets, json: bool, colours: bool, writer: W)
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    // A log that can't be written is no reason to say so on standard error a thousand times.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).log_internal_errors(false);
    let registry = tracing_subscriber::registry();
    // Whoever embeds the command has a log already.
    let _ = if json {
        registry.with(layer.event_format(Json).with_filter(targets)).try_init()
    } else {
        registry.with(layer.with_target(false).with_filter(targets)).try_init()
    };
}

/// Which lines: those that were asked for; beside a status, which tells the rest, warnings.
fn level(config: &Config, verbose: u8, status: bool) -> Level {
    let set = config.is_given("log.level");
    match verbose {
        0 if status && !set => Level::WARN,
        0 => config.log.level,
        1 => config.log.level.max(Level::DEBUG),
        _ => Level::TRACE,
    }
}

/// The parts of the program that are heard at that level. Others' libraries are heard when something is wrong.
fn targets(level: Level) -> Targets {
    let others =
        if level == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::from_level(level.min(Level::WARN)) };
    // What developers read. Users are told the same in words.
    let ours = if level >= Level::DEBUG { level } else { level.min(Level::WARN) };
    let targets = Targets::new().with_default(others).with_target("yap", ours).with_target(TOLD, level);
    if level >= Level::DEBUG {
        return targets;
    }
    // Kademlia warns when it knows nobody, and gossipsub when it has nobody to talk to: that is no fault in a quiet network.
    targets.with_target("libp2p_kad", LevelFilter::ERROR).with_target("libp2p_gossipsub", LevelFilter::OFF)
}

struct Above(Arc<Screen>);

impl io::Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One JSON object per line: `time`, `level`, `target`, `message`, and whatever belongs to the line.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields(Map::new());
        fields.0.insert("time".to_owned(), time.into());
        fields.0.insert("level".to_owned(), event.metadata().level().as_str().to_ascii_lowercase().into());
        fields.0.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // What happened comes as JSON already.
        let value = match field.name() {
            "event" => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
            _ => value.into(),
        };
        self.0.insert(field.name().to_owned(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn libraries_are_heard_when_something_is_wrong() {
        let quiet = targets(Level::INFO);
        for (target, level, heard) in [
            (TOLD, Level::INFO, true),
            ("yap_net::engine", Level::INFO, false),
            ("yap_net::engine", Level::WARN, true),
            ("yap_net::engine", Level::DEBUG, false),
            ("yap", Level::INFO, false),
            ("libp2p_swarm", Level::INFO, false),
            ("libp2p_swarm", Level::WARN, true),
            ("libp2p_kad::behaviour", Level::WARN, false),
            ("libp2p_gossipsub::behaviour", Level::ERROR, false),
        ] {
            assert_eq!(quiet.would_enable(target, &level), heard, "{target} {level}");
        }
        assert!(targets(Level::DEBUG).would_enable("yap", &Level::DEBUG));
        assert!(!targets(Level::ERROR).would_enable(TOLD, &Level::WARN));
    }

    #[test]
    fn a_status_leaves_the_log_to_warnings_unless_more_is_asked_for() {
        let config = Config::new(PathBuf::from("/data"));
        assert_eq!(level(&config, 0, true), Level::WARN);
        assert_eq!(level(&config, 0, false), Level::INFO);
        assert_eq!([level(&config, 1, true), level(&config, 2, true)], [Level::DEBUG, Level::TRACE]);
    }

    #[test]
    fn json_lines_are_objects() {
        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(Json);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(target: TOLD, height = 7_u64, event = r#"{"type":"ping"}"#, "block \"7\"");
        });
        let bytes = kept.0.lock().unwrap();
        let line: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["level"], "info");
        assert_eq!(line["message"], "block \"7\"");
        assert_eq!(line["event"]["type"], "ping");
        assert_eq!(line["height"].to_string(), "7");
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }
}
