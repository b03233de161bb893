//! The pages where differences are judged and where things are looked up.

mod judging;
mod looking_up;
mod secrecy;

use std::fmt::Write;

use serde_json::json;
use switchyard::{
    compare::{Policy, compare},
    legacy::recorded,
    model::{Outcome, RunId, RunState},
    report::ReportData,
    store::{ComparisonFacts, StoredComparison, StoredField},
};

use super::server::{Answer, Server, after};
use crate::standup;

impl Server {
    /// A run that has ended and was compared: both sides are the recorded meeting, changed by `change`.
    pub async fn judged(
        &self,
        id: &str,
        generation: i64,
        change: impl FnOnce(&mut Outcome, &mut Outcome),
    ) -> RunId {
        let run = self.running(id, generation).await;
        let store = &self.shadow.store;
        let ended = store.finish_run(&run, RunState::Completed, None, after(60));
        assert!(ended.await.expect("it ends"));
        let folder = standup::folder().join("expected/base");
        let mut control = recorded::load(&folder, None)
            .expect("a recorded run")
            .outcome;
        let mut candidate = control.clone();
        change(&mut control, &mut candidate);
        let comparison = compare(&control, &candidate, &Policy::shipped());
        let known = store.run(&run).await.expect("a run").expect("it is there");
        let fields = comparison.fields.iter().map(|field| StoredField {
            field: field.field.to_string(),
            verdict: field.verdict.as_str().to_owned(),
            distance: None,
            broken: false,
        });
        let stored = StoredComparison {
            id: format!("cmp_{run}"),
            run_id: run.clone(),
            verdict: comparison.verdict.to_string(),
            policy_digest: "digest".to_owned(),
            epoch: self.shadow.epoch(),
            compared_at: after(70 + generation),
            fields: fields.collect(),
            facts: ComparisonFacts::default(),
            report: json!(ReportData {
                recording: known.recording_id,
                environment: "staging".to_owned(),
                flag: known.flag.to_string(),
                control_run: None,
                candidate_run: Some(run.clone()),
                compared_at: String::new(),
                control,
                candidate,
                costs: Vec::new(),
                currency: "USD".to_owned(),
                is_shadow: true,
                shared: Vec::new(),
                pinned: None,
                borne: Vec::new(),
                texts_deleted: None,
                comparison,
            }),
        };
        let written = store.insert_comparison(&stored).await;
        written.expect("it is written");
        run
    }

    /// The ids of what is open, of one kind.
    pub async fn open(&self, query: &str) -> Vec<String> {
        let listed = self.get(&format!("/api/v1/reviews/items?{query}")).await;
        let listed = listed.json();
        let items = listed["items"].as_array().expect("a list");
        let id = |item: &serde_json::Value| item["id"].as_str().expect("an id").to_owned();
        items.iter().map(id).collect()
    }
}

/// Both sides have a title, and they differ in a number.
fn titled(control: &mut Outcome, candidate: &mut Outcome) {
    control.title = Some("The launch in 17 days".to_owned());
    candidate.title = Some("The launch in 70 days".to_owned());
}

/// What is between `<main …>` and `</main>`.
fn main_of(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("<main").expect("a main part");
    rest.split_once("</main>").expect("its end").0.to_owned()
}

/// Words of the desk's own that are read as they are sent.
fn unescaped(text: &str) -> String {
    let mut told = String::new();
    write!(
        told,
        "{}",
        text.replace("&#x2f;", "/").replace("&amp;", "&")
    )
    .expect("it is written");
    told
}
