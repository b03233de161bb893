//! Every statistic against the values of published programs (scipy, statsmodels) and of the closed
//! forms; the case file says which and how they were called.

use serde_json::Value;

use super::{
    ALPHA, Bet, Paired, Wealth, clean_needed, exact_lower, exact_two_sided, exact_upper,
    log_e_above, log_e_below, log_likelihood_ratio, newcombe, threshold, wilcoxon,
};
use crate::model::wilson;

const RATES: f64 = 1e-9;
const LOG_EVIDENCE: f64 = 1e-7;

type Check = fn(&Value) -> Result<(), String>;

const SUITES: &[(&str, Check)] = &[
    ("wilson", check_wilson),
    ("noise_subtraction_newcombe", check_newcombe),
    ("eprocess_bernoulli", check_bernoulli),
    ("eprocess_betting", check_betting),
    ("sprt", check_sprt),
    ("latency_paired", check_latency),
];

fn case_file() -> Value {
    let bundled = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/metric_cases.json"
    );
    let path = std::env::var("SWITCHYARD_METRIC_CASES").unwrap_or_else(|_| bundled.to_owned());
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("parsing {path}: {error}"))
}

#[test]
fn every_statistic_equals_its_oracle() {
    let file = case_file();
    let (mut run, mut failures) = (0, Vec::new());
    for (name, check) in SUITES {
        let suite = &file["suites"][*name];
        let cases = suite["cases"].as_array();
        let cases = cases.unwrap_or_else(|| panic!("suite `{name}` has no cases"));
        assert!(!cases.is_empty(), "suite `{name}` has no cases");
        for (at, case) in cases.iter().enumerate() {
            let id = case["id"]
                .as_str()
                .map_or_else(|| at.to_string(), str::to_owned);
            run += 1;
            failures.extend(check(case).err().map(|why| format!("{name} / {id}: {why}")));
        }
    }
    let needed = &file["suites"]["eprocess_bernoulli"]["clean_recordings_needed"];
    for (at, case) in needed.as_array().expect("a list").iter().enumerate() {
        run += 1;
        let result = check_needed(case).err();
        failures.extend(
            result.map(|why| format!("eprocess_bernoulli / clean_recordings_needed {at}: {why}")),
        );
    }
    assert!(
        failures.is_empty(),
        "{} of {run} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn number(case: &Value, key: &str) -> Result<f64, String> {
    case[key]
        .as_f64()
        .ok_or_else(|| format!("`{key}` is no number"))
}

fn whole(case: &Value, key: &str) -> Result<u64, String> {
    case[key]
        .as_u64()
        .ok_or_else(|| format!("`{key}` is no count"))
}

fn numbers(list: &Value) -> Result<Vec<f64>, String> {
    let list = list.as_array().ok_or("not a list")?;
    list.iter()
        .map(|one| one.as_f64().ok_or_else(|| "not a number".to_owned()))
        .collect()
}

fn is(what: &str, ours: f64, theirs: f64, tolerance: f64) -> Result<(), String> {
    if (ours - theirs).abs() <= tolerance {
        return Ok(());
    }
    Err(format!("{what} is {ours}, not {theirs}"))
}

fn is_interval(what: &str, ours: (f64, f64), theirs: &Value) -> Result<(), String> {
    let theirs = numbers(theirs)?;
    is(&format!("{what} low"), ours.0, theirs[0], RATES)?;
    is(&format!("{what} high"), ours.1, theirs[1], RATES)
}

fn check_wilson(case: &Value) -> Result<(), String> {
    let (x, n, expected) = (
        whole(case, "successes")?,
        whole(case, "n")?,
        &case["expected"],
    );
    is_interval(
        "Wilson",
        wilson::interval(x, n),
        &expected["wilson_two_sided_95"],
    )?;
    is_interval(
        "exact",
        exact_two_sided(x, n),
        &expected["exact_two_sided_95"],
    )?;
    for (key, ours) in [
        ("wilson_one_sided_lower_95", wilson::lower(x, n)),
        ("exact_one_sided_lower_95", exact_lower(x, n)),
        ("exact_one_sided_upper_95", exact_upper(x, n)),
    ] {
        is(key, ours, number(expected, key)?, RATES)?;
    }
    Ok(())
}

fn check_newcombe(case: &Value) -> Result<(), String> {
    let pair = |key: &str| -> Result<(u64, u64), String> {
        let of = |at: usize| {
            case[key][at]
                .as_u64()
                .ok_or_else(|| format!("`{key}` is no pair"))
        };
        Ok((of(0)?, of(1)?))
    };
    let expected = &case["expected"];
    let (difference, low, high) =
        newcombe(pair("raw")?, pair("noise")?).ok_or("there is no interval")?;
    is(
        "the difference",
        difference,
        number(expected, "diff")?,
        RATES,
    )?;
    is("low", low, number(expected, "low")?, RATES)?;
    is("high", high, number(expected, "high")?, RATES)
}

fn check_bernoulli(case: &Value) -> Result<(), String> {
    let (x, n, expected) = (
        whole(case, "failures")?,
        whole(case, "n")?,
        &case["expected"],
    );
    let below = log_e_below(x, n, number(case, "p0")?);
    is(
        "logE_pass",
        below,
        number(expected, "logE_pass")?,
        LOG_EVIDENCE,
    )?;
    let above = log_e_above(x, n, number(case, "p1")?);
    is(
        "logE_fail",
        above,
        number(expected, "logE_fail")?,
        LOG_EVIDENCE,
    )
}

fn check_needed(case: &Value) -> Result<(), String> {
    let (p0, alpha) = (number(case, "p0")?, number(case, "alpha")?);
    let row = case["n_by_failures"].as_array().ok_or("no list")?;
    for (failures, theirs) in (0..).zip(row) {
        let ours = clean_needed(failures, p0, alpha);
        if ours != theirs.as_u64() {
            return Err(format!(
                "p0 {p0}, {failures} failures: {ours:?}, not {theirs}"
            ));
        }
    }
    Ok(())
}

fn check_betting(case: &Value) -> Result<(), String> {
    let (values, expected) = (numbers(&case["x"])?, &case["expected"]);
    let (delta, bound) = (number(case, "delta")?, number(case, "bound")?);
    let path = |bet: Bet| -> Vec<f64> {
        let mut wealth = Wealth::new(bet, bound);
        let each = values.iter().map(|value| {
            wealth.see(*value);
            wealth.log()
        });
        each.collect()
    };
    let (pass, alarm) = (path(Bet::Below(delta)), path(Bet::Above(0.0)));
    for (key, path) in [
        ("log_wealth_pass_final", &pass),
        ("log_wealth_alarm_final", &alarm),
    ] {
        let last = path.last().copied().unwrap_or(0.0);
        is(key, last, number(expected, key)?, LOG_EVIDENCE)?;
    }
    let first = numbers(&expected["log_wealth_pass_first5"])?;
    for (at, (ours, theirs)) in pass.iter().zip(first).enumerate() {
        is(
            &format!("log_wealth_pass at {}", at + 1),
            *ours,
            theirs,
            LOG_EVIDENCE,
        )?;
    }
    for (key, path) in [("pass_at_n", &pass), ("alarm_at_n", &alarm)] {
        let at = path.iter().position(|log| *log >= threshold(ALPHA));
        let ours = at.map(|at| at as u64 + 1);
        if ours != expected[key].as_u64() {
            return Err(format!("{key} is {ours:?}, not {}", expected[key]));
        }
    }
    Ok(())
}

fn check_sprt(case: &Value) -> Result<(), String> {
    let ratio = log_likelihood_ratio(whole(case, "failures")?, whole(case, "n")?, 0.01, 0.05);
    is("the ratio", ratio, number(case, "expected")?, LOG_EVIDENCE)
}

fn check_latency(case: &Value) -> Result<(), String> {
    let sides: Vec<(f64, f64)> = numbers(&case["legacy_s"])?
        .into_iter()
        .zip(numbers(&case["candidate_s"])?)
        .collect();
    let expected = &case["expected"];
    let paired = Paired::of(&sides).ok_or("there are times")?;
    is(
        "the median",
        paired.median_ratio,
        number(expected, "median_ratio")?,
        RATES,
    )?;
    let key = "hodges_lehmann_ratio";
    is(
        key,
        paired.hodges_lehmann_ratio,
        number(expected, key)?,
        RATES,
    )?;
    let slower = sides
        .iter()
        .filter(|(one, other)| other / one > 1.10)
        .count();
    let key = "slower_than_1.10x";
    is(key, slower as f64, number(expected, key)?, 0.0)?;
    let key = "wilcoxon_p_two_sided";
    is(
        key,
        wilcoxon(&sides).ok_or("there is no p")?,
        number(expected, key)?,
        RATES,
    )
}
