//! Questions under way in this process.
//!
//! The engine gives up waiting before a worker does, so two attempts of one task may run at once.
//! The later one waits for the earlier one's answer instead of paying for its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Who is asking what.
#[derive(Default)]
pub struct Asking(Mutex<HashMap<String, Weak<Turn>>>);

impl Asking {
    /// Waits until nobody else asks this question; it is the caller's until the guard is dropped.
    pub async fn turn(&self, question: String) -> OwnedMutexGuard<()> {
        self.of(question).lock_owned().await
    }

    fn of(&self, question: String) -> Arc<Turn> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = open.get(&question).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::default());
        open.insert(question, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_question_has_one_asker_at_a_time_and_other_questions_do_not_wait() {
        let asking = Asking::default();
        let first = asking.turn("one".to_owned()).await;
        let mut second = Box::pin(asking.turn("one".to_owned()));
        assert!(poll!(second.as_mut()).is_pending());
        drop(asking.turn("other".to_owned()).await);
        drop(first);
        drop(second.await);
    }

    #[tokio::test]
    async fn questions_nobody_asks_any_more_take_no_room() {
        let asking = Asking::default();
        for number in 0..10 {
            drop(asking.turn(number.to_string()).await);
        }
        assert!(asking.0.lock().expect("nobody panicked").len() <= 1);
    }
}
