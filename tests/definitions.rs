//! Holds `workflows/`, the workers, their schemas and the dictionary of events to each other.
//!
//! After a wanted change of a contract: `SWITCHYARD_ACCEPT=1 cargo test --test definitions`
//! writes the schemas of the workers' types into `workflows/tasks/`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use switchyard::{
    conductor::{
        definitions::{contract, workflow},
        wire::{RetryLogic, TaskTimeoutPolicy, WorkflowTask},
    },
    contract::dictionary,
    model::TaskName,
    workers::REGISTRY,
};

fn file(task: TaskName) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("workflows/tasks/{task}.json"))
}

fn simple_tasks() -> Vec<&'static WorkflowTask> {
    workflow()
        .all_tasks()
        .into_iter()
        .filter(|task| task.task_type == "SIMPLE")
        .collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"]
        .as_object()
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn every_task_kind_has_a_worker_and_a_file_and_no_file_is_left_over() {
    let workers: Vec<_> = REGISTRY.iter().map(|entry| entry.name).collect();
    assert_eq!(workers, TaskName::ALL);
    let folder = file(TaskName::PadTrack).parent().unwrap().to_owned();
    let files: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<_> = TaskName::ALL
        .iter()
        .map(|task| format!("{task}.json"))
        .collect();
    assert_eq!(files, expected);
    for task in TaskName::ALL {
        assert_eq!(contract(task).definition.name, task.as_str());
    }
}

#[test]
fn schemas_are_those_of_the_workers_types() {
    for entry in &REGISTRY {
        let path = file(entry.name);
        let mut kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let input = (entry.input_schema)().to_value();
        let output = (entry.output_schema)().to_value();
        if std::env::var_os("SWITCHYARD_ACCEPT").is_some() {
            kept["input"] = input;
            kept["output"] = output;
            fs::write(&path, serde_json::to_string_pretty(&kept).unwrap() + "\n").unwrap();
            continue;
        }
        let accept =
            "accept a wanted change with: SWITCHYARD_ACCEPT=1 cargo test --test definitions";
        assert_eq!(kept["input"], input, "input of {}; {accept}", entry.name);
        assert_eq!(kept["output"], output, "output of {}; {accept}", entry.name);
    }
}

#[test]
fn the_workflow_gives_each_task_what_its_contract_asks_for() {
    let mut given: Vec<(TaskName, BTreeSet<String>)> = simple_tasks()
        .iter()
        .map(|task| {
            let name = task
                .name
                .parse()
                .expect("the workflow uses known task kinds");
            (name, task.input_parameters.keys().cloned().collect())
        })
        .collect();
    // What the fork generator writes for its members.
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    given.push((
        TaskName::PadTrack,
        keys(&["run_id", "track_index", "bucket_name", "s3_key"]),
    ));
    given.push((
        TaskName::TranscribeTrack,
        keys(&[
            "run_id",
            "track_index",
            "padded_key",
            "padded_sha256",
            "language",
        ]),
    ));
    let mut seen = BTreeSet::new();
    for (task, given) in given {
        seen.insert(task);
        let schema = &contract(task).input;
        let known = properties(schema);
        let unknown: Vec<_> = given.difference(&known).collect();
        assert!(
            unknown.is_empty(),
            "{task} is given {unknown:?}, which it does not take"
        );
        for required in schema["required"].as_array().unwrap() {
            let required = required.as_str().unwrap();
            assert!(given.contains(required), "{task} is not given `{required}`");
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), TaskName::ALL);
}

