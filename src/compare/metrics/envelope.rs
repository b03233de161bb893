//! How alike two mixes sound, by the loudness of each 100 ms. Samples cannot be compared: two
//! versions of one decoder already lie 2 samples apart.

use crate::model::AudioFacts;

use super::series::{pearson, rms};

/// What two mixes have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Correlation of the envelopes over the shorter one; 1 for two silent mixes, none when only
    /// one is.
    pub correlation: Option<f64>,
    /// The candidate's level against the control's; none when a mix is silent.
    pub gain_db: Option<f64>,
    /// Candidate minus control.
    pub duration_ms: f64,
}

/// Measures the candidate's mix against the control's.
pub fn likeness(control: &AudioFacts, candidate: &AudioFacts) -> Likeness {
    let common = control.envelope.len().min(candidate.envelope.len());
    let row = |facts: &AudioFacts| -> Vec<f64> {
        facts.envelope[..common]
            .iter()
            .map(|&level| f64::from(level))
            .collect()
    };
    let (left, right) = (row(control), row(candidate));
    let (left_level, right_level) = (rms(&left), rms(&right));
    let sounding = left_level > 0.0 && right_level > 0.0;
    let silent = left_level <= 0.0 && right_level <= 0.0;
    Likeness {
        correlation: if silent {
            Some(1.0)
        } else {
            pearson(&left, &right)
        },
        gain_db: if silent {
            Some(0.0)
        } else {
            sounding.then(|| 20.0 * (right_level / left_level).log10())
        },
        duration_ms: length_ms(candidate) - length_ms(control),
    }
}

/// Length of a mix in milliseconds.
fn length_ms(facts: &AudioFacts) -> f64 {
    facts.samples as f64 * 1000.0 / f64::from(facts.sample_rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quieter_mix_shows_in_the_gain_and_not_in_the_correlation() {
        let facts = |scale: f32| AudioFacts {
            sample_rate: 48_000,
            channels: 2,
            samples: 14_400,
            envelope: vec![0.1 * scale, 0.8 * scale, 0.3 * scale],
        };
        let measured = likeness(&facts(1.0), &facts(0.5));
        assert!(measured.correlation.is_some_and(|value| value > 0.999));
        assert!(
            measured
                .gain_db
                .is_some_and(|gain| (gain + 6.02).abs() < 0.01)
        );
    }
}
