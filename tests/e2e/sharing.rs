//! The control and a shadow run beside it, both asking through the proxy: every question is asked once.

use std::fmt::Write as _;

use serde_json::Value;
use switchyard::model::RunState;

use crate::{
    migration::{Beside, ROUTED, ended},
    miniature::Legacy,
    program::{own_port, until},
};

/// The miniature's own texts for the model, as prompts of ours: what an operator does who wants the
/// model's answers to be shared.
const PROMPTS: [(&str, &str); 12] = [
    (
        "analysis_system.txt",
        "You work on transcripts of meetings. Use only the material in the message, never other knowledge, and do not speak of the material itself.",
    ),
    (
        "analysis.txt",
        "Material:\n\n{{ context }}\n\n---\n\nTask: {{ query }}\n\nAnswer:",
    ),
    (
        "json.txt",
        "Put the analysis into one JSON object.\n\nAnalysis:\n{{ analysis }}\n\nThe object's schema:\n\
         {% if 'total_speakers' in schema %}{% raw %}{{\"title\": \"Participants\", \"type\": \"object\", \"properties\": {{\"participants\": {{\"type\": \"array\", \"items\": {{\"type\": \"object\", \"properties\": {{\"name\": {{\"type\": \"string\"}}, \"is_speaker\": {{\"type\": \"boolean\", \"default\": true}}}}, \"required\": [\"name\"]}}}}, \"total_speakers\": {{\"type\": \"integer\"}}, \"mentioned_only\": {{\"type\": \"array\", \"items\": {{\"type\": \"string\"}}}}}}, \"required\": [\"participants\", \"total_speakers\"]}}{% endraw %}\
         {% elif 'subjects' in schema %}{% raw %}{{\"title\": \"Subjects\", \"type\": \"object\", \"properties\": {{\"subjects\": {{\"type\": \"array\", \"items\": {{\"type\": \"string\"}}}}}}, \"required\": [\"subjects\"]}}{% endraw %}\
         {% else %}{% raw %}{{\"title\": \"Topic\", \"type\": \"object\", \"properties\": {{\"title\": {{\"type\": \"string\"}}, \"summary\": {{\"type\": \"string\"}}}}, \"required\": [\"title\", \"summary\"]}}{% endraw %}{% endif %}\
         \n\nReturn the object alone.",
    ),
    (
        "repair.txt",
        "\n\nThe answer before did not fit:\n{{ answer }}\n\nThe error was: {{ error }}\n\nReturn only valid JSON.",
    ),
    (
        "topic.txt",
        "Name what this excerpt of a meeting is mainly about: a specific, professional title, and a summary of at most two sentences. Leave small talk out.\n\nExcerpt:\n{{ text }}",
    ),
    (
        "title.txt",
        "Give the meeting one title on one line: a noun phrase of at most ten words, nothing generic. Its topics were:\n{{ titles }}",
    ),
    (
        "participants.txt",
        "List who takes part in this meeting, who is only mentioned, and how many speak.",
    ),
    (
        "subjects.txt",
        "List the main subjects of this meeting as short noun phrases, at most six of them.{{ names }}",
    ),
    (
        "subject_detail.txt",
        "Tell everything that was said on \"{{ subject }}\": arguments, decisions, action items, open points. At most a page.{{ names }}",
    ),
    (
        "subject_paragraph.txt",
        "Put these notes into one paragraph.{{ names }}",
    ),
    (
        "recap.txt",
        "Write a quick recap of the meeting in one paragraph, without decisions and action items.{{ names }}",
    ),
    (
        "names.txt",
        "\n\nThe people are {{ names }}. Call them by these names and never by general words such as speaker or participant.",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_run_beside_the_control_asks_nothing_that_the_control_asked() {
    let Some(legacy) = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await else {
        return;
    };
    let port = own_port();
    let stand_ins = legacy.place.sandbox.clone();
    let beside = Beside::with(&legacy, |site| {
        let prompts = site.path("prompts");
        std::fs::create_dir(&prompts).expect("a folder");
        for (name, text) in PROMPTS {
            std::fs::write(prompts.join(name), text).expect("a prompt");
        }
        let settings = site.path("switchyard.toml");
        let mut text = std::fs::read_to_string(&settings).expect("settings");
        write!(
            text,
            r#"
            [environments.test.sharing]
            mode = "share"
            listen = "127.0.0.1:{port}"
            llm_url = "{stand_ins}/llm/v1"
            transcription_url = "{stand_ins}/transcription"
            "#
        )
        .expect("it is written");
        std::fs::write(&settings, text).expect("it is written");
        let folder = prompts.display();
        site.change(
            "[environments.test]",
            &format!("[environments.test]\nprompts = \"{folder}\""),
        );
    })
    .await;
    beside.go("shadow").await;
    let proxy = format!("http://127.0.0.1:{port}/control");
    let [llm, transcription] = ["llm", "transcription"].map(|name| format!("{proxy}/{name}"));
    let through = [
        ("LLM_URL", llm.as_str()),
        ("TRANSCRIPT_URL", transcription.as_str()),
    ];
    legacy.worker_with(&[], &through).await;
    legacy.begin_capture().await;
    legacy.daily_webhook().await;
    legacy.until_idle(&[]).await;

    let store = beside.store().await;
    let run = ended(&store).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let compared = until("the two are compared", async || {
        store.newest_comparison(&run.id).await.expect("a read")
    })
    .await;

    let asked = legacy.requests_to("llm").await;
    let prompts: std::collections::BTreeSet<_> = asked
        .iter()
        .map(|request| request["body"].to_string())
        .collect();
    assert_eq!(asked.len(), prompts.len(), "each prompt once");
    assert_eq!(asked.len(), 18, "as the legacy alone asks");
    assert_eq!(legacy.requests_to("transcription").await.len(), 3);

    let report = &compared.report;
    let savings = store.savings(&run.id).await.expect("a read");
    let told: Vec<_> = savings
        .iter()
        .map(|saved| (saved.service.as_str(), saved.asked, saved.reused))
        .collect();
    assert_eq!(told, [("llm", 18, 18), ("transcription", 3, 3)], "{report}");
    assert!(savings[0].cost.tokens_in > 0 && savings[1].cost.gpu_seconds > 0.0);

    // Nothing was paid for twice, and what comes from the services is the same on both sides.
    let costs = report["costs"].as_array().expect("a list");
    let paid: f64 = costs
        .iter()
        .filter(|line| line["pipeline"] == "candidate" && line["unit"] != "bytes")
        .filter(|line| {
            line["what"]
                .as_str()
                .is_some_and(|what| !what.starts_with("audio"))
        })
        .filter_map(|line| line["amount"].as_f64())
        .sum();
    assert!(paid.abs() < f64::EPSILON, "{costs:?}");
    for field in [
        "words",
        "topics_titles",
        "topics_summaries",
        "title",
        "short_summary",
        "long_summary",
        "webvtt",
    ] {
        let verdict = compared.fields.iter().find(|known| known.field == field);
        assert_eq!(
            verdict.map(|known| known.verdict.as_str()),
            Some("match"),
            "{field}"
        );
    }
    let shown = beside.json(&["report", run.id.as_str()]).await;
    assert_eq!(shown["shared"][0]["reused"], 18);
    let answers = store.savings(&run.id).await.expect("a read");
    assert_eq!(answers.len(), 2);
    assert_ne!(shown["comparison"]["verdict"], Value::Null);
}
