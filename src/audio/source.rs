//! Where a track is read from, and what kind of content it turns out to be.
//!
//! Daily's keys have no extension and an object store may answer with an error page, so the kind
//! is told from the first bytes. A live recording that was cut looks like one that ended, so its
//! length is what tells that all of it was read.

use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use symphonia::core::io::MediaSource;
use symphonia::core::io::ReadOnlySource;

use super::Error;
pub use crate::model::Timing;

/// Enough to see through leading blanks of a page.
const HEAD: u64 = 512;

/// A track's bytes.
pub struct Source {
    reader: Box<dyn MediaSource>,
    start_ms: u64,
    timing: Timing,
    bytes: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Source {
    /// A file or a buffer, read from its beginning. It has to give as many bytes as it says it has.
    pub fn new(reader: impl MediaSource + 'static) -> Self {
        Self {
            bytes: reader.byte_len(),
            reader: Box::new(reader),
            start_ms: 0,
            timing: Timing::default(),
            read: Arc::default(),
        }
    }

    /// A pipe. Fine for WebM, WAV and ADTS; an MP4 with its index at the end needs a file.
    pub fn stream(reader: impl Read + Send + Sync + 'static) -> Self {
        Self::new(ReadOnlySource::new(reader))
    }

    /// Where a track without time stamps of its own (WAV, AAC) begins, in milliseconds since the
    /// recording's start; 0 when not said. WebM carries its own times and ignores this.
    #[must_use]
    pub fn starting_at_ms(mut self, start_ms: u64) -> Self {
        self.start_ms = start_ms;
        self
    }

    /// How many bytes it has, as a pipe's other end told. When fewer or more come, reading fails:
    /// a body that was cut is not a short track.
    #[must_use]
    pub fn of_length(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Whose rule decides where a WebM track lies.
    #[must_use]
    pub fn timed(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// How far it is read, for those who watch.
    pub(super) fn meter(&self) -> Meter {
        Meter {
            read: Arc::clone(&self.read),
            bytes: self.bytes,
        }
    }

    /// Looks at the first bytes.
    pub(super) fn open(self) -> Result<Opened, Error> {
        let seekable = self.reader.is_seekable();
        let mut reader = Whole {
            reader: self.reader,
            at: 0,
            bytes: self.bytes,
            read: self.read,
        };
        if seekable {
            reader.seek(SeekFrom::Start(0))?;
        }
        let mut head = Vec::new();
        reader.by_ref().take(HEAD).read_to_end(&mut head)?;
        let kind = Kind::of(&head)?;
        let reader: Box<dyn MediaSource> = if seekable {
            reader.seek(SeekFrom::Start(0))?;
            Box::new(reader)
        } else {
            Box::new(ReadOnlySource::new(Cursor::new(head).chain(reader)))
        };
        Ok(Opened {
            kind,
            reader,
            start_ms: self.start_ms,
            timing: self.timing,
        })
    }
}

/// A source whose kind is known.
pub(super) struct Opened {
    pub kind: Kind,
    pub reader: Box<dyn MediaSource>,
    pub start_ms: u64,
    pub timing: Timing,
}

/// How far a source is read.
pub(super) struct Meter {
    read: Arc<AtomicU64>,
    /// How many bytes there are, where that is known.
    pub bytes: Option<u64>,
}

impl Meter {
    /// The furthest byte read.
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// A reader that fails where its bytes end before, or after, they should.
struct Whole {
    reader: Box<dyn MediaSource>,
    at: u64,
    bytes: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let at = self.at + count as u64;
        if let Some(bytes) = self.bytes
            && (at > bytes || (count == 0 && !buffer.is_empty() && at < bytes))
        {
            let many = if at > bytes { "more than" } else { "only" };
            let told = at.min(bytes);
            // Not an early end: decoders would take that for a track that was cut.
            return Err(std::io::Error::new(
                ErrorKind::ConnectionAborted,
                format!("{many} {told} of {bytes} bytes came; fetch it again"),
            ));
        }
        self.at = at;
        self.read.fetch_max(at, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Whole {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = self.reader.seek(to)?;
        Ok(self.at)
    }
}

impl MediaSource for Whole {
    fn is_seekable(&self) -> bool {
        self.reader.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.reader.byte_len()
    }
}

/// Kinds of content that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    WebM,
    Wav,
    Mp4,
    Adts,
    Mp3,
}

impl Kind {
    /// The usual extension of such files, without a dot.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebM => "webm",
            Self::Wav => "wav",
            Self::Mp4 => "mp4",
            Self::Adts => "aac",
            Self::Mp3 => "mp3",
        }
    }

    /// The kind of content that begins with `head`.
    pub fn of(head: &[u8]) -> Result<Self, Error> {
        match head {
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Ok(Self::WebM),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'A',
                b'V',
                b'E',
                ..,
            ] => Ok(Self::Wav),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Self::Mp4),
            [b'I', b'D', b'3', ..] => Ok(Self::Mp3),
            // Sync word, then the layer: 0 is AAC's, 1 is layer III.
            [0xFF, second, ..] if second & 0xF6 == 0xF0 => Ok(Self::Adts),
            [0xFF, second, ..] if second & 0xE6 == 0xE2 => Ok(Self::Mp3),
            _ => Err(Error::NotAudio {
                found: describe(head),
            }),
        }
    }
}

