//! A budget of bytes that threads share: whoever would exceed it waits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may be held at a time.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    held: Mutex<u64>,
    freed: Condvar,
}

/// A part of a [`Budget`]; dropping it gives it back.
#[derive(Debug)]
pub struct Held {
    bytes: u64,
    budget: Arc<Budget>,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: Mutex::new(0),
            freed: Condvar::new(),
        })
    }

    /// Takes `bytes`, as soon as they fit. More than the whole budget is taken alone.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Held {
        let mut held = self
            .freed
            .wait_while(self.lock(), |held| {
                *held > 0 && held.saturating_add(bytes) > self.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_add(bytes);
        Held {
            bytes,
            budget: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.budget.lock();
        *held = held.saturating_sub(self.bytes);
        drop(held);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn what_does_not_fit_waits_until_enough_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.take(6);
        let (say, taken) = sync_channel(1);
        std::thread::scope(|scope| {
            let waiting = Arc::clone(&budget);
            scope.spawn(move || {
                let second = waiting.take(5);
                say.send(()).unwrap();
                drop(second);
            });
            let small = budget.take(4);
            assert!(taken.try_recv().is_err(), "5 do not fit beside 6 or 4 more");
            drop(first);
            taken.recv().unwrap();
            drop(small);
        });
    }

    #[test]
    fn more_than_the_whole_is_taken_alone() {
        let budget = Budget::new(10);
        drop(budget.take(100));
        assert_eq!(*budget.lock(), 0);
        drop(budget.take(10));
    }
}
