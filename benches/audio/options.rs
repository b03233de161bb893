//! What this benchmark is asked for.

use std::path::PathBuf;

use clap::Parser;

use crate::material::Shape;

/// Padding, mixing and drawing: ours beside the legacy's graph, ffmpeg's program, and LAME and libopus
/// alone, in turn and on the same tracks.
#[derive(Parser)]
#[command(name = "scripts/bench audio")]
pub struct Options {
    /// The meeting: how many tracks of how many minutes each.
    #[arg(long, value_name = "TRACKSxMINUTES", default_value = "3x60")]
    pub shape: Shape,
    /// How often everybody has a turn.
    #[arg(long, value_name = "NUMBER", default_value = "2")]
    pub rounds: usize,
    /// Ours alone, at many lengths and numbers of tracks, for the plot; `long` up to 10 x 60 and
    /// 3 x 240 min.
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "short")]
    pub growth: Option<Growth>,
    /// Leaves the comparison out, with `--growth`.
    #[arg(long, requires = "growth")]
    pub growth_only: bool,
    /// Prints JSON for machines.
    #[arg(long)]
    pub json: bool,
    /// Where tracks, results and the plot lie; some gigabytes for long meetings.
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/audio"))]
    pub folder: PathBuf,
    /// Says that cargo runs it.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Growth {
    Short,
    Long,
}

impl Growth {
    /// Three tracks of these minutes each.
    pub fn lengths(self) -> &'static [u64] {
        match self {
            Self::Short => &[5, 10, 20, 40, 60],
            Self::Long => &[10, 30, 60, 120, 240],
        }
    }

    /// So many tracks.
    pub const TRACKS: [usize; 5] = [1, 2, 4, 7, 10];

    /// Of these minutes each.
    pub fn minutes(self) -> u64 {
        match self {
            Self::Short => 10,
            Self::Long => 60,
        }
    }
}