/// Says what content is that is no audio, without quoting it.
fn describe(head: &[u8]) -> String {
    if head.is_empty() {
        return "an empty file".into();
    }
    let text = String::from_utf8_lossy(head)
        .trim_start_matches('\u{FEFF}')
        .trim()
        .to_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "an HTML page".into()
    } else if text.starts_with("<?xml") || text.starts_with("<error") {
        "an XML document".into()
    } else if text.starts_with('{') || text.starts_with('[') {
        "a JSON document".into()
    } else {
        format!(
            "unknown content starting with {}",
            hex::encode(&head[..head.len().min(8)])
        )
    }
}

/// Whether a reader's error means that the content ended too early.
pub(super) fn is_early_end(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(head: &[u8]) -> String {
        Kind::of(head).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_audio_is_named() {
        assert_eq!(found(b""), "expected audio, found an empty file");
        assert_eq!(
            found(b"\n <!DOCTYPE html><html>"),
            "expected audio, found an HTML page"
        );
        assert_eq!(
            found(b"<?xml version='1.0'?><Error>"),
            "expected audio, found an XML document"
        );
        assert_eq!(
            found(b"{\"error\": 1}"),
            "expected audio, found a JSON document"
        );
        assert_eq!(
            found(b"\x00\x01secret words"),
            "expected audio, found unknown content starting with 0001736563726574"
        );
    }

    #[test]
    fn aac_and_mp3_share_a_sync_word_but_not_a_layer() {
        assert_eq!(Kind::of(&[0xFF, 0xF1, 0x50]).unwrap(), Kind::Adts);
        assert_eq!(Kind::of(&[0xFF, 0xFB, 0x90]).unwrap(), Kind::Mp3);
    }

    /// What reading all of it gives.
    fn drained(source: Source) -> Result<u64, std::io::Error> {
        let mut opened = source.open().unwrap();
        std::io::copy(&mut opened.reader, &mut std::io::sink())
    }

    #[test]
    fn a_source_gives_its_length_or_fails() {
        let webm = [&[0x1A, 0x45, 0xDF, 0xA3][..], &[0; 2000]].concat();
        let bytes = webm.len() as u64;
        let pipe = || Source::stream(Cursor::new(webm.clone()));
        assert_eq!(drained(pipe()).unwrap(), bytes, "of no known length");
        assert_eq!(drained(pipe().of_length(bytes)).unwrap(), bytes);
        let short = drained(pipe().of_length(bytes + 1)).unwrap_err();
        assert_eq!(
            short.to_string(),
            "only 2004 of 2005 bytes came; fetch it again"
        );
        let long = drained(pipe().of_length(bytes - 1)).unwrap_err();
        assert!(long.to_string().starts_with("more than 2003"), "{long}");
        assert_ne!(
            short.kind(),
            ErrorKind::UnexpectedEof,
            "that would be a track that was cut"
        );
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_not_a_short_track() {
        struct Shrinking(Cursor<Vec<u8>>);
        impl Read for Shrinking {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.read(buffer)
            }
        }
        impl Seek for Shrinking {
            fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
                self.0.seek(to)
            }
        }
        impl MediaSource for Shrinking {
            fn is_seekable(&self) -> bool {
                true
            }
            fn byte_len(&self) -> Option<u64> {
                Some(5_000)
            }
        }
        let webm = [&[0x1A, 0x45, 0xDF, 0xA3][..], &[0; 2000]].concat();
        let source = Source::new(Shrinking(Cursor::new(webm)));
        assert!(drained(source).is_err());
    }
}
