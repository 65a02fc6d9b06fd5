//! What a router does with packets, as rules of nftables.

use std::fmt;

use super::{LAN, WAN, portal};

/// How a router maps addresses of its hosts to its own (RFC 4787 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Not at all.
    None,
    /// To the same port where it is free, whoever the packet goes to: most routers of homes.
    Kept,
    /// To another port, the same whoever the packet goes to.
    Moved,
    /// To a new port for each that a packet goes to ("symmetric"): nobody can guess where to send.
    Random,
}

/// Which packets of its hosts a router lets out, and what it answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// All.
    All,
    /// TCP alone.
    Tcp,
    /// UDP alone.
    Udp,
    /// TCP to port 443 alone.
    Https,
    /// None: TCP to any port and names are answered by the [`portal`].
    Portal,
}

/// What a router does with packets. `Display` gives the rules, in place of those that hold.
///
/// In every form: what nobody behind it has asked for is dropped, not refused, as most routers do. (One that refuses
/// also spoils hole punching, since its answer overtakes the packet that would have opened the hole.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How it maps addresses.
    pub mapping: Mapping,
    /// What it lets out.
    pub pass: Pass,
}

impl Rules {
    /// A router that lets everything out.
    #[must_use]
    pub const fn of(mapping: Mapping) -> Self {
        Self { mapping, pass: Pass::All }
    }
}

/// The ports that [`Mapping::Moved`] maps to: none that a node listens on.
const MOVED: &str = "20000-30000";

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Deleting a table that is not there is an error, so it is made first.
        f.write_str("table ip yap\ndelete table ip yap\ntable ip yap {\n")?;
        self.translate(f)?;
        self.forward(f)?;
        writeln!(f, " chain input {{\n  type filter hook input priority 0; policy accept;")?;
        writeln!(f, "  iifname \"{WAN}\" ct state new drop\n }}")?;
        if self.pass == Pass::Portal {
            writeln!(f, " chain portal {{\n  type nat hook prerouting priority -90; policy accept;")?;
            writeln!(f, "  iifname \"{LAN}\" meta l4proto tcp redirect to :{}", portal::HTTP)?;
            writeln!(f, "  iifname \"{LAN}\" udp dport 53 redirect to :{}\n }}", portal::DNS)?;
        }
        f.write_str("}\n")
    }
}

impl Rules {
    fn translate(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = match self.mapping {
            Mapping::None => return Ok(()),
            Mapping::Kept => String::new(),
            Mapping::Moved => format!("  oifname \"{WAN}\" meta l4proto {{ tcp, udp }} masquerade to :{MOVED}\n"),
            Mapping::Random => format!("  oifname \"{WAN}\" meta l4proto {{ tcp, udp }} masquerade fully-random\n"),
        };
        write!(f, " chain translate {{\n  type nat hook postrouting priority 100; policy accept;\n{ports}")?;
        writeln!(f, "  oifname \"{WAN}\" masquerade\n }}")
    }

    fn forward(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, " chain forward {{\n  type filter hook forward priority 0; policy drop;")?;
        // Ports that a host has asked to be forwarded are translated before they come here.
        writeln!(f, "  ct state established,related accept\n  ct status dnat accept")?;
        match self.pass {
            Pass::All => writeln!(f, "  iifname \"{LAN}\" accept")?,
            Pass::Tcp => writeln!(f, "  iifname \"{LAN}\" meta l4proto tcp accept")?,
            Pass::Udp => writeln!(f, "  iifname \"{LAN}\" meta l4proto udp accept")?,
            Pass::Https => writeln!(f, "  iifname \"{LAN}\" tcp dport 443 accept")?,
            Pass::Portal => {}
        }
        if self.mapping == Mapping::None {
            writeln!(f, "  iifname \"{WAN}\" accept")?;
        }
        writeln!(f, " }}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Pass, Rules};

    #[test]
    fn each_mapping_has_its_own_rule() {
        let text = |mapping| Rules::of(mapping).to_string();
        assert!(!text(Mapping::None).contains("masquerade"));
        assert!(text(Mapping::Kept).contains("oifname \"wan\" masquerade\n"));
        assert!(!text(Mapping::Kept).contains("l4proto"));
        assert!(text(Mapping::Moved).contains("masquerade to :20000-30000"));
        assert!(text(Mapping::Random).contains("masquerade fully-random"));
    }

    #[test]
    fn what_nobody_asked_for_is_dropped_by_every_router_that_translates() {
        for mapping in [Mapping::Kept, Mapping::Moved, Mapping::Random] {
            for pass in [Pass::All, Pass::Tcp, Pass::Udp, Pass::Https, Pass::Portal] {
                let text = Rules { mapping, pass }.to_string();
                assert!(text.contains("hook forward priority 0; policy drop;"), "{text}");
                assert!(!text.contains("iifname \"wan\" accept"), "{text}");
                assert!(text.contains("iifname \"wan\" ct state new drop"), "{text}");
            }
        }
    }

    #[test]
    fn only_443_lets_nothing_else_out() {
        let text = Rules { mapping: Mapping::Kept, pass: Pass::Https }.to_string();
        let out: Vec<_> = text.lines().filter(|line| line.contains("iifname \"lan\"")).collect();
        assert_eq!(out, ["  iifname \"lan\" tcp dport 443 accept"]);
    }

    #[test]
    fn a_portal_answers_and_lets_nothing_out() {
        let text = Rules { mapping: Mapping::Kept, pass: Pass::Portal }.to_string();
        assert!(text.contains("meta l4proto tcp redirect to"), "{text}");
        assert!(!text.lines().any(|line| line.contains("iifname \"lan\"") && line.ends_with("accept")), "{text}");
    }
}
