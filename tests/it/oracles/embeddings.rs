//! Cosines, which need a model to ask.

use std::time::Duration;

use switchyard::providers::{Embeddings, Retry};

use super::{Report, case_file, cases, id_of, values::string};

const URL: &str = "SWITCHYARD_TEST_EMBEDDINGS";

#[tokio::test]
async fn a_model_says_the_cosines_of_the_case_file() {
    let Ok(url) = std::env::var(URL) else {
        eprintln!("skipped: {URL} names no API that serves all-MiniLM-L6-v2");
        return;
    };
    let timeout = Duration::from_mins(1);
    let retry = Retry::standard(timeout);
    let url = url.parse().expect("a URL");
    let embeddings = Embeddings::new(url, None, "all-minilm-l6-v2", timeout, retry);
    let embeddings = embeddings.expect("settings are right");
    let file = case_file();
    let cases = cases(&file["suites"]["embedding_minilm"]);
    let pairs: Vec<(String, String)> = cases
        .iter()
        .map(|case| (string(&case["a"]), string(&case["b"])))
        .collect();
    let cosines = embeddings.cosines(&pairs).await.expect("it answers");
    let mut report = Report::new();
    for (at, (case, cosine)) in cases.into_iter().zip(cosines).enumerate() {
        let expected = case["expected_cosine"].as_f64().expect("a cosine");
        report.take("embedding_minilm", &id_of(case, at), || {
            let is_close = (cosine - expected).abs() <= 1e-4;
            is_close
                .then_some(())
                .ok_or_else(|| format!("cosine is {cosine}, the oracle says {expected}"))
        });
    }
    report.finish();
}
