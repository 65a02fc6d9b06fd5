//! One value as somebody gave it, and what it is read as.
//!
//! Flags and the environment have text alone. The file has types, and they must be right: a port in quotes is refused, so
//! that a file means one thing.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};
use yap_api::backend::Mining;
use yap_net::Given;
use yap_net::config::Hosts;

use super::{Format, Wrong};
use crate::chainstate::Trust;

/// Most entries of a list.
pub(super) const MOST_ENTRIES: usize = 256;

/// One value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Of a flag or the environment.
    Text(&'a str),
    /// Of the file.
    Toml(&'a DeValue<'a>),
}

impl Value<'_> {
    /// As the user wrote it, for messages; not longer than a line.
    pub(super) fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) | Self::Toml(DeValue::String(std::borrow::Cow::Borrowed(text))) => (*text).to_owned(),
            Self::Toml(DeValue::String(text)) => text.to_string(),
            Self::Toml(DeValue::Integer(number)) => number.as_str().to_owned(),
            Self::Toml(DeValue::Float(number)) => number.as_str().to_owned(),
            Self::Toml(DeValue::Boolean(value)) => value.to_string(),
            Self::Toml(DeValue::Datetime(time)) => time.to_string(),
            Self::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Self::Toml(DeValue::Table(_)) => "a table".to_owned(),
        };
        let mut shown: String = text.chars().take(60).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    }

    pub(super) fn number(&self, range: RangeInclusive<u32>) -> Result<u32, Wrong> {
        let (least, most) = (*range.start(), *range.end());
        let number = match self {
            Self::Text(text) => text.trim().parse::<u32>().ok(),
            Self::Toml(DeValue::Integer(number)) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            Self::Toml(_) => None,
        };
        number.filter(|number| range.contains(number)).ok_or(Wrong::Number { least, most })
    }

    pub(super) fn port(&self) -> Result<u16, Wrong> {
        let wrong = Wrong::Number { least: 0, most: u16::MAX.into() };
        self.number(0..=u16::MAX.into()).ok().and_then(|port| u16::try_from(port).ok()).ok_or(wrong)
    }

    pub(super) fn threads(&self) -> Result<usize, Wrong> {
        let number = self.number(0..=MOST_THREADS)?;
        usize::try_from(number).map_err(|_| Wrong::Number { least: 0, most: MOST_THREADS })
    }

    pub(super) fn switch(&self) -> Result<bool, Wrong> {
        match self {
            Self::Toml(DeValue::Boolean(value)) => Ok(*value),
            Self::Toml(_) => Err(Wrong::Switch),
            Self::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(Wrong::Switch),
            },
        }
    }

    pub(super) fn text(&self) -> Result<String, Wrong> {
        let text = match self {
            Self::Text(text) => text.trim(),
            Self::Toml(value) => value.as_str().ok_or(Wrong::Text)?,
        };
        if text.is_empty() { Err(Wrong::Text) } else { Ok(text.to_owned()) }
    }

    pub(super) fn path(&self) -> Result<PathBuf, Wrong> {
        self.text().map(PathBuf::from)
    }

    /// A list; as text, separated by commas or white space.
    pub(super) fn list(&self) -> Result<Vec<String>, Wrong> {
        let list: Vec<String> = match self {
            Self::Text(text) => {
                let parts = text.split(|letter: char| letter == ',' || letter.is_whitespace());
                parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            Self::Toml(value) => {
                let texts = value.as_array().ok_or(Wrong::List)?.iter().map(|entry| entry.get_ref().as_str());
                texts.map(|text| text.map(str::to_owned).ok_or(Wrong::List)).collect::<Result<_, _>>()?
            }
        };
        if list.len() > MOST_ENTRIES { Err(Wrong::Many { most: MOST_ENTRIES }) } else { Ok(list) }
    }

    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Wrong> {
        Ok(self.list()?.into_iter().map(PathBuf::from).collect())
    }

    pub(super) fn ip(&self) -> Result<IpAddr, Wrong> {
        self.text()?.trim_matches(['[', ']']).parse().map_err(|_| Wrong::Ip)
    }

    pub(super) fn hosts(&self) -> Result<Hosts, Wrong> {
        let word = match self {
            Self::Text(text) => Some(text.trim()),
            Self::Toml(value) => value.as_str(),
        };
        match word {
            Some("all") => return Ok(Hosts::All),
            Some("loopback") => return Ok(Hosts::Loopback),
            Some("none") => return Ok(Hosts::None),
            Some(_) | None => {}
        }
        let list = self.list().map_err(|_| Wrong::Hosts)?;
        let hosts: Result<Vec<IpAddr>, _> = list.iter().map(|ip| ip.parse().map_err(|_| Wrong::Hosts)).collect();
        hosts.and_then(|hosts| if hosts.is_empty() { Err(Wrong::Hosts) } else { Ok(Hosts::Only(hosts)) })
    }

    pub(super) fn peers(&self) -> Result<Vec<Given>, Wrong> {
        let list = self.list()?.join(" ");
        yap_net::given::parse_list(&list).map_err(|error| Wrong::Peer(Box::new(error)))
    }

    pub(super) fn mining(&self) -> Result<Mining, Wrong> {
        match self.text()?.as_str() {
            "off" => Ok(Mining::Off),
            "on-demand" => Ok(Mining::OnDemand),
            "continuous" => Ok(Mining::Continuous),
            _ => Err(Wrong::OneOf(&["off", "on-demand", "continuous"])),
        }
    }

    pub(super) fn level(&self) -> Result<tracing::Level, Wrong> {
        let levels = &["error", "warn", "info", "debug", "trace"];
        self.text()?.parse().map_err(|_| Wrong::OneOf(levels))
    }

    pub(super) fn format(&self) -> Result<Format, Wrong> {
        match self.text()?.as_str() {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(Wrong::OneOf(&["text", "json"])),
        }
    }

    pub(super) fn trust(&self) -> Result<Trust, Wrong> {
        match self.text()?.as_str() {
            "chain" => Ok(Trust::Spec),
            "0" => Ok(Trust::Nobody),
            hash => hash.parse().map(Trust::Block).map_err(|_| Wrong::Trust),
        }
    }
}

/// Most threads of one kind: more than any machine of today gains from.
pub(super) const MOST_THREADS: u32 = 1024;

pub(super) fn show_hosts(hosts: &Hosts) -> Json {
    match hosts {
        Hosts::All => "all".into(),
        Hosts::Loopback => "loopback".into(),
        Hosts::None => "none".into(),
        Hosts::Only(list) => list.iter().map(IpAddr::to_string).collect(),
    }
}

pub(super) fn show_mining(mining: Mining) -> &'static str {
    match mining {
        Mining::Off => "off",
        Mining::OnDemand => "on-demand",
        Mining::Continuous => "continuous",
    }
}

pub(super) fn show_path(path: Option<&PathBuf>) -> Json {
    path.map_or(Json::Null, |path| path.display().to_string().into())
}

pub(super) fn show_paths(paths: &[PathBuf]) -> Json {
    paths.iter().map(|path| path.display().to_string()).collect()
}

pub(super) fn show_trust(trust: Trust) -> String {
    match trust {
        Trust::Spec => "chain".to_owned(),
        Trust::Nobody => "0".to_owned(),
        Trust::Block(hash) => hash.to_string(),
    }
}

/// A file's content.
pub(super) type Table<'a> = DeTable<'a>;
