//! Addresses, as in `version` and `addr` and as in `addrv2` (BIP-0155).

use std::net::Ipv6Addr;

use crate::address::Host;
use crate::message::{KnownAddress, MAX_ADDRESSES, NetworkId, Services};
use crate::time::Timestamp;

use super::super::sink::Sink;
use super::Error;
use super::source::Source;

/// Most bytes of an address in `addrv2` (BIP-0155).
pub(in super::super) const MAX_ADDRESS_SIZE: usize = 512;

/// Bytes of an address in `addr`: time, services, address, port.
const V1: usize = 30;

/// Bytes of an address in `addrv2` at least: time, services, network, size, no address, port.
const MIN_V2: usize = 9;

/// The networks of BIP-0155.
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const TOR_V2: u8 = 3;
const TOR_V3: u8 = 4;
const I2P: u8 = 5;
const CJDNS: u8 = 6;

/// How Tor v2 stood in IPv6 (OnionCat). Gone since 2021.
const TOR_V2_IN_IPV6: [u8; 6] = [0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43];

/// How Bitcoin Core keeps names in its own tables; no address that anyone sends.
const INTERNAL_IN_IPV6: [u8; 6] = [0xfd, 0x6b, 0x88, 0xc0, 0x87, 0x24];

pub(super) fn read_v1_list(source: &mut Source<'_>) -> Result<Vec<KnownAddress>, Error> {
    source.list(("addresses", MAX_ADDRESSES), V1, |source| {
        let seen = Timestamp(source.u32()?.into());
        let services = Services(source.u64()?);
        let (host, port) = read_v1(source)?;
        Ok(KnownAddress { seen, services, host, port })
    })
}

/// Reads an IPv6 address, in which IPv4 may be embedded, and a port.
pub(super) fn read_v1(source: &mut Source<'_>) -> Result<(NetworkId, u16), Error> {
    let address = Ipv6Addr::from(source.array::<16>()?);
    let host = address.to_ipv4_mapped().map_or_else(|| ipv6(address), |ipv4| NetworkId::Known(Host::Ipv4(ipv4)));
    Ok((host, u16::from_be_bytes(source.array()?)))
}

/// An address that embeds no other.
fn ipv6(address: Ipv6Addr) -> NetworkId {
    let octets = address.octets();
    let embeds = address.to_ipv4_mapped().is_some()
        || [TOR_V2_IN_IPV6, INTERNAL_IN_IPV6].iter().any(|prefix| octets.starts_with(prefix));
    if embeds || address.is_unspecified() { NetworkId::None } else { NetworkId::Known(Host::Ipv6(address)) }
}

/// CJDNS keeps to `fc00::/8`; what else is called so leads nowhere (BIP-0155).
fn cjdns(address: Ipv6Addr) -> NetworkId {
    if address.octets().starts_with(&[0xfc]) { NetworkId::Known(Host::Cjdns(address)) } else { NetworkId::None }
}

/// Writes an address and a port. What is no IP address is written as none: senders leave it out.
pub(super) fn write_v1(host: &NetworkId, port: u16, sink: &mut impl Sink) {
    let octets = match host {
        NetworkId::Known(Host::Ipv4(address)) => address.to_ipv6_mapped().octets(),
        NetworkId::Known(Host::Ipv6(address)) => address.octets(),
        NetworkId::Known(Host::Tor(_) | Host::I2p(_) | Host::Cjdns(_)) | NetworkId::Other(_) | NetworkId::None => {
            [0; 16]
        }
    };
    sink.put(&octets);
    sink.put(&port.to_be_bytes());
}

pub(super) fn write_v1_timed(address: &KnownAddress, sink: &mut impl Sink) {
    sink.put(&address.seen.header_time().to_le_bytes());
    sink.put(&address.services.0.to_le_bytes());
    write_v1(&address.host, address.port, sink);
}

pub(super) fn read_v2_list(source: &mut Source<'_>) -> Result<Vec<KnownAddress>, Error> {
    source.list(("addresses", MAX_ADDRESSES), MIN_V2, |source| {
        let seen = Timestamp(source.u32()?.into());
        let services = Services(source.compact()?);
        let network = source.u8()?;
        let bytes = source.bytes("bytes of an address", MAX_ADDRESS_SIZE)?;
        let host = host(network, bytes)?;
        let port = u16::from_be_bytes(source.array()?);
        Ok(KnownAddress { seen, services, host, port })
    })
}

/// The host of these bytes. BIP-0155: a client MUST reject messages with a size that is not the network's, and MUST pass
/// over networks that it does not know.
fn host(network: u8, bytes: &[u8]) -> Result<NetworkId, Error> {
    let size = Error::AddressSize { network, size: bytes.len() };
    let host = match network {
        IPV4 => <[u8; 4]>::try_from(bytes).map(|bytes| Host::Ipv4(bytes.into())),
        IPV6 => return <[u8; 16]>::try_from(bytes).map(|bytes| ipv6(bytes.into())).map_err(|_| size),
        TOR_V3 => <[u8; 32]>::try_from(bytes).map(Host::Tor),
        I2P => <[u8; 32]>::try_from(bytes).map(Host::I2p),
        CJDNS => return <[u8; 16]>::try_from(bytes).map(|bytes| cjdns(bytes.into())).map_err(|_| size),
        other => return Ok(NetworkId::Other(other)),
    };
    host.map(NetworkId::Known).map_err(|_| size)
}

/// Writes an address. One of a network that we don't know was not kept, so only its network is written (and zeros, where
/// BIP-0155 gives it a size); none at all is IPv6's unspecified address.
pub(super) fn write_v2(address: &KnownAddress, sink: &mut impl Sink) {
    sink.put(&address.seen.header_time().to_le_bytes());
    sink.compact(address.services.0);
    let mut host = |network, bytes: &[u8]| {
        sink.put(&[network]);
        sink.counted(bytes);
    };
    match &address.host {
        NetworkId::Known(Host::Ipv4(address)) => host(IPV4, &address.octets()),
        NetworkId::Known(Host::Ipv6(address)) => host(IPV6, &address.octets()),
        NetworkId::Known(Host::Tor(key)) => host(TOR_V3, key),
        NetworkId::Known(Host::I2p(hash)) => host(I2P, hash),
        NetworkId::Known(Host::Cjdns(address)) => host(CJDNS, &address.octets()),
        NetworkId::Other(IPV4 | IPV6 | TOR_V3 | I2P | CJDNS) | NetworkId::None => host(IPV6, &[0; 16]),
        NetworkId::Other(TOR_V2) => host(TOR_V2, &[0; 10]),
        NetworkId::Other(network) => host(*network, &[]),
    }
    sink.put(&address.port.to_be_bytes());
}
