//! Faults a test may inject: what real engines do to those who use them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// Switches that may be moved while the engine runs. All are off at first.
#[derive(Debug, Default)]
pub struct Faults {
    drop_poll_answers: AtomicU32,
    lose_queue_entries: AtomicU32,
    decide_delay_ms: AtomicI64,
    dead: AtomicBool,
}

impl Faults {
    /// Breaks the connection after a task was taken out of its queue, for the next `count` polls
    /// that take one.
    pub fn drop_poll_answers(&self, count: u32) {
        self.drop_poll_answers.store(count, Ordering::Relaxed);
    }

    /// Forgets to offer the next `count` scheduled attempts, until a sweep notices.
    pub fn lose_queue_entries(&self, count: u32) {
        self.lose_queue_entries.store(count, Ordering::Relaxed);
    }

    /// Leaves the step after a task's update to the sweeper, which comes this much later; 0 ends it.
    pub fn delay_decide_ms(&self, delay_ms: i64) {
        self.decide_delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// Has every call but `/health` fail with 500: a server whose store is gone and whose health
    /// is still fine.
    pub fn be_dead_but_healthy(&self, dead: bool) {
        self.dead.store(dead, Ordering::Relaxed);
    }

    pub(super) fn drops_this_poll_answer(&self) -> bool {
        take_one(&self.drop_poll_answers)
    }

    pub(super) fn loses_this_queue_entry(&self) -> bool {
        take_one(&self.lose_queue_entries)
    }

    pub(super) fn decide_delay(&self) -> Option<i64> {
        Some(self.decide_delay_ms.load(Ordering::Relaxed)).filter(|delay| *delay > 0)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
}

fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
        .is_ok()
}
