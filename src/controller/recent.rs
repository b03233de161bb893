//! What takes long to read, kept for whoever looks again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tracing::warn;

/// What was read longer ago is read anew while it is shown …
const FRESH: Duration = Duration::from_secs(5);

/// … or so many times as long ago as reading it took: reading takes a twentieth of one connection …
const TIMES: u32 = 20;

/// … and what was read longer ago than this is not shown: whoever looks waits for a new reading.
const STALE: Duration = Duration::from_mins(2);

/// The last reading of something. Cheap to clone; clones share it.
///
/// For what people look at: whoever decides reads for themselves.
pub struct Recent<T> {
    last: Arc<Mutex<Last<T>>>,
    /// Held by whoever reads.
    reading: Arc<Mutex<()>>,
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self {
            last: Arc::clone(&self.last),
            reading: Arc::clone(&self.reading),
        }
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            last: Arc::default(),
            reading: Arc::default(),
        }
    }
}

struct Last<T> {
    reading: Option<Reading<T>>,
    /// How often it was forgotten: what was begun before the last time does not count.
    forgotten: u64,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self {
            reading: None,
            forgotten: 0,
        }
    }
}

struct Reading<T> {
    what: Arc<T>,
    began: Instant,
    took: Duration,
}

impl<T> Reading<T> {
    fn age(&self) -> Duration {
        self.began.elapsed()
    }

    fn is_fresh(&self) -> bool {
        self.age() < FRESH.max(self.took * TIMES)
    }
}

/// What has so much of something that it is not read anew each time.
pub trait Weighty: Send + Sync + 'static {
    /// Whether it is.
    fn is_weighty(&self) -> bool;
}

impl<T: Weighty> Recent<T> {
    /// The last reading where there is one that is not too old, and otherwise what `read` reads. What
    /// is not weighty is read each time.
    pub async fn look<F, R>(&self, read: F) -> anyhow::Result<Arc<T>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = anyhow::Result<T>> + Send,
    {
        let asked = Instant::now();
        let (what, is_fresh) = match &self.last.lock().await.reading {
            Some(last) if last.what.is_weighty() && last.age() < STALE => {
                (Some(Arc::clone(&last.what)), last.is_fresh())
            }
            _ => (None, false),
        };
        let Some(what) = what else {
            let _reading = self.reading.lock().await;
            // Whoever read while we waited read what we would.
            if let Some(last) = &self.last.lock().await.reading
                && last.began >= asked
            {
                return Ok(Arc::clone(&last.what));
            }
            return self.read(read).await;
        };
        if !is_fresh && let Ok(reading) = Arc::clone(&self.reading).try_lock_owned() {
            let kept = self.clone();
            tokio::spawn(async move {
                let _reading = reading;
                if let Err(error) = kept.read(read).await {
                    warn!("what was read before is shown for a while: {error:#}");
                }
            });
        }
        Ok(what)
    }

    async fn read<F, R>(&self, read: F) -> anyhow::Result<Arc<T>>
    where
        F: FnOnce() -> R,
        R: Future<Output = anyhow::Result<T>>,
    {
        let began = Instant::now();
        let forgotten = self.last.lock().await.forgotten;
        let what = Arc::new(read().await?);
        let mut last = self.last.lock().await;
        if last.forgotten == forgotten {
            last.reading = Some(Reading {
                what: Arc::clone(&what),
                began,
                took: began.elapsed(),
            });
        }
        Ok(what)
    }

