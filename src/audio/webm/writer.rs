//! Writes an Opus track as a complete WebM file: known sizes, duration, seek head and cues.
//!
//! The same packets give the same bytes: nothing in the file is random or dated.

use std::io::{self, Seek, SeekFrom, Write};

use super::head::OpusHead;
use crate::audio::ebml::{self, id};

/// A cluster's greatest length in milliseconds; block times in it are 16-bit.
const CLUSTER_MS: i64 = 5000;
/// The track number of everything written, as a block carries it.
const TRACK: u8 = 0x81;
const KEY_FRAME: u8 = 0x80;
/// RFC 7845 asks decoders to start 80 ms early when seeking.
const SEEK_PRE_ROLL_NS: u64 = 80_000_000;
const APP: &[u8] = b"switchyard";

/// A WebM file being written; nothing is complete before [`finish`](Self::finish).
pub struct Writer<W> {
    sink: W,
    /// Where the file begins in the sink.
    origin: u64,
    /// Bytes written so far.
    written: u64,
    layout: Layout,
    cluster: Vec<u8>,
    cluster_ms: i64,
    /// Each cluster's time in milliseconds and its position in the segment.
    cues: Vec<(i64, u64)>,
    end_ms: f64,
}

/// Places in the file that are filled in at the end.
struct Layout {
    segment: u64,
    seek_head: u64,
    info: u64,
    duration: u64,
    tracks: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Writes the head of the file. The codec delay is the head's pre-skip, whatever the head says.
    pub fn new(mut sink: W, head: &OpusHead) -> io::Result<Self> {
        let origin = sink.stream_position()?;
        let mut out = Vec::new();
        ebml_header(&mut out);
        ebml::push_id(&mut out, id::SEGMENT);
        ebml::push_unknown_size(&mut out);
        let segment = out.len() as u64;
        seek_head(&mut out, [0; 3]);
        let info = out.len() as u64 - segment;
        segment_info(&mut out);
        let duration = out.len() as u64 - 8;
        let tracks = out.len() as u64 - segment;
        track_entry(&mut out, head);
        sink.write_all(&out)?;
        Ok(Self {
            sink,
            origin,
            written: out.len() as u64,
            layout: Layout {
                segment,
                seek_head: segment,
                info,
                duration,
                tracks,
            },
            cluster: Vec::new(),
            cluster_ms: 0,
            cues: Vec::new(),
            end_ms: 0.0,
        })
    }

    /// Adds a packet. `time_ms` is its block time, `end_ms` the file's duration once it is played,
    /// `discard_ns` how much of its end is not to be played.
    pub fn packet(
        &mut self,
        time_ms: i64,
        data: &[u8],
        end_ms: f64,
        discard_ns: i64,
    ) -> io::Result<()> {
        if self.cluster.is_empty() || time_ms - self.cluster_ms >= CLUSTER_MS {
            self.flush_cluster()?;
            self.cluster_ms = time_ms;
            ebml::push_unsigned(
                &mut self.cluster,
                id::TIMESTAMP,
                time_ms.max(0).cast_unsigned(),
            );
        }
        let relative = i16::try_from(time_ms - self.cluster_ms)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a packet steps back"))?;
        let [high, low] = relative.to_be_bytes();
        let mut block = vec![TRACK, high, low];
        if discard_ns == 0 {
            block.push(KEY_FRAME);
            block.extend_from_slice(data);
            ebml::push_element(&mut self.cluster, id::SIMPLE_BLOCK, &block);
        } else {
            block.push(0);
            block.extend_from_slice(data);
            let mut group = Vec::new();
            ebml::push_element(&mut group, id::BLOCK, &block);
            ebml::push_element(&mut group, id::DISCARD_PADDING, &discard_ns.to_be_bytes());
            ebml::push_element(&mut self.cluster, id::BLOCK_GROUP, &group);
        }
        self.end_ms = end_ms;
        Ok(())
    }

    /// Completes the file and says how many bytes it has.
    pub fn finish(mut self) -> io::Result<u64> {
        self.flush_cluster()?;
        let cues = self.write_cues()?;
        let Layout {
            segment,
            seek_head: seek_head_at,
            info,
            duration,
            tracks,
        } = self.layout;

        let mut size = Vec::new();
        ebml::push_number(&mut size, self.written - segment, 8);
        self.patch(segment - size.len() as u64, &size)?;
        let mut index = Vec::new();
        seek_head(&mut index, [info, tracks, cues]);
        self.patch(seek_head_at, &index)?;
        self.patch(duration, &self.end_ms.to_be_bytes())?;

        self.sink
            .seek(SeekFrom::Start(self.origin + self.written))?;
        self.sink.flush()?;
        Ok(self.written)
    }

    fn flush_cluster(&mut self) -> io::Result<()> {
        if self.cluster.is_empty() {
            return Ok(());
        }
        self.cues
            .push((self.cluster_ms, self.written - self.layout.segment));
        let mut header = Vec::new();
        ebml::push_id(&mut header, id::CLUSTER);
        ebml::push_number(&mut header, self.cluster.len() as u64, 8);
        self.sink.write_all(&header)?;
        self.sink.write_all(&self.cluster)?;
        self.written += (header.len() + self.cluster.len()) as u64;
        self.cluster.clear();
        Ok(())
    }

