//! `version`.

use crate::message::{MAX_USER_AGENT, NetworkId, Services, Version};
use crate::time::Timestamp;

use super::super::sink::Sink;
use super::source::{Source, printable};
use super::{Error, address};

/// Bytes of the sender's services, address and port, which nobody heeds.
const SENDER: usize = 26;

/// What stands for the nonce of a peer that sends none, as in Bitcoin Core: not what we would draw.
const NO_NONCE: u64 = 1;

/// The height of a peer that tells none, as in Bitcoin Core.
const NO_HEIGHT: i32 = -1;

/// Reads the message. Old peers end it after any of the fields behind the receiver's address.
pub(super) fn read(source: &mut Source<'_>) -> Result<Version, Error> {
    let version = source.u32()?;
    let services = Services(source.u64()?);
    // A clock before 1970 is as good as one at 1970.
    let timestamp = Timestamp(u64::try_from(i64::from_le_bytes(source.array()?)).unwrap_or(0));
    let receiver_services = Services(source.u64()?);
    let (host, port) = address::read_v1(source)?;
    let mut read = Version {
        version,
        services,
        timestamp,
        receiver: (receiver_services, host, port),
        nonce: NO_NONCE,
        user_agent: Box::default(),
        start_height: NO_HEIGHT,
        relay: true,
    };
    if !source.is_empty() {
        source.take(SENDER)?;
        read.nonce = source.u64()?;
    }
    if !source.is_empty() {
        read.user_agent = printable(source.bytes("bytes of user agent", MAX_USER_AGENT)?);
    }
    if !source.is_empty() {
        read.start_height = i32::from_le_bytes(source.array()?);
    }
    if !source.is_empty() {
        read.relay = source.u8()? != 0;
    }
    Ok(read)
}

/// Writes the message. The sender's own address is left empty, as Bitcoin Core does.
pub(super) fn write(version: &Version, sink: &mut impl Sink) {
    sink.put(&version.version.to_le_bytes());
    sink.put(&version.services.0.to_le_bytes());
    sink.put(&i64::try_from(version.timestamp.0).unwrap_or(i64::MAX).to_le_bytes());
    let (services, host, port) = &version.receiver;
    sink.put(&services.0.to_le_bytes());
    address::write_v1(host, *port, sink);
    sink.put(&version.services.0.to_le_bytes());
    address::write_v1(&NetworkId::None, 0, sink);
    sink.put(&version.nonce.to_le_bytes());
    sink.counted(version.user_agent.as_bytes());
    sink.put(&version.start_height.to_le_bytes());
    sink.put(&[version.relay.into()]);
}
