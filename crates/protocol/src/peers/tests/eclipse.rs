//! Someone with many addresses in few networks tries to be all that we see.

use super::*;
use std::collections::BTreeSet;

/// Nine of ten addresses are the attacker's, in sixteen groups; the honest ones have a group each.
const EVIL: u32 = 9000;
const HONEST: u32 = 1000;
const EVIL_GROUPS: u32 = 16;

fn is_evil(address: &Address) -> bool {
    matches!(&address.endpoint, Endpoint::Bitcoin { host: Host::Ipv4(ip), .. } if ip.octets()[0] == 60)
}

fn evil(number: u32) -> Address {
    ip(0x3c00_0001 + ((number % EVIL_GROUPS) << 16) + number / EVIL_GROUPS)
}

/// The attacker connects from each of its groups and tells its addresses for a day; honest peers tell theirs.
fn flooded(seed: u8) -> Desk {
    let config = Config { inbound: 200, ..Config::default() };
    let mut desk = Desk::with(State::new(config, Random::new([seed; 32])));
    let mut tellers = Vec::new();
    tellers.extend((0..EVIL_GROUPS).map(|group| (desk.inbound(&evil(group)).0, true)));
    tellers.extend((0..20).map(|number| (desk.inbound(&far(number)).0, false)));
    for round in 0..60_u32 {
        for (place, (peer, lies)) in tellers.iter().enumerate() {
            let number = |index: u32| (round * 36 + place as u32 * 7919 + index).wrapping_mul(2_654_435_761);
            let list: Vec<_> = (0..10)
                .map(|index| if *lies { evil(number(index) % EVIL) } else { far(number(index) % HONEST) })
                .map(|address| exchange::known(&address, desk.state.wall(desk.now)))
                .collect();
            let out = desk.state.on_addresses(*peer, &list, desk.now);
            for (address, purpose) in dials(&desk.see(out)) {
                desk.reach(&address, purpose);
            }
        }
        settle(&mut desk, 100);
    }
    desk
}

/// Every dial succeeds: the attacker's always, of the honest two in three.
fn settle(desk: &mut Desk, wait: u64) {
    let mut out = desk.pass(seconds(wait));
    for _ in 0..200 {
        let wanted = dials(&out);
        if wanted.is_empty() {
            break;
        }
        for (address, purpose) in wanted {
            let down = !is_evil(&address) && address.group().number() % 3 == 0;
            if down {
                desk.fail(&address);
            } else {
                let (peer, _, more) = desk.reach(&address, purpose);
                if !parts(&more).is_empty() {
                    desk.leave(peer);
                }
            }
        }
        out = desk.pass(seconds(1));
    }
}

fn outbound(desk: &Desk) -> Vec<Address> {
    let lasting = |purpose| matches!(purpose, Some(Purpose::Full | Purpose::BlockOnly));
    desk.state.peers(desk.now).filter(|peer| lasting(peer.purpose)).map(|peer| peer.address).collect()
}

fn honest(addresses: &[Address]) -> usize {
    addresses.iter().filter(|address| !is_evil(address)).count()
}

#[test]
fn a_flood_from_few_networks_leaves_honest_peers_and_so_does_a_restart() {
    let (mut total, mut good, mut after) = (0, 0, 0);
    for seed in 0..5 {
        let mut desk = flooded(seed);
        // New connections again and again: the attacker gets what chance gives it.
        for _ in 0..20 {
            settle(&mut desk, 120);
            let peers: Vec<PeerId> = desk
                .state
                .peers(desk.now)
                .filter(|peer| peer.purpose == Some(Purpose::Full))
                .map(|peer| peer.peer)
                .collect();
            total += outbound(&desk).len();
            good += honest(&outbound(&desk));
            peers.into_iter().for_each(|peer| drop(desk.leave(peer)));
        }
        settle(&mut desk, 120);
        let anchors: BTreeSet<Address> = desk.state.anchors.iter().cloned().collect();
        desk.kept.merge(desk.state.take_changes().unwrap_or_default());
        let changes = ChangeSet::decode(&desk.kept.encode()).unwrap();
        let restored = State::restore(Config::default(), Random::new([99; 32]), &changes);
        let mut desk = Desk::with(restored);
        let first = desk.pass(seconds(0));
        let dialled: BTreeSet<Address> = dials(&first)
            .into_iter()
            .filter(|(_, purpose)| *purpose == Purpose::BlockOnly)
            .map(|(address, _)| address)
            .collect();
        assert!(!anchors.is_empty() && anchors.is_subset(&dialled), "SEED {seed}: {anchors:?} {dialled:?}");
        for (address, purpose) in dials(&first) {
            desk.reach(&address, purpose);
        }
        settle(&mut desk, 60);
        assert_eq!(outbound(&desk).len(), FULL + BLOCK_ONLY, "SEED {seed}");
        after += honest(&outbound(&desk));
    }
    println!("honest: {good} of {total}; after a restart {after} of {}", 5 * (FULL + BLOCK_ONLY));
    assert!(good * 2 > total, "{good} of {total} outbound peers are honest");
    assert!(after * 2 > 5 * (FULL + BLOCK_ONLY), "{after} after a restart");
}
