//! How far two results of a field are apart, as one number between 0 and 1, by which a field's noise
//! is measured.

use super::comparison::FieldResult;
use super::measure::Measure;
use super::policy::Strictness;
use super::verdict::FieldVerdict;

impl FieldResult {
    /// 0 where both sides are the same, 1 where they have nothing in common. None where they were not
    /// compared, no number where the measure yields none.
    pub fn distance(&self) -> Option<f64> {
        match self.verdict {
            FieldVerdict::NotComparable => return None,
            FieldVerdict::Match => return Some(0.0),
            FieldVerdict::WithinNoise | FieldVerdict::Differs => {}
        }
        let number = |name: &str| {
            let measured = self.measured.iter().find(|number| number.name == name);
            let value = measured.and_then(|number| number.value);
            value.filter(|value| value.is_finite()).unwrap_or(f64::NAN)
        };
        let rate = |rate: f64| {
            if rate.is_nan() {
                rate
            } else {
                rate.clamp(0.0, 1.0)
            }
        };
        let larger = |one: f64, other: f64| {
            if one.is_nan() || other.is_nan() {
                f64::NAN
            } else {
                one.max(other)
            }
        };
        let distance = match self.measure {
            Measure::WordErrorRate | Measure::Captions => rate(number("wer")),
            Measure::SpeakerErrorRate => rate(number("speaker_wer")),
            Measure::TopicBoundaries => rate(larger(number("pk"), number("window_diff"))),
            Measure::PairedTexts => rate(1.0 - number("mean_similarity")),
            Measure::TextSimilarity | Measure::MarkdownSimilarity => {
                rate(1.0 - number("similarity"))
            }
            // Of these there is no more and no less: inside their bounds, or not.
            _ => f64::from(u8::from(self.verdict == FieldVerdict::Differs)),
        };
        // A text that one side lacks is as far away as can be.
        if distance.is_nan() && self.measured.is_empty() {
            return Some(1.0);
        }
        Some(distance)
    }

    /// Whether they differ in a way that no tolerance excuses: a hard field that differs, a changed
    /// number, name, negation or structure, and a distance that is no number.
    pub fn is_broken(&self) -> bool {
        let differs = self.verdict == FieldVerdict::Differs;
        let is_measured = self.distance().is_some_and(f64::is_finite);
        differs && (self.strictness == Strictness::Hard || !self.broken.is_empty() || !is_measured)
    }
}