#[test]
fn the_workflow_reads_only_outputs_that_exist() {
    let text = serde_json::to_string(workflow()).unwrap();
    let outputs = |reference: &str| {
        let task = workflow()
            .task(reference)
            .unwrap_or_else(|| panic!("no task `{reference}`"));
        task.name
            .parse::<TaskName>()
            .ok()
            .map(|name| properties(&contract(name).output))
    };
    let mut checked = 0;
    for expression in text.split("${").skip(1) {
        let expression = expression.split('}').next().unwrap();
        let mut parts = expression.split('.');
        let reference = parts.next().unwrap();
        if reference == "workflow" {
            let (input, key) = (parts.next(), parts.next().unwrap());
            assert_eq!(input, Some("input"), "{expression}");
            assert!(
                workflow().input_parameters.iter().any(|known| known == key),
                "{expression}"
            );
        } else if let (Some(known), Some("output"), Some(key)) =
            (outputs(reference), parts.next(), parts.next())
        {
            assert!(
                known.contains(key),
                "`{expression}` reads an output that {reference} has not"
            );
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} expressions");
}

#[test]
fn joins_wait_for_the_last_task_of_every_branch() {
    let mut tasks = workflow().tasks.iter();
    while let Some(task) = tasks.next() {
        if task.task_type == "FORK_JOIN" {
            let last: Vec<_> = task
                .fork_tasks
                .iter()
                .map(|branch| branch.last().unwrap().task_reference_name.clone())
                .collect();
            let join = tasks.next().expect("a join follows its fork");
            assert_eq!((join.task_type.as_str(), &join.join_on), ("JOIN", &last));
        }
    }
}

#[test]
fn events_are_those_of_the_dictionary() {
    for task in TaskName::ALL {
        let known: Vec<_> = dictionary::caused_by(task)
            .iter()
            .map(|kind| kind.name())
            .collect();
        assert_eq!(contract(task).events, known, "events of {task}");
    }
}

#[test]
fn outputs_have_no_place_for_words_names_or_urls() {
    for task in TaskName::ALL {
        for key in properties(&contract(task).output) {
            for forbidden in [
                "url",
                "words",
                "text",
                "names",
                "title",
                "summary",
                "participants",
            ] {
                assert_ne!(key, forbidden, "{task} reports `{key}`");
            }
        }
    }
}

/// The requirements' table: timeout, response timeout, retries.
#[test]
fn timeouts_and_retries_are_those_of_the_requirements() {
    let table = [
        (TaskName::GetRecording, 60, 30, 3),
        (TaskName::GetParticipants, 60, 30, 3),
        (TaskName::PadTrack, 300, 120, 3),
        (TaskName::MixdownTracks, 600, 300, 3),
        (TaskName::GenerateWaveform, 120, 60, 3),
        (TaskName::TranscribeTrack, 1800, 900, 3),
        (TaskName::MergeTranscripts, 60, 30, 3),
        (TaskName::DetectTopics, 300, 120, 3),
        (TaskName::GenerateTitle, 60, 30, 3),
        (TaskName::GenerateSummary, 300, 120, 3),
        (TaskName::Finalize, 60, 30, 3),
        (TaskName::CleanupConsent, 60, 30, 3),
        (TaskName::PostZulip, 60, 30, 5),
        (TaskName::SendWebhook, 60, 30, 30),
        (TaskName::GenerateDynamicForkTasks, 30, 15, 3),
    ];
    assert_eq!(table.len(), TaskName::ALL.len());
    for (task, timeout, response, retries) in table {
        let definition = &contract(task).definition;
        let found = (
            definition.timeout_seconds,
            definition.response_timeout_seconds,
            definition.retry_count,
        );
        assert_eq!(found, (timeout, response, retries), "{task}");
        assert_eq!(
            definition.retry_logic,
            RetryLogic::ExponentialBackoff,
            "{task}"
        );
        assert!(definition.retry_delay_seconds > 0, "{task}");
        assert_eq!(
            definition.timeout_policy,
            TaskTimeoutPolicy::Retry,
            "{task}"
        );
        assert!(definition.owner_email.is_some(), "{task}");
        assert!(definition.poll_timeout_seconds.is_some(), "{task}");
    }
}

/// What a server would fill in by itself, and not as we want it.
#[test]
fn nothing_is_left_to_a_servers_defaults() {
    for task in TaskName::ALL {
        let text = fs::read_to_string(file(task)).unwrap();
        let kept: Value = serde_json::from_str(&text).unwrap();
        for key in [
            "name",
            "ownerEmail",
            "retryCount",
            "retryLogic",
            "retryDelaySeconds",
            "timeoutSeconds",
            "timeoutPolicy",
            "responseTimeoutSeconds",
            "pollTimeoutSeconds",
        ] {
            assert_ne!(kept["definition"][key], json!(null), "{task}: `{key}`");
        }
    }
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("workflows/daily_diarization_pipeline.json");
    let kept: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for key in [
        "ownerEmail",
        "schemaVersion",
        "timeoutSeconds",
        "timeoutPolicy",
        "version",
    ] {
        assert_ne!(kept[key], json!(null), "workflow: `{key}`");
    }
}
