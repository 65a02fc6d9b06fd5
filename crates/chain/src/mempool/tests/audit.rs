//! Everything that must hold of a pool, found out from its transactions alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid};

use crate::mempool::cluster::{Part, bit, linearise};
use crate::mempool::graph::Summary;
use crate::mempool::rate::{Paid, compare_diagrams};
use crate::mempool::{Entry, Mempool};

/// All of it.
pub(super) fn sound(pool: &Mempool) {
    in_order(pool);
    assert!(pool.usage() <= pool.limits.usage, "{} bytes", pool.usage());
}

/// All but the memory, which may be more while blocks are taken back.
pub(super) fn in_order(pool: &Mempool) {
    let entries: BTreeMap<Txid, &Arc<Entry>> = pool.by_age().map(|entry| (entry.txid(), entry)).collect();
    tables(pool, &entries);
    let components = components(&entries);
    clusters(pool, &entries, &components);
    chunks(pool);
    orders(pool);
}

fn tables(pool: &Mempool, entries: &BTreeMap<Txid, &Arc<Entry>>) {
    assert_eq!(entries.len(), pool.len());
    let mut spent: BTreeMap<OutPoint, Txid> = BTreeMap::new();
    for (txid, entry) in entries {
        assert!(Arc::ptr_eq(pool.get_by_txid(txid).unwrap(), entry));
        assert!(Arc::ptr_eq(pool.get(&entry.wtxid()).unwrap(), entry));
        assert_eq!(entry.priority, pool.priorities.get(txid).copied().unwrap_or(0));
        for (outpoint, coin) in entry.inputs().zip(entry.spent.iter()) {
            assert_eq!(spent.insert(*outpoint, *txid), None, "{outpoint} is spent twice");
            assert!(Arc::ptr_eq(pool.spender(outpoint).unwrap(), entry));
            if let Some(made) = pool.coin(outpoint) {
                assert_eq!((made.value, made.script()), (coin.value, coin.script()));
            }
        }
        let fee = entry.spent.iter().map(|coin| coin.value).sum::<Amount>()
            - entry.transaction().decoded().output.iter().map(|output| output.value).sum::<Amount>();
        assert_eq!(entry.fee, fee);
    }
    assert_eq!(pool.fees(), entries.values().map(|entry| entry.fee).sum());
    assert_eq!(pool.vsize(), entries.values().map(|entry| entry.vsize()).sum::<u64>());
    assert_eq!(pool.usage(), entries.values().map(|entry| entry.usage()).sum::<usize>());
    assert!(pool.unbroadcast.iter().all(|txid| entries.contains_key(txid)));
}

/// Sets of transactions that are connected.
fn components(entries: &BTreeMap<Txid, &Arc<Entry>>) -> BTreeMap<Txid, BTreeSet<Txid>> {
    let mut of: BTreeMap<Txid, BTreeSet<Txid>> = entries.keys().map(|txid| (*txid, BTreeSet::from([*txid]))).collect();
    for (txid, entry) in entries {
        for parent in entry.inputs().map(|outpoint| outpoint.txid).filter(|parent| entries.contains_key(parent)) {
            let joined: BTreeSet<Txid> = of[txid].union(&of[&parent]).copied().collect();
            for member in &joined {
                of.insert(*member, joined.clone());
            }
        }
    }
    of
}

fn clusters(pool: &Mempool, entries: &BTreeMap<Txid, &Arc<Entry>>, components: &BTreeMap<Txid, BTreeSet<Txid>>) {
    for (txid, entry) in entries {
        let spot = pool.nodes.spot(pool.nodes.by_txid(txid).unwrap()).unwrap();
        let cluster = pool.graph.cluster(spot.cluster).unwrap();
        let members: Vec<&Arc<Entry>> = cluster.slots().iter().map(|slot| pool.nodes.entry(*slot).unwrap()).collect();
        assert!(Arc::ptr_eq(members[usize::from(spot.position)], entry));
        let ids: BTreeSet<Txid> = members.iter().map(|member| member.txid()).collect();
        assert_eq!(ids, components[txid]);
        assert!(members.len() <= pool.limits.cluster_count);
        assert!(members.iter().map(|member| member.paid()).sum::<Paid>().vsize() <= pool.limits.cluster_vsize);
        let parents =
            members.iter().position(|member| member.txid() == *txid).map(|position| cluster.parents()[position]);
        let of_inputs = entry.inputs().filter_map(|spent| members.iter().position(|other| other.txid() == spent.txid));
        assert_eq!(parents, Some(of_inputs.map(bit).fold(0, |all, parent| all | parent)));
        assert_eq!(cluster.oldest, members.iter().map(|member| member.sequence).min().unwrap());
    }
}

fn chunks(pool: &Mempool) {
    let mut count = 0;
    for (key, summary) in pool.graph.chunks() {
        let cluster = pool.graph.cluster(key.cluster).unwrap();
        let entries: Vec<&Arc<Entry>> =
            pool.graph.chunk_slots(key).iter().map(|slot| pool.nodes.entry(*slot).unwrap()).collect();
        assert_eq!(key.paid, entries.iter().map(|entry| entry.paid()).sum());
        let mut expected = Summary {
            first: pool.graph.chunk_slots(key)[0],
            lightest: cluster.slots().iter().map(|slot| pool.nodes.entry(*slot).unwrap().weight).min().unwrap(),
            cluster_size: u8::try_from(cluster.slots().len()).unwrap(),
            has_packages: cluster.packages().is_some(),
            ..Summary::default()
        };
        entries.iter().for_each(|entry| expected.add(entry));
        assert_eq!(*summary, expected);
        count += entries.len();
        if key.index == 0 {
            best(pool, key.cluster);
        }
    }
    assert_eq!(count, pool.len());
}

/// That a cluster is in an order as good as one found anew.
fn best(pool: &Mempool, id: u32) {
    let cluster = pool.graph.cluster(id).unwrap();
    let parts: Vec<Part> = cluster
        .slots()
        .iter()
        .zip(cluster.parents())
        .enumerate()
        .map(|(position, (slot, parents))| {
            assert!(*parents < bit(position) || position == 0 && *parents == 0, "a parent stands after its child");
            Part { paid: pool.nodes.entry(*slot).unwrap().paid(), parents: *parents }
        })
        .collect();
    let anew: Vec<Paid> = linearise(&parts).chunks.iter().map(|(_, paid)| *paid).collect();
    let kept: Vec<Paid> = cluster.chunks().iter().map(|chunk| chunk.paid).collect();
    assert!(kept.windows(2).all(|pair| pair[0].by_rate(pair[1]).is_ge()), "rates rise");
    assert_eq!(compare_diagrams(&kept, &anew), Some(std::cmp::Ordering::Equal));
}

/// Both orders have everything once, parents first.
fn orders(pool: &Mempool) {
    let by_feerate: Vec<&Arc<Entry>> = pool.by_feerate().collect();
    let by_age: Vec<&Arc<Entry>> = pool.by_age().collect();
    for order in [by_feerate, by_age] {
        let mut seen = BTreeSet::new();
        for entry in &order {
            let mut parents = entry.inputs().filter(|outpoint| pool.contains_txid(&outpoint.txid));
            assert!(parents.all(|outpoint| seen.contains(&outpoint.txid)), "a parent comes after its child");
            assert!(seen.insert(entry.txid()));
        }
        assert_eq!(order.len(), pool.len());
    }
}
