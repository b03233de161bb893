//! A forward-only window over a reader: look at what comes next without taking it.

use std::io::{self, ErrorKind, Read};

/// The buffer's usual size; it grows only for an element larger than this.
const BUFFER: usize = 64 << 10;

/// Bytes read but not yet consumed.
pub struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            ended: false,
        }
    }

    /// What was read and not consumed.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether the source has no more than [`bytes`](Self::bytes); known once a read found so.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Reads until `wanted` bytes are there; false when the source ends before.
    pub fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted && !self.ended {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end >= wanted)
    }

    /// Takes `count` bytes, which must be there.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
    }

    /// Takes all that is there and says how much it was.
    pub fn consume_all(&mut self) -> usize {
        let count = self.end - self.start;
        self.start = self.end;
        count
    }

    /// Passes over `count` bytes; false when the source ends before.
    pub fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        loop {
            let here = self
                .bytes()
                .len()
                .min(usize::try_from(count).unwrap_or(usize::MAX));
            self.consume(here);
            count -= here as u64;
            if count == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }
}
