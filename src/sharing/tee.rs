//! Lets a body through as it comes and remembers it on the side, as long as there is room.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};

/// The memory that all bodies under way may take together.
#[derive(Clone, Debug)]
pub(super) struct Room {
    left: Arc<AtomicUsize>,
    /// The most of one body.
    longest: usize,
}

impl Room {
    pub(super) fn new(all: usize, longest: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(all)),
            longest,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_ok()
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }
}

/// What is remembered of a body. Gives its room back when it is dropped.
#[derive(Debug)]
pub(super) struct Copy {
    room: Room,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// There was no room for all of it.
    is_lost: bool,
    is_whole: bool,
}

impl Copy {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self {
            room,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, chunk: &[u8]) {
        let mut state = self.state();
        if state.is_lost {
            return;
        }
        let fits = state.bytes.len() + chunk.len() <= self.room.longest;
        if fits && self.room.take(chunk.len()) {
            state.bytes.extend_from_slice(chunk);
        } else {
            state.is_lost = true;
            let held = std::mem::take(&mut state.bytes).len();
            self.room.left.fetch_add(held, Ordering::AcqRel);
        }
    }

    fn end(&self) {
        self.state().is_whole = true;
    }

    /// The body, if it came to its end and there was room for it.
    pub(super) fn with_whole<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let state = self.state();
        (state.is_whole && !state.is_lost).then(|| read(&state.bytes))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let held = self.state().bytes.len();
        self.room.left.fetch_add(held, Ordering::AcqRel);
    }
}

/// The same chunks and the same end. `whole` is called once the body came to its end well, before
/// whoever reads it learns that. `length` is what the sender announced: once so much is through,
/// nobody asks whether there is more.
pub(super) fn tee<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    length: Option<u64>,
    copy: Arc<Copy>,
    whole: impl FnOnce(),
) -> impl Stream<Item = Result<Bytes, E>> {
    let mut whole = Some(whole);
    let mut is_broken = false;
    let mut through = 0;
    body.map(Some)
        .chain(futures_util::stream::iter([None]))
        .filter_map(move |step| {
            let is_at_end = match &step {
                Some(Ok(chunk)) => {
                    copy.add(chunk);
                    through += chunk.len() as u64;
                    length.is_some_and(|length| through >= length)
                }
                Some(Err(_)) => {
                    is_broken = true;
                    false
                }
                None => !is_broken,
            };
            if is_at_end && let Some(whole) = whole.take() {
                copy.end();
                whole();
            }
            std::future::ready(step)
        })
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn passed(chunks: Vec<Result<Bytes, ()>>, copy: &Arc<Copy>) -> (usize, bool) {
        let mut is_whole = false;
        let through = tee(stream::iter(chunks), None, Arc::clone(copy), || {
            is_whole = true;
        });
        let count = through.collect::<Vec<_>>().await.len();
        (count, is_whole)
    }

    #[tokio::test]
    async fn a_whole_body_is_remembered_and_a_broken_one_is_not() {
        let room = Room::new(100, 100);
        let copy = Copy::new(room.clone());
        let good = vec![Ok(Bytes::from("ab")), Ok(Bytes::from("c"))];
        assert_eq!(passed(good, &copy).await, (2, true));
        assert_eq!(copy.with_whole(<[u8]>::to_vec), Some(b"abc".to_vec()));
        assert_eq!(room.left(), 97);
        drop(copy);
        assert_eq!(room.left(), 100);

        let copy = Copy::new(room);
        let cut = vec![Ok(Bytes::from("ab")), Err(())];
        assert_eq!(passed(cut, &copy).await, (2, false));
        assert_eq!(copy.with_whole(<[u8]>::len), None);
    }

    #[tokio::test]
    async fn a_body_of_a_known_length_is_whole_with_its_last_byte() {
        let copy = Copy::new(Room::new(100, 100));
        let body = stream::iter([Ok::<_, ()>(Bytes::from("ab")), Ok(Bytes::from("c"))]);
        let mut is_whole = false;
        let through = tee(body, Some(3), Arc::clone(&copy), || is_whole = true);
        assert_eq!(through.take(2).count().await, 2);
        assert!(is_whole);
        assert_eq!(copy.with_whole(<[u8]>::to_vec), Some(b"abc".to_vec()));
    }

    #[tokio::test]
    async fn a_body_that_finds_no_room_passes_all_the_same() {
        let room = Room::new(5, 4);
        let copy = Copy::new(room.clone());
        let long = vec![Ok(Bytes::from("abc")), Ok(Bytes::from("def"))];
        assert_eq!(passed(long, &copy).await, (2, true));
        assert_eq!(copy.with_whole(<[u8]>::len), None);
        assert_eq!(room.left(), 5, "what was held is given back at once");

        let other = Copy::new(room.clone());
        assert!(room.take(4));
        let short = vec![Ok(Bytes::from("abc"))];
        assert_eq!(passed(short, &other).await, (1, true));
        assert_eq!(other.with_whole(<[u8]>::len), None);
    }
}
