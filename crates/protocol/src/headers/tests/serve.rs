//! What we answer to `getheaders`.

use super::*;
use crate::message::MAX_LOCATOR;

fn served(chain: &Chain, locator: Vec<BlockHash>, stop: BlockHash) -> Vec<u32> {
    let state = State::new(Config::default(), Random::new([1; 32]));
    let blind = locator.is_empty();
    let (Message::Headers(headers), last) = state.on_getheaders(&Locate { locator, stop }, chain) else {
        panic!("no headers")
    };
    let id = |header: &Header| chain.tree.get(&header.block_hash()).unwrap();
    if let Some(header) = headers.last() {
        assert_eq!(last, Some(id(header)).filter(|_| !blind), "what comes last is what the peer has then");
    }
    headers.iter().map(|header| chain.tree.height(id(header))).collect()
}

#[test]
fn what_follows_the_locator_is_served_as_much_as_fits() {
    let chain = remote(4_100, 1);
    let at = |height| chain.tree.hash(chain.tree.ancestor(chain.tip, height).unwrap());
    let none = BlockHash::all_zeros();
    assert_eq!(served(&chain, vec![at(0)], none), (1..=2_000).collect::<Vec<u32>>());
    assert_eq!(served(&chain, vec![at(2_100)], none), (2_101..=4_100).collect::<Vec<u32>>());
    assert_eq!(served(&chain, vec![at(4_099)], none), [4_100]);
    assert_eq!(served(&chain, vec![at(4_100)], none), [] as [u32; 0]);
    assert_eq!(served(&chain, vec![none], none).first(), Some(&1), "an unknown locator starts at the first block");
    assert_eq!(served(&chain, vec![none, at(50), at(0)], at(52)), [51, 52]);
    assert_eq!(served(&chain, vec![at(50)], at(49)).len(), 2_000, "a stop before the start stops nothing");
    assert_eq!(served(&chain, vec![], at(7)), [7], "no locator asks for one header");
    assert_eq!(served(&chain, vec![], none), [] as [u32; 0]);
    let mut long = vec![none; MAX_LOCATOR];
    long.push(at(4_000));
    assert_eq!(served(&chain, long, none).first(), Some(&1), "hashes past the limit are not looked at");
}

#[test]
fn only_the_verified_chain_is_served() {
    let mut chain = remote(20, 1);
    let genesis = chain.tree.genesis();
    let fork = grow(&mut chain.tree, genesis, 9, 2);
    let (hash, none) = (chain.tree.hash(fork), BlockHash::all_zeros());
    assert_eq!(served(&chain, vec![], hash), [] as [u32; 0]);
    assert_eq!(served(&chain, vec![hash], none).len(), 20);
    chain.tip = chain.tree.ancestor(chain.tip, 5).unwrap();
    assert_eq!(served(&chain, vec![hash], none), [1, 2, 3, 4, 5], "headers ahead of the tip are not verified");
}

#[test]
fn a_chain_below_the_minimum_work_is_not_served() {
    for (height, served_headers) in [(99, 0), (100, 100)] {
        let mut chain = ledger(demanding(100));
        chain.tip = grow(&mut chain.tree, chain.tip, height, 1);
        let genesis = chain.tree.hash(chain.tree.genesis());
        assert_eq!(served(&chain, vec![genesis], BlockHash::all_zeros()).len(), served_headers);
        let (_, last) = super::super::serve::answer(&Locate { locator: vec![genesis], stop: genesis }, &chain);
        assert_eq!(last.is_some(), served_headers > 0, "who is told nothing knows nothing");
    }
}
