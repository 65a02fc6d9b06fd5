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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::{DialOpts, MemoryTransport, PortUse};

    use super::*;

    #[tokio::test]
    async fn without_configuration_this_machine_is_asked_and_names_of_its_own_are_known() {
        let asked: Vec<_> = local().name_servers().iter().map(|server| server.ip).collect();
        assert_eq!(asked, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        // What a name was resolved to shows in the complaint that memory has no such address.
        let mut names = Names::custom(MemoryTransport::new(), local(), ResolverOpts::default());
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dial = names.dial("/dns4/localhost/tcp/1".parse().unwrap(), options).unwrap();
        let refused = dial.map(|outcome| outcome.map(|_| ()).unwrap_err().to_string()).await;
        assert!(refused.contains("/ip4/127.0.0.1/tcp/1"), "{refused}");
    }
}
