//! Threads that encode segments side by side.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::Mp3Settings;
use super::segment::Segment;
use crate::audio::Error;

/// More encoders than this are faster than tracks are decoded, and each holds a segment in memory.
pub const MAX_ENCODERS: usize = 6;

/// A segment's place and its frames.
type Encoded = (usize, Result<Vec<u8>, Error>);

/// Encoding threads. They end when this is dropped.
pub struct Pool {
    segments: Option<SyncSender<Segment>>,
    encoded: Receiver<Encoded>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `encoders` threads, at least one.
    pub fn start(settings: Mp3Settings, encoders: usize) -> Result<Self, Error> {
        // No room: a segment waits with the mixer, which then does not run ahead.
        let (segments, waiting) = sync_channel(0);
        let waiting = Arc::new(Mutex::new(waiting));
        let (sender, encoded) = channel();
        let mut pool = Self {
            segments: Some(segments),
            encoded,
            threads: Vec::new(),
        };
        for number in 0..encoders.clamp(1, MAX_ENCODERS) {
            let (waiting, sender) = (Arc::clone(&waiting), sender.clone());
            let thread = Builder::new()
                .name(format!("mp3 {number}"))
                .spawn(move || work(settings, &waiting, &sender))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Hands a segment over; waits until an encoder is free.
    pub fn encode(&self, segment: Segment) -> Result<(), Error> {
        let sent = self.segments.as_ref().map(|to| to.send(segment));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(gone()),
        }
    }

    /// A segment that is done, if one is.
    pub fn done(&self) -> Option<Encoded> {
        self.encoded.try_recv().ok()
    }

    /// The next segment that is done; waits for it.
    pub fn wait(&self) -> Result<Encoded, Error> {
        self.encoded.recv().map_err(|_| gone())
    }

    /// Says that no more segments come.
    pub fn close(&mut self) {
        self.segments = None;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.drain(..) {
            // One that panicked has told so already.
            let _ended = thread.join();
        }
    }
}

fn work(settings: Mp3Settings, waiting: &Mutex<Receiver<Segment>>, done: &Sender<Encoded>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(segment) = next else {
            return;
        };
        if done
            .send((segment.index, segment.encode(settings)))
            .is_err()
        {
            return;
        }
    }
}

fn gone() -> Error {
    Error::Encoder("the encoding threads are gone".into())
}