    /// Writes the cues and gives their position in the segment.
    fn write_cues(&mut self) -> io::Result<u64> {
        let position = self.written - self.layout.segment;
        let mut cues = Vec::new();
        for (time_ms, cluster) in &self.cues {
            let mut place = Vec::new();
            ebml::push_unsigned(&mut place, id::CUE_TRACK, 1);
            ebml::push_unsigned(&mut place, id::CUE_CLUSTER_POSITION, *cluster);
            let mut point = Vec::new();
            ebml::push_unsigned(&mut point, id::CUE_TIME, (*time_ms).max(0).cast_unsigned());
            ebml::push_element(&mut point, id::CUE_TRACK_POSITIONS, &place);
            ebml::push_element(&mut cues, id::CUE_POINT, &point);
        }
        let mut out = Vec::new();
        ebml::push_element(&mut out, id::CUES, &cues);
        self.sink.write_all(&out)?;
        self.written += out.len() as u64;
        Ok(position)
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.sink.seek(SeekFrom::Start(self.origin + at))?;
        self.sink.write_all(bytes)
    }
}

fn ebml_header(out: &mut Vec<u8>) {
    const EBML_VERSION: u32 = 0x4286;
    const EBML_READ_VERSION: u32 = 0x42F7;
    const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    const DOC_TYPE: u32 = 0x4282;
    const DOC_TYPE_VERSION: u32 = 0x4287;
    const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    let mut header = Vec::new();
    ebml::push_unsigned(&mut header, EBML_VERSION, 1);
    ebml::push_unsigned(&mut header, EBML_READ_VERSION, 1);
    ebml::push_unsigned(&mut header, EBML_MAX_ID_LENGTH, 4);
    ebml::push_unsigned(&mut header, EBML_MAX_SIZE_LENGTH, 8);
    ebml::push_element(&mut header, DOC_TYPE, b"webm");
    ebml::push_unsigned(&mut header, DOC_TYPE_VERSION, 4);
    ebml::push_unsigned(&mut header, DOC_TYPE_READ_VERSION, 2);
    ebml::push_element(out, id::EBML, &header);
}

/// Positions of Info, Tracks and Cues in the segment; the length does not depend on them.
fn seek_head(out: &mut Vec<u8>, positions: [u64; 3]) {
    let mut entries = Vec::new();
    for (target, position) in [id::INFO, id::TRACKS, id::CUES].into_iter().zip(positions) {
        let mut seek = Vec::new();
        ebml::push_element(&mut seek, id::SEEK_ID, &target.to_be_bytes());
        ebml::push_element(&mut seek, id::SEEK_POSITION, &position.to_be_bytes());
        ebml::push_element(&mut entries, id::SEEK, &seek);
    }
    ebml::push_element(out, id::SEEK_HEAD, &entries);
}

/// Info, with the duration as its last eight bytes.
fn segment_info(out: &mut Vec<u8>) {
    let mut info = Vec::new();
    ebml::push_unsigned(&mut info, id::TIMESTAMP_SCALE, 1_000_000);
    ebml::push_element(&mut info, id::MUXING_APP, APP);
    ebml::push_element(&mut info, id::WRITING_APP, APP);
    ebml::push_element(&mut info, id::DURATION, &0_f64.to_be_bytes());
    ebml::push_element(out, id::INFO, &info);
}

fn track_entry(out: &mut Vec<u8>, head: &OpusHead) {
    let mut private = b"OpusHead".to_vec();
    private.extend([1, head.channels]);
    private.extend(head.pre_skip.to_le_bytes());
    private.extend(head.input_rate.to_le_bytes());
    private.extend(head.gain_q8.to_le_bytes());
    private.push(0);
    let codec_delay_ns = (u64::from(head.pre_skip) * 1_000_000 + 24) / 48;

    let mut audio = Vec::new();
    ebml::push_element(
        &mut audio,
        id::SAMPLING_FREQUENCY,
        &48_000_f64.to_be_bytes(),
    );
    ebml::push_unsigned(&mut audio, id::CHANNELS, u64::from(head.channels));

    let mut entry = Vec::new();
    ebml::push_unsigned(&mut entry, id::TRACK_NUMBER, 1);
    ebml::push_unsigned(&mut entry, id::TRACK_UID, 1);
    ebml::push_unsigned(&mut entry, id::TRACK_TYPE, 2);
    ebml::push_unsigned(&mut entry, id::FLAG_LACING, 0);
    ebml::push_element(&mut entry, id::LANGUAGE, b"und");
    ebml::push_element(&mut entry, id::CODEC_ID, b"A_OPUS");
    ebml::push_element(&mut entry, id::CODEC_PRIVATE, &private);
    ebml::push_unsigned(&mut entry, id::CODEC_DELAY, codec_delay_ns);
    ebml::push_unsigned(&mut entry, id::SEEK_PRE_ROLL, SEEK_PRE_ROLL_NS);
    ebml::push_element(&mut entry, id::AUDIO, &audio);

    let mut tracks = Vec::new();
    ebml::push_element(&mut tracks, id::TRACK_ENTRY, &entry);
    ebml::push_element(out, id::TRACKS, &tracks);
}
