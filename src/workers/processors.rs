//! How many processors audio work may keep busy, whatever tasks it belongs to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Semaphore;

use super::TaskError;
use crate::audio;

/// The processors that all audio work of this process shares.
#[derive(Clone)]
pub struct Processors {
    free: Arc<Semaphore>,
    count: usize,
}

/// What a piece of audio work is told.
pub struct Leave {
    /// How many processors it may keep busy.
    pub processors: usize,
    unwanted: Arc<AtomicBool>,
}

impl Leave {
    /// Whether nobody waits for the work any more.
    pub fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }
}

impl Processors {
    /// So many, at least one.
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self {
            free: Arc::new(Semaphore::new(count)),
            count,
        }
    }

    /// Does work off the runtime, once as many processors are free as it can use; it gets all there
    /// are where it can use more.
    pub async fn work<T: Send + 'static>(
        &self,
        usable: usize,
        work: impl FnOnce(&Leave) -> Result<T, audio::Error> + Send + 'static,
    ) -> Result<T, TaskError> {
        let processors = usable.clamp(1, self.count);
        let permits = u32::try_from(processors).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free)
            .acquire_many_owned(permits)
            .await
            .map_err(|_| TaskError::retry("the worker is stopping"))?;
        let leave = Leave {
            processors,
            unwanted: Arc::default(),
        };
        let _told_when_dropped = SetOnDrop(Arc::clone(&leave.unwanted));
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&leave)
        })
        .await
        .map_err(|error| TaskError::retry(format!("the audio work broke down: {error}")))?;
        Ok(done?)
    }
}

/// Sets a flag when the future that holds it ends or is dropped.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_gets_what_it_can_use_and_not_more_than_there_is() {
        let processors = Processors::new(3);
        for (usable, given) in [(0, 1), (1, 1), (2, 2), (6, 3)] {
            let work = processors.work(usable, |leave| Ok(leave.processors));
            assert_eq!(work.await.unwrap(), given);
        }
        assert_eq!(Processors::new(0).count, 1);
    }

    #[tokio::test]
    async fn a_mix_waits_until_all_others_are_done_and_others_wait_for_it() {
        let processors = Processors::new(2);
        let (go, wait) = channel::<()>();
        let pad = processors.clone();
        let pad = tokio::spawn(async move {
            let work = pad.work(1, move |_| {
                let _ = wait.recv();
                Ok(())
            });
            work.await
        });
        while processors.free.available_permits() > 1 {
            tokio::task::yield_now().await;
        }
        let mut mix = Box::pin(processors.work(6, |leave| Ok(leave.processors)));
        let mut late = Box::pin(processors.work(1, |leave| Ok(leave.processors)));
        assert!(futures_util::poll!(&mut mix).is_pending());
        assert!(
            futures_util::poll!(&mut late).is_pending(),
            "it may not overtake the mix"
        );
        go.send(()).unwrap();
        assert_eq!(mix.await.unwrap(), 2);
        assert_eq!(late.await.unwrap(), 1);
        pad.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_nobody_waits_for_is_told_so() {
        let processors = Processors::new(1);
        let (told, tell) = channel();
        let (started, start) = channel();
        let begun = processors.clone();
        let waiting = tokio::spawn(async move {
            let work = begun.work(1, move |leave| {
                let _ = started.send(());
                while !leave.is_unwanted() {
                    std::thread::yield_now();
                }
                let _ = told.send(());
                Ok(())
            });
            work.await
        });
        let start = tokio::task::spawn_blocking(move || start.recv());
        start.await.unwrap().unwrap();
        waiting.abort();
        let told = tokio::task::spawn_blocking(move || tell.recv());
        told.await.unwrap().unwrap();
    }
}
