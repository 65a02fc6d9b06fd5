//! A router that forwards ports for its hosts: configuration of miniupnpd, and the tables that it works in.

use std::fmt::Write as _;

use super::{LAN, WAN};
use crate::topology::Subnet;

/// The tables in which miniupnpd notes what it forwards, under the names that it has by default.
pub(super) const TABLES: &str = "\
table inet filter {
 chain forward {
  type filter hook forward priority 0; policy accept;
  jump miniupnpd
 }
 chain miniupnpd {
 }
 chain prerouting {
  type nat hook prerouting priority -100; policy accept;
  jump prerouting_miniupnpd
 }
 chain postrouting {
  type nat hook postrouting priority 100; policy accept;
  jump postrouting_miniupnpd
 }
 chain prerouting_miniupnpd {
 }
 chain postrouting_miniupnpd {
 }
}
";

/// The server's configuration, for a router whose address on the inside is this.
pub(super) fn configuration(inner: Subnet) -> String {
    let mut text = format!("ext_ifname={WAN}\nlistening_ip={LAN}\n");
    // Any fixed name will do: there is one router of this kind in a network.
    text.push_str("enable_natpmp=no\nenable_upnp=yes\nsecure_mode=yes\nuuid=7961702d-6c61-6200-0000-000000000001\n");
    let _ = writeln!(text, "allow 1024-65535 {inner} 1024-65535");
    text.push_str("deny 0-65535 0.0.0.0/0 0-65535\n");
    text
}

#[cfg(test)]
mod tests {
    use super::{Subnet, configuration};

    #[test]
    fn hosts_of_the_inside_alone_may_ask_for_ports() {
        let text = configuration(Subnet::new(192, 168, 1, 1, 24));
        let rules: Vec<_> = text.lines().filter(|line| line.starts_with("allow") || line.starts_with("deny")).collect();
        assert_eq!(rules, ["allow 1024-65535 192.168.1.1/24 1024-65535", "deny 0-65535 0.0.0.0/0 0-65535"]);
    }
}
