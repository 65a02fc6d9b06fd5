//! What the user was told of dials that fail: each reason once for each address, however often it is dialled again.
//!
//! A session with the address ends that: what goes wrong later is news. Bounds: [`ADDRESSES`], the one that was added
//! longest ago gives way; [`REASONS`] of each.

use std::collections::VecDeque;

use yap_protocol::Address;

use crate::error::DialError;

/// Most addresses.
pub(super) const ADDRESSES: usize = 512;

/// Most reasons for one address: more are told each time.
pub(super) const REASONS: usize = 8;

/// What was told, oldest first.
#[derive(Debug, Default)]
pub(super) struct Complaints(VecDeque<(Address, Vec<DialError>)>);

impl Complaints {
    /// Whether this is news.
    pub(super) fn is_new(&mut self, address: &Address, why: &DialError) -> bool {
        let Some((_, told)) = self.0.iter_mut().find(|(known, _)| known == address) else {
            if self.0.len() >= ADDRESSES {
                self.0.pop_front();
            }
            self.0.push_back((address.clone(), vec![why.clone()]));
            return true;
        };
        let new = !told.contains(why);
        if new && told.len() < REASONS {
            told.push(why.clone());
        }
        new
    }

    /// The address was reached, or nobody wants it any more.
    pub(super) fn settle(&mut self, address: &Address) {
        self.0.retain(|(known, _)| known != address);
    }
}

#[cfg(test)]
mod tests {
    use yap_protocol::address::{Endpoint, Host};

    use super::*;

    fn address(port: u16) -> Address {
        Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Ipv4([11, 1, 1, 1].into()), port } }
    }

    #[test]
    fn a_reason_is_told_once_until_the_address_was_reached() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_new(&address(1), &DialError::Refused));
        assert!(!complaints.is_new(&address(1), &DialError::Refused));
        assert!(complaints.is_new(&address(1), &DialError::NoRoute), "another reason");
        assert!(!complaints.is_new(&address(1), &DialError::Refused), "told before");
        assert!(complaints.is_new(&address(2), &DialError::Refused), "another address");
        complaints.settle(&address(1));
        assert!(complaints.is_new(&address(1), &DialError::Refused), "it was reached meanwhile");
    }

    #[test]
    fn one_address_more_than_fits_takes_the_place_of_the_oldest() {
        let mut complaints = Complaints::default();
        let most = u16::try_from(ADDRESSES).unwrap();
        for port in 0..most {
            assert!(complaints.is_new(&address(port), &DialError::Refused));
        }
        assert!(!complaints.is_new(&address(0), &DialError::Refused), "there is room for all of them");
        assert!(complaints.is_new(&address(most), &DialError::Refused));
        assert!(complaints.is_new(&address(0), &DialError::Refused), "it made room");
        assert_eq!(complaints.0.len(), ADDRESSES);
    }

    #[test]
    fn one_reason_more_than_fits_is_told_and_not_kept() {
        let mut complaints = Complaints::default();
        let reason = |number: usize| DialError::WrongChain { chain: number.to_string() };
        for number in 0..=REASONS {
            assert!(complaints.is_new(&address(1), &reason(number)));
        }
        assert_eq!(complaints.0.front().map(|(_, told)| told.len()), Some(REASONS));
        assert!(!complaints.is_new(&address(1), &reason(0)));
    }
}
