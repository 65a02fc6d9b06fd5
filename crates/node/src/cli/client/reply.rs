//! Reading a node's replies for people: what is missing, or of another kind, is left out and breaks nothing.

use serde_json::Value;

use super::amount;

/// What a reply's fields say.
pub(in crate::cli) trait Reply {
    /// A text; empty if there is none.
    fn text(&self, name: &str) -> &str;
    /// A whole number of zero or more.
    fn number(&self, name: &str) -> Option<u64>;
    /// A whole number.
    fn signed(&self, name: &str) -> Option<i64>;
    /// A number of coins, in satoshis.
    fn sats(&self, name: &str) -> Option<i64>;
    /// Whether something holds; `false` if nothing is said.
    fn holds(&self, name: &str) -> bool;
    /// The entries of a list; none if there is no list.
    fn list(&self, name: &str) -> &[Value];
    /// The field, whatever it is; `null` if it is missing.
    fn part(&self, name: &str) -> &Value;
}

/// Stands for a field that is missing.
static MISSING: Value = Value::Null;

impl Reply for Value {
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Self::as_str).unwrap_or("")
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    fn signed(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn sats(&self, name: &str) -> Option<i64> {
        amount::sats(self.get(name)?)
    }

    fn holds(&self, name: &str) -> bool {
        self.get(name).and_then(Self::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Self::as_array).map_or(&[], Vec::as_slice)
    }

    fn part(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&MISSING)
    }
}

/// The entries of a reply that is a list.
pub(in crate::cli) fn entries(reply: &Value) -> &[Value] {
    reply.as_array().map_or(&[], Vec::as_slice)
}
