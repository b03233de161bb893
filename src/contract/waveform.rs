//! The file Reflector's API server reads a waveform from: `{DATA_DIR}/{transcript}/audio.json`.

use super::python_json;

/// The file's text, `json.dumps` of the peaks: no newline at its end. The server reads it whole
/// and answers it as `{"data": [...]}`.
pub fn file(peaks: &[f64]) -> String {
    python_json::to_string_spaced(peaks).expect("numbers can always be printed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_printed_as_python_prints_them() {
        assert_eq!(file(&[0.0, 0.52, 1.0]), "[0.0, 0.52, 1.0]");
        assert_eq!(file(&[]), "[]");
    }
}
