//! Spends each coin twice: one half of the network hears of the one spend, the other half of the other.

use std::sync::Arc;

use bitcoin::Amount;
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::network::actor::Port;
use crate::network::agent::Purse;

/// At each tick sends every second peer one of two transactions that spend the same coin, and the others the other.
#[derive(Debug)]
pub struct DoubleSpender {
    purse: Purse,
}

impl DoubleSpender {
    /// Spends from this purse.
    #[must_use]
    pub const fn new(purse: Purse) -> Self {
        Self { purse }
    }
}

impl Vice for DoubleSpender {
    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        let Some(first) = self.purse.give() else { return };
        // The same fee: neither replaces the other.
        let second = self.purse.again(&first, Amount::ZERO);
        for (peer, payment) in peers.iter().zip([&first, &second].into_iter().cycle()) {
            port.send(*peer, Message::Transaction(Arc::clone(&payment.transaction)));
        }
    }
}
