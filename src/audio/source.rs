//! Where a track is read from, and what kind of content it turns out to be.
//!
//! Daily's keys have no extension and an object store may answer with an error page, so the kind
//! is told from the first bytes.

use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom};

pub use symphonia::core::io::MediaSource;
use symphonia::core::io::ReadOnlySource;

use super::Error;

/// Enough to see through leading blanks of a page.
const HEAD: u64 = 512;

/// A track's bytes.
pub struct Source {
    reader: Box<dyn MediaSource>,
    start_ms: u64,
}

impl Source {
    /// A file or a buffer, read from its beginning.
    pub fn new(reader: impl MediaSource + 'static) -> Self {
        Self {
            reader: Box::new(reader),
            start_ms: 0,
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

    /// Looks at the first bytes.
    pub(super) fn open(mut self) -> Result<Opened, Error> {
        let seekable = self.reader.is_seekable();
        if seekable {
            self.reader.seek(SeekFrom::Start(0))?;
        }
        let mut head = Vec::new();
        self.reader.by_ref().take(HEAD).read_to_end(&mut head)?;
        let kind = Kind::of(&head)?;
        let reader: Box<dyn MediaSource> = if seekable {
            self.reader.seek(SeekFrom::Start(0))?;
            self.reader
        } else {
            Box::new(ReadOnlySource::new(Cursor::new(head).chain(self.reader)))
        };
        Ok(Opened {
            kind,
            reader,
            start_ms: self.start_ms,
        })
    }
}

/// A source whose kind is known.
pub(super) struct Opened {
    pub kind: Kind,
    pub reader: Box<dyn MediaSource>,
    pub start_ms: u64,
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
}
