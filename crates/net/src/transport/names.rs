//! The resolver: as this machine is set up, and as the C library does it where nothing is.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::system_conf::read_system_conf;
use libp2p::core::transport::Transport;
use libp2p::dns::tokio::Transport as Names;

/// Resolves names in the addresses that a transport dials.
pub(super) fn around<T: Transport>(transport: T) -> Names<T> {
    let (config, options) = read_system_conf().unwrap_or_else(|error| {
        tracing::debug!(%error, "no usable resolver configuration: asking the name server of this machine");
        (local(), ResolverOpts::default())
    });
    Names::custom(transport, config, options)
}

/// Without `/etc/resolv.conf` the name server of this machine is asked (`resolv.conf(5)`). Names in `/etc/hosts` need
/// none.
fn local() -> ResolverConfig {
    ResolverConfig::from_name_servers(vec![NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST))])
}
