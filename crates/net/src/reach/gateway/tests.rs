//! Which addresses a router is asked for. No router is needed: the search goes to the background.

use super::*;

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn listen(gateway: &mut Behaviour, listener: ListenerId, address: &str) -> bool {
    let address = addr(address);
    gateway.note(&FromSwarm::NewListenAddr(NewListenAddr { listener_id: listener, addr: &address }))
}

fn expire(gateway: &mut Behaviour, listener: ListenerId, address: &str) -> bool {
    let address = addr(address);
    gateway.note(&FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id: listener, addr: &address }))
}

#[tokio::test]
async fn router_is_asked_for_the_address_that_leads_to_it_alone() {
    let mut gateway = Behaviour::new(|_| Some("192.168.1.5".parse().unwrap()));
    let listener = ListenerId::next();
    assert!(listen(&mut gateway, listener, "/ip4/192.168.1.5/tcp/6001"));
    assert!(!listen(&mut gateway, listener, "/ip4/172.17.0.1/tcp/6001"), "a bridge for containers");
    assert!(!expire(&mut gateway, listener, "/ip4/172.17.0.1/tcp/6001"), "so its end takes nothing back");
    assert!(!expire(&mut gateway, listener, "/ip4/172.17.0.1/tcp/6001"));
    assert!(expire(&mut gateway, listener, "/ip4/192.168.1.5/tcp/6001"));
    assert!(gateway.listeners.is_empty());
}

#[tokio::test]
async fn all_are_asked_for_where_the_way_is_not_known() {
    let mut gateway = Behaviour::new(|_| None);
    assert!(listen(&mut gateway, ListenerId::next(), "/ip4/192.168.1.5/tcp/6001"));
    assert!(listen(&mut gateway, ListenerId::next(), "/ip4/10.0.0.5/tcp/6001"));
}

#[tokio::test]
async fn new_search_goes_the_new_way() {
    let mut gateway = Behaviour::new(|_| Some("192.168.1.5".parse().unwrap()));
    let listener = ListenerId::next();
    listen(&mut gateway, listener, "/ip4/192.168.1.5/tcp/6001");
    listen(&mut gateway, listener, "/ip4/10.3.3.3/tcp/6001");
    gateway.route = |_| Some("10.3.3.3".parse().unwrap());
    gateway.search();
    assert!(!expire(&mut gateway, listener, "/ip4/192.168.1.5/tcp/6001"));
    assert!(expire(&mut gateway, listener, "/ip4/10.3.3.3/tcp/6001"));
}

#[tokio::test]
async fn listeners_are_bounded() {
    let mut gateway = Behaviour::new(|_| None);
    for port in 0..MAX_LISTENERS {
        assert!(listen(&mut gateway, ListenerId::next(), &format!("/ip4/10.0.0.5/tcp/{}", port + 1)));
    }
    assert!(!listen(&mut gateway, ListenerId::next(), "/ip4/10.0.0.5/tcp/6001"));
    assert_eq!(gateway.listeners.len(), MAX_LISTENERS);
}
