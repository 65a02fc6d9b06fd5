//! Where payloads are written: into bytes, or into a count of them, so that a length needs no rules of its own.

/// Takes bytes.
pub(super) trait Sink {
    /// Takes these.
    fn put(&mut self, bytes: &[u8]);

    /// Takes `count` zeros.
    fn zeros(&mut self, count: usize);

    /// Takes a compact size.
    fn compact(&mut self, value: u64) {
        let bytes @ [b0, b1, b2, b3, ..] = value.to_le_bytes();
        match value {
            0..0xfd => self.put(&[b0]),
            0xfd..0x1_0000 => self.put(&[0xfd, b0, b1]),
            0x1_0000..0x1_0000_0000 => self.put(&[0xfe, b0, b1, b2, b3]),
            0x1_0000_0000.. => {
                self.put(&[0xff]);
                self.put(&bytes);
            }
        }
    }

    /// Takes bytes after their count.
    fn counted(&mut self, bytes: &[u8]) {
        self.compact(bytes.len() as u64);
        self.put(bytes);
    }

    /// Takes a list: the count of items as compact size, then the items.
    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&T, &mut Self))
    where
        Self: Sized,
    {
        self.compact(items.len() as u64);
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
}
