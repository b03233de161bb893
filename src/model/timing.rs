//! Where on the recording's clock a track lies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose rule puts a WebM track's packets on the recording's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// The specifications': the first sample that is played lies at its block's time less the codec
    /// delay plus the pre-skip, to the sample; whatever that is, holes are filled.
    #[default]
    Exact,
    /// The legacy's: it lies at the block's time less the codec delay, cut to milliseconds, which is
    /// up to 7.5 ms early; a track that so begins at 0 or before is laid end to end, its holes closed.
    Legacy,
}
