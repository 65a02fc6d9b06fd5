//! Stories of the task that asks the resolver.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

/// Longer than anything takes.
const SOON_ENOUGH: Duration = Duration::from_secs(30);

fn given(text: &str) -> Given {
    text.parse().unwrap()
}

async fn news(receiver: &mut mpsc::Receiver<Found>) -> Option<Found> {
    tokio::time::timeout(SOON_ENOUGH, receiver.recv()).await.expect("news in time")
}

fn resolved(at: usize, peer: &str, hosts: &[&str]) -> Option<Found> {
    let hosts: Vec<IpAddr> = hosts.iter().map(|ip| ip.parse().unwrap()).collect();
    Some(Found::Resolved { given: at, addresses: given(peer).addresses(&hosts) })
}

fn ips(text: &str) -> io::Result<Vec<IpAddr>> {
    Ok(vec![text.parse().unwrap()])
}

#[tokio::test]
async fn a_name_is_resolved_at_once() {
    let (names, mut receiver) = Names::start_with(TIMEOUT, |name| async move {
        assert_eq!(name, "pods");
        ips("10.0.0.1")
    });
    assert!(names.follow(3, &given("pods:7001")));
    assert_eq!(news(&mut receiver).await, resolved(3, "pods:7001", &["10.0.0.1"]));
}

#[tokio::test]
async fn localhost_is_both_addresses_of_this_machine() {
    let (names, mut receiver) = Names::start();
    assert!(names.follow(1, &given("localhost:7001")));
    assert_eq!(news(&mut receiver).await, resolved(1, "localhost:7001", &["127.0.0.1", "::1"]));
}

#[tokio::test]
async fn a_name_that_comes_up_late_is_found() {
    let asked = AtomicUsize::new(0);
    let (names, mut receiver) = Names::start_with(TIMEOUT, move |_| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { Err(io::Error::other("no such name")) } else { ips("10.0.0.1") } }
    });
    assert!(names.follow(1, &given("pods")));
    let failed = Found::Failed { given: 1, name: "pods".into(), why: "no such name".into() };
    assert_eq!(news(&mut receiver).await, Some(failed));
    assert_eq!(news(&mut receiver).await, resolved(1, "pods", &["10.0.0.1"]));
}

#[tokio::test]
async fn a_resolver_that_never_answers_is_not_waited_for() {
    let (names, mut receiver) = Names::start_with(Duration::from_millis(1), |_| std::future::pending());
    assert!(names.follow(1, &given("pods")));
    let failed = Found::Failed { given: 1, name: "pods".into(), why: "the resolver does not answer".into() };
    assert_eq!(news(&mut receiver).await, Some(failed));
}

#[tokio::test]
async fn only_so_many_names_are_asked_for_at_one_time() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let (names, mut receiver) = Names::start_with(TIMEOUT, {
        let (under_way, most, gate) = (Arc::clone(&under_way), Arc::clone(&most), Arc::clone(&gate));
        move |_| {
            let (under_way, most, gate) = (Arc::clone(&under_way), Arc::clone(&most), Arc::clone(&gate));
            async move {
                let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                if now == MAX_LOOKUPS {
                    // As many as may wait: let all go that come.
                    gate.add_permits(2 * MAX_LOOKUPS);
                }
                gate.acquire().await.unwrap().forget();
                under_way.fetch_sub(1, Ordering::SeqCst);
                ips("10.0.0.1")
            }
        }
    });
    let count = 2 * MAX_LOOKUPS;
    assert!((0..count).all(|at| names.follow(at, &given("pods"))));
    for _ in 0..count {
        assert!(news(&mut receiver).await.is_some());
    }
    assert_eq!(most.load(Ordering::SeqCst), MAX_LOOKUPS);
}

#[tokio::test]
async fn news_wait_for_a_slow_reader_and_none_is_lost() {
    let (names, mut receiver) = Names::start_with(TIMEOUT, |_| async { ips("10.0.0.1") });
    let count = 3 * MAX_NEWS + 1;
    assert!((0..count).all(|at| names.follow(at, &given("10.0.0.1"))));
    // Full before any is taken.
    while receiver.len() < MAX_NEWS {
        tokio::task::yield_now().await;
    }
    let mut told = Vec::new();
    for _ in 0..count {
        assert!(receiver.len() <= MAX_NEWS);
        let Some(Found::Resolved { given, .. }) = news(&mut receiver).await else { panic!("all can be told") };
        told.push(given);
    }
    assert_eq!(told, (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_name_that_is_forgotten_is_not_told() {
    let asked = Arc::new(Semaphore::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let (names, mut receiver) = Names::start_with(TIMEOUT, {
        let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
        move |_| {
            let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
            async move {
                asked.add_permits(1);
                gate.acquire().await.unwrap().forget();
                ips("10.0.0.1")
            }
        }
    });
    assert!(names.follow(1, &given("pods")));
    asked.acquire().await.unwrap().forget();
    names.forget(1);
    gate.add_permits(1);
    assert!(names.follow(2, &given("others")));
    asked.acquire().await.unwrap().forget();
    gate.add_permits(1);
    assert_eq!(news(&mut receiver).await, resolved(2, "others", &["10.0.0.1"]));
}

#[tokio::test]
async fn the_task_ends_with_its_owner() {
    let (names, mut receiver) = Names::start_with(TIMEOUT, |_| std::future::pending());
    assert!(names.follow(1, &given("pods")));
    drop(names);
    assert_eq!(news(&mut receiver).await, None);
}

#[tokio::test]
async fn the_task_ends_with_its_reader() {
    let (mut names, receiver) = Names::start_with(TIMEOUT, |_| std::future::pending());
    assert!(names.follow(1, &given("pods")));
    drop(receiver);
    tokio::time::timeout(SOON_ENOUGH, &mut names.task).await.expect("it ends in time").unwrap();
}

#[tokio::test]
async fn the_resolver_of_the_system_is_asked() {
    // A name that it knows on every machine, without a network.
    assert_eq!(system("127.0.0.2".into()).await.unwrap(), ips("127.0.0.2").unwrap());
    assert!(system("a name with spaces".into()).await.is_err());
}
