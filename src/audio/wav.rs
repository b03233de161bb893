//! Writes 48 kHz 16-bit WAV: the padded form of tracks that cannot be padded by copying packets.

use std::io::{self, Seek, SeekFrom, Write};

use super::SAMPLE_RATE;

const HEADER: u32 = 44;
const BYTES_PER_SAMPLE: u16 = 2;

/// A WAV file being written; its sizes are right only after [`finish`](Self::finish).
pub struct Writer<W> {
    sink: W,
    origin: u64,
    channels: u16,
    data: u64,
    buffer: Vec<u8>,
}

impl<W: Write + Seek> Writer<W> {
    pub fn new(mut sink: W, channels: u16) -> io::Result<Self> {
        let origin = sink.stream_position()?;
        sink.write_all(&header(channels, 0))?;
        Ok(Self {
            sink,
            origin,
            channels,
            data: 0,
            buffer: Vec::new(),
        })
    }

    /// Appends interleaved samples.
    pub fn write(&mut self, pcm: &[f32]) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.extend(
            pcm.iter()
                .flat_map(|sample| quantise(*sample).to_le_bytes()),
        );
        self.data += self.buffer.len() as u64;
        if self.data > u64::from(u32::MAX - HEADER) {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the padded track is longer than a wav file can be",
            ));
        }
        self.sink.write_all(&self.buffer)
    }

    /// Completes the file and says how many bytes it has.
    pub fn finish(mut self) -> io::Result<u64> {
        let end = u64::from(HEADER) + self.data;
        self.sink.seek(SeekFrom::Start(self.origin))?;
        self.sink
            .write_all(&header(self.channels, self.data as u32))?;
        self.sink.seek(SeekFrom::Start(self.origin + end))?;
        self.sink.flush()?;
        Ok(end)
    }
}

/// The 16-bit sample nearest to a float of -1 to 1.
pub fn quantise(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16 // `as` saturates
}

/// The RIFF, format and data headers (Microsoft's `WAVEFORMAT`, PCM).
fn header(channels: u16, data: u32) -> Vec<u8> {
    let frame = channels * BYTES_PER_SAMPLE;
    let mut out = Vec::with_capacity(HEADER as usize);
    out.extend(b"RIFF");
    out.extend((HEADER - 8 + data).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(SAMPLE_RATE.to_le_bytes());
    out.extend((SAMPLE_RATE * u32::from(frame)).to_le_bytes());
    out.extend(frame.to_le_bytes());
    out.extend((BYTES_PER_SAMPLE * 8).to_le_bytes());
    out.extend(b"data");
    out.extend(data.to_le_bytes());
    out
}
