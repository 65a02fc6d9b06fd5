//! Signed records: whoever changes a bit of one breaks its signature.

use ed25519_dalek::SigningKey;

use super::*;
use crate::address::{Identity, Multiaddr};
use crate::arbitrary;
use crate::message::{MAX_ENDPOINTS, PeerRecord, RecordError, Services};

#[test]
fn a_record_is_the_peers_that_signed_it() {
    for seed in 0..10 {
        let record = arbitrary::peer_record(&mut random(seed));
        assert_eq!(record.verify(), Ok(()), "seed {seed}");
    }
}

#[test]
fn no_bit_of_a_record_can_be_changed() {
    let record = arbitrary::peer_record(&mut random(2));
    let message = Message::PeerRecords(vec![Arc::new(record.clone())]);
    let bytes = encode(&message, BOTH[0])[24..].to_vec();
    for bit in 8..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // A bit of a length makes it unreadable.
        let Ok(Message::PeerRecords(records)) = payload("yaprecord", &changed) else { continue };
        let verdict = records[0].verify();
        let identity = records[0].identity;
        assert!(verdict == Err(RecordError::Signature(identity)) || verdict == Err(RecordError::Key(identity)));
    }
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element: under it, every signature of a form holds for every message, unless that is forbidden.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let identity = Identity(identity);
    let record = PeerRecord { identity, sequence: 1, services: Services::NETWORK, endpoints: Vec::new(), signature };
    assert_eq!(record.verify(), Err(RecordError::Signature(identity)));
}

#[test]
fn a_signature_for_another_use_is_none() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut record = PeerRecord::sign(&key, 1, Services::NETWORK, Vec::new()).unwrap();
    let other = ed25519_dalek::Signer::sign(&key, &signed_bytes(&record, b"")).to_bytes();
    record.signature = other;
    assert_eq!(record.verify(), Err(RecordError::Signature(record.identity)));
}

#[test]
fn a_record_has_sixteen_endpoints_at_most() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let endpoints = |count| vec![Multiaddr::new(&[4, 127, 0, 0, 1]).unwrap(); count];
    let sign = |count| PeerRecord::sign(&key, 1, Services::NETWORK, endpoints(count));
    let mut record = sign(MAX_ENDPOINTS).unwrap();
    assert_eq!(record.verify(), Ok(()));
    assert_eq!(sign(MAX_ENDPOINTS + 1), Err(RecordError::Endpoints(17)));
    record.endpoints = endpoints(MAX_ENDPOINTS + 1);
    assert_eq!(record.verify(), Err(RecordError::Endpoints(17)));
}

#[test]
fn the_largest_record_has_its_size() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let endpoints = vec![Multiaddr::new(&[1; 256]).unwrap(); MAX_ENDPOINTS];
    let record = PeerRecord::sign(&key, 1, Services::NETWORK, endpoints).unwrap();
    let message = Message::PeerRecords(vec![Arc::new(record)]);
    assert_eq!(payload_len(&message), 1 + PeerRecord::MAX_SIZE);
}
