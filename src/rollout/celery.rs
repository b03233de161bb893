//! Whether Celery may be given work of a migration.

use super::Position;

/// The proof that Celery may be given work: nothing publishes the legacy task, or hands it on,
/// without. Once Celery is removed there is none, so what would dispatch to it has to say what it
/// does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayDispatch(());

impl MayDispatch {
    /// The only way to the proof: a position in which Celery still has its part. It is as good as
    /// that is fresh.
    pub fn of(position: &Position) -> Option<Self> {
        position.has_celery().then_some(Self(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Percent;

    #[test]
    fn once_celery_is_removed_there_is_no_proof() {
        for position in [
            Position::Infrastructure,
            Position::Parallel,
            Position::Shadow(Percent::NONE),
            Position::Cutover(Percent::ALL),
            Position::Soak,
            Position::Draining,
            Position::Archived,
        ] {
            assert!(MayDispatch::of(&position).is_some(), "{position}");
        }
        assert_eq!(MayDispatch::of(&Position::Removed), None);
    }
}
