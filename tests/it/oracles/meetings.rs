//! Whole meetings: words, speakers and times at once.

use serde_json::Value;
use switchyard::compare::metrics::{
    alignment::{ErrorCounts, align},
    attribution::speaker_attribution_error,
    characters,
    cp::{SpeakerErrors, cp},
    di_cp::greedy_di_cp,
    diarization::{Forgiveness, Speech, diarization},
    normaliser,
    orc::{Combination, orc},
    speakers,
    tcp::tcp,
    transcript::{Pair, Segment},
};

use super::values::{close, count, equal, string};

/// One expectation of a meeting; none when there is no such expectation.
pub(super) fn check(key: &str, case: &Value, expected: &Value) -> Option<Result<(), String>> {
    let result = match key {
        "text_raw" => check_text(&text(case, "ref"), &text(case, "hyp"), expected),
        "text_norm_v1" => {
            let normal = |side| normaliser::norm_v1(&text(case, side));
            check_text(&normal("ref"), &normal("hyp"), expected)
        }
        "norm_v1" => ["ref", "hyp"].into_iter().try_for_each(|side| {
            equal(
                side,
                normaliser::norm_v1(&text(case, side)),
                string(&expected[side]),
            )
        }),
        "identity_speaker" => check_speakers(case, expected),
        "meeteval_on_norm_v1" => check_meeteval(case, expected),
        "der_collar0" => check_der(case, Forgiveness::default(), expected),
        _ => return None,
    };
    Some(result)
}

fn check_text(reference: &str, hypothesis: &str, expected: &Value) -> Result<(), String> {
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (left, right) = (words(reference), words(hypothesis));
    let counts = ErrorCounts::of(&align(&left, &right));
    equal("ref_words", left.len(), count(&expected["ref_words"]))?;
    equal("hyp_words", right.len(), count(&expected["hyp_words"]))?;
    equal(
        "edit_distance",
        counts.errors(),
        count(&expected["edit_distance"]),
    )?;
    if expected["decomposition_unique"] == true {
        equal("hits", counts.hits, count(&expected["hits"]))?;
        equal(
            "substitutions",
            counts.substitutions,
            count(&expected["substitutions"]),
        )?;
        equal(
            "insertions",
            counts.insertions,
            count(&expected["insertions"]),
        )?;
        equal("deletions", counts.deletions, count(&expected["deletions"]))?;
    }
    // jiwer answers a count where the reference is empty; a rate is what we owe.
    if left.is_empty() && !right.is_empty() {
        equal("rate", counts.rate(), None)?;
    } else {
        close("wer", counts.rate(), &expected["wer"])?;
    }
    // Characters are counted with their blanks, outer ones apart.
    let (left, right) = (reference.trim(), hypothesis.trim());
    let errors = characters::distance(left, right);
    equal(
        "char_edit_distance",
        errors,
        count(&expected["char_edit_distance"]),
    )?;
    if left.is_empty() && !right.is_empty() {
        return equal("cer", characters::error_rate(left, right), None);
    }
    close("cer", characters::error_rate(left, right), &expected["cer"])
}

fn check_speakers(case: &Value, expected: &Value) -> Result<(), String> {
    let words = |side: &str| -> Vec<(String, String)> {
        sorted_segments(case, side)
            .into_iter()
            .flat_map(|segment| {
                let words = normaliser::norm_v1(&string(&segment["text"]));
                let speaker = string(&segment["speaker"]);
                let pairs = words
                    .split_whitespace()
                    .map(|word| (speaker.clone(), word.to_owned()));
                pairs.collect::<Vec<_>>()
            })
            .collect()
    };
    let pooled = speakers::pooled(&speakers::identity_errors(&words("ref"), &words("hyp")));
    equal("errors", pooled.errors(), count(&expected["errors"]))?;
    equal("length", pooled.reference(), count(&expected["length"]))?;
    if pooled.reference() == 0 {
        return Ok(());
    }
    close("error_rate", pooled.rate(), &expected["error_rate"])
}

fn check_meeteval(case: &Value, expected: &Value) -> Result<(), String> {
    let pair = Pair::new(&segments(case, "ref"), &segments(case, "hyp"));
    let object = expected.as_object().expect("an object");
    let paired = cp(&pair);
    let combined = orc(&pair);
    equal("orc is exact", combined.is_exact, true)?;
    for (name, expected) in object {
        let result = match name.as_str() {
            "cpwer" => check_paired(&pair, &paired, expected),
            "orcwer" => check_combined(combined, expected),
            "greedy_dicpwer" => check_combined(greedy_di_cp(&pair), expected),
            other => {
                let collar = other.strip_prefix("tcpwer_collar");
                let collar = collar.and_then(|collar| collar.parse().ok());
                let collar = collar.ok_or_else(|| format!("nothing here measures `{other}`"))?;
                check_paired(&pair, &tcp(&pair, collar), expected)
            }
        };
        result.map_err(|why| format!("{name}: {why}"))?;
    }
    // The formula of the attribution error, with the oracle's numbers.
    let errors = |name: &str| expected[name]["errors"].as_f64();
    let moved = errors("cpwer")
        .zip(errors("orcwer"))
        .map(|(cp, orc)| cp - orc);
    let error = moved
        .filter(|_| paired.length > 0)
        .map(|moved| moved / (2 * paired.length) as f64);
    close(
        "speaker attribution error",
        speaker_attribution_error(&paired, &combined),
        &error.into(),
    )
}

