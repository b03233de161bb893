//! How long a run is going to take, by those before it. It is said as a range, and not at all where there
//! is nothing to go by.

/// A run that ended well at its first try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// How long the recording is, in milliseconds.
    pub audio_ms: i64,
    /// How long the run took, in milliseconds.
    pub took_ms: i64,
}

/// How long runs of recordings of that length usually take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// At most one in ten took less, in milliseconds.
    pub from_ms: i64,
    /// At most one in ten took more, in milliseconds.
    pub to_ms: i64,
    /// How many runs say so.
    pub runs: usize,
}

/// Fewer say nothing.
const LEAST: usize = 5;

/// A recording is of like length from half to twice as long: steps that take time of their own, whatever
/// the length, weigh more in short ones.
const LIKE: i64 = 2;

/// How long a run of a recording that long usually takes; none where too few of like length are known.
pub fn usual(past: &[Past], audio_ms: i64) -> Option<Usual> {
    let is_like = |run: &&Past| {
        run.audio_ms > 0
            && run.took_ms > 0
            && run.audio_ms.saturating_mul(LIKE) >= audio_ms
            && run.audio_ms <= audio_ms.saturating_mul(LIKE)
    };
    // As long as each would have taken for a recording of that length.
    let scaled = |run: &Past| run.took_ms.saturating_mul(audio_ms) / run.audio_ms;
    let mut took: Vec<i64> = past.iter().filter(is_like).map(scaled).collect();
    if took.len() < LEAST {
        return None;
    }
    took.sort_unstable();
    let last = took.len() - 1;
    Some(Usual {
        from_ms: took[last / 10],
        to_ms: took[(last * 9).div_ceil(10)],
        runs: took.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn past(audio_ms: i64, took_ms: i64) -> Past {
        Past { audio_ms, took_ms }
    }

    #[test]
    fn nothing_is_said_of_what_too_few_are_known() {
        let four = [past(HOUR, 60_000); 4];
        assert_eq!(usual(&four, HOUR), None);
        assert_eq!(usual(&[], HOUR), None);
        assert_eq!(usual(&[past(HOUR, 60_000); 9], 0), None);
    }

    #[test]
    fn runs_of_other_lengths_say_nothing() {
        let mut runs = vec![past(HOUR, 60_000); 5];
        runs.extend(vec![past(HOUR * 2 + 1, HOUR); 50]);
        runs.extend(vec![past(HOUR / 2 - 1, HOUR); 50]);
        let found = usual(&runs, HOUR).expect("five of like length");
        assert_eq!(
            (found.from_ms, found.to_ms, found.runs),
            (60_000, 60_000, 5)
        );
    }

    #[test]
    fn a_longer_recording_takes_longer_and_what_one_in_ten_took_is_left_out() {
        // From 100 to 120 seconds an hour.
        let runs: Vec<_> = (0..=20)
            .map(|number| past(HOUR, 100_000 + number * 1_000))
            .collect();
        let found = usual(&runs, HOUR * 3 / 2).expect("twenty-one");
        assert_eq!((found.from_ms, found.to_ms), (153_000, 177_000));
    }
}
