//! Steps that scenarios have in common.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Failure;
use crate::process::{ANSWER, Link, Process, Status};

/// How long a peer may take to start. A busy machine is not what scenarios measure.
pub(super) const START: Duration = Duration::from_secs(30);

/// How long peers may take for what a scenario gives no time for.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a large block: what a block of Bitcoin may have at most, or nearly.
pub(super) const LARGE: u64 = 3_900_000;

/// Waits until a peer listens.
pub(super) fn listening(peer: &Process) -> Result<(), Failure> {
    peer.hear("listening", START, |event| is(event, "listening"))?;
    Ok(())
}

/// Whether an event is of this kind.
pub(super) fn is(event: &Value, kind: &str) -> bool {
    event.get("event").and_then(Value::as_str) == Some(kind)
}

/// Whether an event is of this kind and about this peer.
pub(super) fn is_of(event: &Value, kind: &str, identity: &str) -> bool {
    is(event, kind) && event.get("identity").and_then(Value::as_str) == Some(identity)
}

/// Who a peer is.
pub(super) fn identity(peer: &Process) -> Result<String, Failure> {
    Ok(peer.status()?.identity)
}

/// Waits until two peers are connected; gives the moment at which both knew.
pub(super) fn meet(alice: &Process, bob: &Process, within: Duration) -> Result<Instant, Failure> {
    let (a, b) = (identity(alice)?, identity(bob)?);
    let at_alice = alice.hear("connected with the other", within, |event| is_of(event, "connected", &b))?;
    let at_bob = bob.hear("connected with the other", within, |event| is_of(event, "connected", &a))?;
    Ok(at_alice.at.max(at_bob.at))
}

/// Mines blocks at a peer, each of so many bytes (as small as possible without), and gives the hash of the last.
pub(super) fn mine(peer: &Process, blocks: u32, bytes: Option<u64>) -> Result<String, Failure> {
    let command = bytes.map_or_else(|| json!({"blocks": blocks}), |bytes| json!({"blocks": blocks, "bytes": bytes}));
    let answer = peer.ask("mine", command, PATIENCE)?;
    text(peer, "mine", &answer, "tip")
}

/// Waits until all of them are on this tip.
pub(super) fn same_tip<'a>(
    peers: impl IntoIterator<Item = &'a Process>,
    tip: &str,
    within: Duration,
) -> Result<(), Failure> {
    let begun = Instant::now();
    for peer in peers {
        peer.until("the tip of the others", within.saturating_sub(begun.elapsed()), |status| status.tip == tip)?;
    }
    Ok(())
}

/// Pays at one peer and waits until the others have the payment.
pub(super) fn payment_arrives(payer: &Process, others: &[&Process], within: Duration) -> Result<(), Failure> {
    let answer = payer.ask("pay", json!({}), ANSWER)?;
    let txid = text(payer, "pay", &answer, "txid")?;
    let begun = Instant::now();
    let arrived = |event: &Value| is(event, "transaction") && event.get("txid").and_then(Value::as_str) == Some(&txid);
    for other in others {
        other.hear("the payment", within.saturating_sub(begun.elapsed()), arrived)?;
        let has = other.ask("has", json!({"txid": txid}), ANSWER)?;
        if has.get("has").and_then(Value::as_bool) != Some(true) {
            let found = format!("{} told of {txid} and has not: {has}", other.name());
            return Err(Failure::Wrong { what: "a payment that arrived is there", found });
        }
    }
    Ok(())
}

/// A field of text in an answer.
pub(super) fn text(peer: &Process, command: &str, answer: &Value, field: &'static str) -> Result<String, Failure> {
    let found = answer.get(field).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| peer.form(command, answer, field).into())
}

/// Waits until two peers are connected without anybody between them; gives the moment at which both knew.
pub(super) fn direct(alice: &Process, bob: &Process, within: Duration) -> Result<Instant, Failure> {
    let (a, b) = (identity(alice)?, identity(bob)?);
    let begun = Instant::now();
    alice.until("a direct way to the other", within, |status| status.is_direct(&b))?;
    let left = within.saturating_sub(begun.elapsed());
    bob.until("a direct way to the other", left, |status| status.is_direct(&a))?;
    Ok(Instant::now())
}

/// The way between two peers as the first sees it, in words such as `punched quic`. A peer may know it a moment later
/// than that it is connected.
pub(super) fn way(peer: &Process, other: &str) -> Result<String, Failure> {
    let status = peer.until("a session with the other", PATIENCE, |status| status.link(other).is_some())?;
    Ok(status.link(other).map_or_else(String::new, Link::way))
}

/// Waits until a peer has sessions with at least so many others.
pub(super) fn has_peers(peer: &Process, count: usize, within: Duration) -> Result<Status, Failure> {
    Ok(peer.until("enough peers", within, |status| status.met() >= count)?)
}