fn check_paired(pair: &Pair, found: &SpeakerErrors, expected: &Value) -> Result<(), String> {
    close("error_rate", found.rate(), &expected["error_rate"])?;
    equal("errors", found.errors, count(&expected["errors"]))?;
    equal("length", found.length, count(&expected["length"]))?;
    equal(
        "missed_speaker",
        found.missed_speakers,
        count(&expected["missed_speaker"]),
    )?;
    equal(
        "falarm_speaker",
        found.extra_speakers,
        count(&expected["falarm_speaker"]),
    )?;
    equal(
        "scored_speaker",
        found.scored_speakers,
        count(&expected["scored_speaker"]),
    )?;
    // Pairings may tie; that ours pairs everybody once is what has to hold.
    let pairs = expected["assignment"].as_array().map_or(0, Vec::len);
    equal("pairs", found.assignment.len(), pairs)?;
    let mut rows: Vec<usize> = found.assignment.iter().filter_map(|pair| pair.0).collect();
    rows.sort_unstable();
    equal(
        "speakers",
        rows,
        (0..pair.reference.speakers.len()).collect(),
    )
}

fn check_combined(found: Combination, expected: &Value) -> Result<(), String> {
    close("error_rate", found.rate(), &expected["error_rate"])?;
    equal("errors", found.errors, count(&expected["errors"]))?;
    equal("length", found.length, count(&expected["length"]))
}

/// A case of the suite `der`: one expectation for each way to forgive.
pub(super) fn check_diarization(case: &Value) -> Result<(), String> {
    for (name, expected) in case["expected"].as_object().expect("expected") {
        let plain = name.strip_suffix("_skip_overlap");
        let overlap = plain.is_some();
        let collar = plain.unwrap_or(name).strip_prefix("collar");
        let collar = collar.map(|collar| collar.trim_end_matches("_total"));
        let collar = collar.and_then(|collar| collar.parse().ok());
        let collar = collar.ok_or_else(|| format!("nothing here measures `{name}`"))?;
        check_der(case, Forgiveness { collar, overlap }, expected)
            .map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

/// The oracle's numbers are rounded to twelve digits.
fn check_der(case: &Value, forgiveness: Forgiveness, expected: &Value) -> Result<(), String> {
    let sides = ["ref", "hyp"].map(|side| {
        let listed = if case[side].is_array() {
            &case[side]
        } else {
            &case[side]["segments"]
        };
        listed.as_array().cloned().unwrap_or_default()
    });
    let [reference, hypothesis] = sides.each_ref().map(|side| {
        let time = |segment: &Value, key: &str| segment[key].as_f64().expect("a time");
        let speech = side.iter().map(|segment| {
            let speaker = segment["speaker"].as_str().expect("a speaker");
            (speaker, time(segment, "start"), time(segment, "end"))
        });
        speech.collect::<Vec<Speech<&str>>>()
    });
    if expected.is_null() {
        return equal("segments", reference.len() + hypothesis.len(), 0);
    }
    let found = diarization(&reference, &hypothesis, forgiveness);
    close("der", Some(found.rate()), &expected["der"])?;
    close("total", Some(found.total), &expected["total"])?;
    close("missed", Some(found.missed), &expected["missed"])?;
    close(
        "false_alarm",
        Some(found.false_alarm),
        &expected["false_alarm"],
    )?;
    close("confusion", Some(found.confusion), &expected["confusion"])
}

fn segments(case: &Value, side: &str) -> Vec<Segment> {
    let time = |segment: &Value, key: &str| segment[key].as_f64().expect("a time");
    let listed = case[side]["segments"].as_array().expect("segments");
    let segment = |segment: &Value| Segment {
        speaker: string(&segment["speaker"]),
        start: time(segment, "start"),
        end: time(segment, "end"),
        words: normaliser::norm_v1(&string(&segment["text"]))
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    listed.iter().map(segment).collect()
}

fn sorted_segments<'a>(case: &'a Value, side: &str) -> Vec<&'a Value> {
    let mut segments: Vec<&Value> = case[side]["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .collect();
    let time = |segment: &Value, key: &str| segment[key].as_f64().unwrap_or(0.0);
    segments.sort_by(|left, right| {
        let start = time(left, "start").total_cmp(&time(right, "start"));
        start.then(time(left, "end").total_cmp(&time(right, "end")))
    });
    segments
}

fn text(case: &Value, side: &str) -> String {
    string(&case[side]["text"])
}