    /// Has whoever looks next wait for a new reading: somebody changed what is read.
    pub async fn forget(&self) {
        let mut last = self.last.lock().await;
        last.reading = None;
        last.forgotten += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    struct Read {
        number: usize,
        is_weighty: bool,
    }

    impl Weighty for Read {
        fn is_weighty(&self) -> bool {
            self.is_weighty
        }
    }

    /// Counts how often it is read.
    #[derive(Clone, Default)]
    struct Source(Arc<AtomicUsize>);

    impl Source {
        fn next(&self, is_weighty: bool) -> Read {
            Read {
                number: self.0.fetch_add(1, Ordering::SeqCst),
                is_weighty,
            }
        }
    }

    async fn look(kept: &Recent<Read>, source: &Source, is_weighty: bool) -> usize {
        let source = source.clone();
        let read = async move || Ok(source.next(is_weighty));
        kept.look(read).await.expect("it is read").number
    }

    /// Makes the last reading look older.
    async fn wait(kept: &Recent<Read>, longer: Duration) {
        let mut last = kept.last.lock().await;
        let last = last.reading.as_mut().expect("there is one");
        last.began = last.began.checked_sub(longer).expect("the clock is later");
    }

    #[tokio::test]
    async fn what_is_light_is_read_each_time() {
        let (kept, source) = (Recent::default(), Source::default());
        assert_eq!(look(&kept, &source, false).await, 0);
        assert_eq!(look(&kept, &source, false).await, 1);
    }

    #[tokio::test]
    async fn what_is_weighty_is_kept_and_read_anew_while_it_is_shown() {
        let (kept, source) = (Recent::default(), Source::default());
        assert_eq!(look(&kept, &source, true).await, 0);
        assert_eq!(look(&kept.clone(), &source, true).await, 0);
        wait(&kept, FRESH).await;
        assert_eq!(look(&kept, &source, true).await, 0);
        // Whoever has read lets go of this.
        drop(kept.reading.lock().await);
        assert_eq!(look(&kept, &source, true).await, 1);
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_too_old_is_not_shown() {
        let (kept, source) = (Recent::default(), Source::default());
        assert_eq!(look(&kept, &source, true).await, 0);
        wait(&kept, STALE).await;
        assert_eq!(look(&kept, &source, true).await, 1);
    }

    #[tokio::test]
    async fn what_is_forgotten_is_not_shown_even_if_its_reading_ends_later() {
        let (kept, source) = (Recent::default(), Source::default());
        let read = {
            let (kept, source) = (kept.clone(), source.clone());
            async move || {
                kept.forget().await;
                Ok(source.next(true))
            }
        };
        assert_eq!(kept.look(read).await.expect("it is read").number, 0);
        assert_eq!(look(&kept, &source, true).await, 1);
        assert_eq!(look(&kept, &source, true).await, 1);
        kept.forget().await;
        assert_eq!(look(&kept, &source, true).await, 2);
    }

    #[tokio::test]
    async fn a_reading_that_fails_leaves_the_one_before_until_it_is_too_old() {
        let (kept, source) = (Recent::default(), Source::default());
        assert_eq!(look(&kept, &source, true).await, 0);
        let fails = async || anyhow::bail!("the database is away");
        wait(&kept, FRESH).await;
        assert_eq!(kept.look(fails).await.expect("it is kept").number, 0);
        drop(kept.reading.lock().await);
        assert_eq!(kept.look(fails).await.expect("it is kept").number, 0);
        drop(kept.reading.lock().await);
        wait(&kept, STALE).await;
        assert!(kept.look(fails).await.is_err());
        assert_eq!(look(&kept, &source, true).await, 1);
    }

    #[tokio::test]
    async fn whoever_asks_while_it_is_read_waits_for_that() {
        let (kept, source) = (Recent::default(), Source::default());
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (kept, source) = (kept.clone(), source.clone());
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            tokio::spawn(async move {
                let read = async move || {
                    begun.notify_one();
                    go_on.notified().await;
                    Ok(source.next(true))
                };
                kept.look(read).await.expect("it is read").number
            })
        };
        begun.notified().await;
        let mut other = Box::pin(look(&kept, &source, true));
        assert!(futures_util::poll!(&mut other).is_pending());
        go_on.notify_one();
        assert_eq!(slow.await.expect("it ends"), 0);
        // What was begun before somebody asked may lack what they have just done.
        assert_eq!(other.await, 1);
    }
}
