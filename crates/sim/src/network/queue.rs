//! What happens next: events by time, and of those at one time in the order in which they were scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use yap_protocol::Time;

/// When an event happens: its time, its turn among those of that time, and where it is kept.
type Key = (Time, u64, u32);

/// Events that have not happened yet. Keys are sorted apart from the events, which are large.
#[derive(Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Key>>,
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    turn: u64,
}

impl<E> Queue<E> {
    pub(super) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), turn: 0 }
    }

    pub(super) fn push(&mut self, at: Time, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                self.slots.len() as u32 - 1
            }
        };
        self.turn += 1;
        self.heap.push(Reverse((at, self.turn, slot)));
    }

    pub(super) fn pop(&mut self) -> Option<(Time, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let event = self.slots[slot as usize].take().expect("a key has one event");
        Some((at, event))
    }

    pub(super) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_time_happen_in_the_order_they_were_scheduled() {
        let mut queue = Queue::new();
        for (at, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            queue.push(Time::from_secs(at), event);
        }
        assert_eq!(queue.next_time(), Some(Time::from_secs(1)));
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "abcd");
        queue.push(Time::ZERO, 'e');
        assert_eq!(queue.slots.len(), 4, "room is used again");
    }
}
