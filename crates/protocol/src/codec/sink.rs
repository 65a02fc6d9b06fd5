//! Where payloads are written: into bytes, or into a count of them, so that a length needs no rules of its own.

use yap_chain::integer;

/// Takes bytes.
pub(super) trait Sink {
    /// Takes these.
    fn put(&mut self, bytes: &[u8]);

    /// Takes `count` zeros.
    fn zeros(&mut self, count: usize);

    /// Takes a compact size.
    fn compact(&mut self, count: usize);

    /// Takes a list: the count of items as compact size, then the items.
    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&T, &mut Self))
    where
        Self: Sized,
    {
        self.compact(items.len());
        items.iter().for_each(|item| write(item, self));
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn zeros(&mut self, count: usize) {
        self.resize(self.len().saturating_add(count), 0);
    }

    fn compact(&mut self, count: usize) {
        integer::write_compact(count, self);
    }
}

/// Counts bytes.
#[derive(Debug, Default)]
pub(super) struct Counter(usize);

impl Counter {
    pub(super) fn count(&self) -> usize {
        self.0
    }
}

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.zeros(bytes.len());
    }

    fn zeros(&mut self, count: usize) {
        self.0 = self.0.saturating_add(count);
    }

    fn compact(&mut self, count: usize) {
        self.zeros(match count {
            ..0xfd => 1,
            0xfd..0x1_0000 => 3,
            _ if u32::try_from(count).is_ok() => 5,
            _ => 9,
        });
    }
}
