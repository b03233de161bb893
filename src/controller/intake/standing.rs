//! Where the migration stood when that was read last, for whoever has to answer while it cannot be
//! read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::rollout::{MayDispatch, Position};

/// The last known position. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Standing(Arc<Mutex<Option<Position>>>);

impl Standing {
    /// Notes what was read.
    pub fn note(&self, position: Position) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    /// Whether Celery may be given work. Before anything was read it may: there the control serves.
    pub fn may_dispatch(&self) -> Option<MayDispatch> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        MayDispatch::of(&known.unwrap_or(Position::Infrastructure))
    }
}
