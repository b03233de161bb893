//! What the legacy task is known by, and what is to be done about each mention of it.

use schemars::JsonSchema;
use serde::Serialize;

/// What a mention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The task itself, or its name.
    Task,
    /// Something that starts it.
    CallSite,
    /// Something that starts it by the clock.
    Schedule,
    /// A setting, or a variable of the environment.
    Setting,
    /// An import of it.
    Import,
    /// A command that runs its workers.
    Command,
    /// A test of it.
    Test,
    /// A text for people.
    Document,
}

impl Kind {
    /// All of them, in the order of a checklist.
    pub const ALL: [Self; 8] = [
        Self::Task,
        Self::CallSite,
        Self::Schedule,
        Self::Setting,
        Self::Import,
        Self::Command,
        Self::Test,
        Self::Document,
    ];

    /// Heads its part of the checklist.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Task => "Tasks and their names",
            Self::CallSite => "Call sites",
            Self::Schedule => "Schedules",
            Self::Setting => "Settings and variables",
            Self::Import => "Imports",
            Self::Command => "Commands",
            Self::Test => "Tests",
            Self::Document => "Documents",
        }
    }
}

/// One line that is left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Left {
    /// What it is.
    pub kind: Kind,
    /// The file, from the root of the tree.
    pub file: String,
    /// The line, the first being 1.
    pub line: usize,
    /// What it was known by.
    pub found: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    /// Whether other work may need it, so that it need not go.
    pub is_shared: bool,
}

/// A function or module of the legacy's, by its last name.
struct Name {
    name: &'static str,
    /// What to do where it is defined or named.
    defined: &'static str,
    /// What to do where it is called.
    called: &'static str,
    /// Whether other pipelines use it too.
    is_shared: bool,
}

/// Why each is here: the call graph of the multitrack pipeline goes through it.
const NAMES: [Name; 10] = [
    Name {
        // The task that this migration replaces.
        name: "task_pipeline_multitrack_process",
        defined: "remove the task; nothing may be registered under its name",
        called: "start the workflow here instead, by Switchyard's `POST /api/v1/recordings`",
        is_shared: false,
    },
    Name {
        // Its module holds nothing else.
        name: "main_multitrack_pipeline",
        defined: "remove the module",
        called: "remove the import",
        is_shared: false,
    },
    Name {
        // Webhook and poller end here; it makes the rows, then publishes the task.
        name: "process_multitrack_recording",
        defined: "keep what makes rows, and have it start the workflow instead of the task",
        called: "keep it if the rows are still made by it; else call what makes them now",
        is_shared: true,
    },
    Name {
        // Celery's beat starts it.
        name: "poll_daily_recordings",
        defined: "keep it if recordings are still polled for; it publishes the trigger on Celery",
        called: "keep it if recordings are still polled for",
        is_shared: true,
    },
    Name {
        // The reprocess endpoint's way to the task.
        name: "dispatch_transcript_processing",
        defined: "have its multitrack branch start the workflow",
        called: "see that its multitrack branch starts the workflow",
        is_shared: true,
    },
    Name {
        // Publishes the task for tracks that belong to no recording, which the workflow cannot run.
        name: "cli_multitrack",
        defined: "remove the tool; Switchyard refuses transcripts of no recording",
        called: "remove the call",
        is_shared: false,
    },
    Name {
        // First of the chain after the task.
        name: "task_cleanup_consent",
        defined: "keep it if the file or live pipeline still runs on Celery",
        called: "remove it from the multitrack chain; the workflow cleans up itself",
        is_shared: true,
    },
    Name {
        // Second of the chain.
        name: "task_pipeline_post_to_zulip",
        defined: "keep it if the file or live pipeline still runs on Celery",
        called: "remove it from the multitrack chain; the workflow posts itself",
        is_shared: true,
    },
    Name {
        // Third of the chain.
        name: "task_send_webhook_if_needed",
        defined: "keep it if the file or live pipeline still runs on Celery",
        called: "remove it from the multitrack chain; the workflow delivers itself",
        is_shared: true,
    },
    Name {
        // The file to ask Switchyard by; it publishes the task in doubt.
        name: "switchyard_dispatch",
        defined: "remove the file: it falls open to Celery, where nobody works any more",
        called: "ask Switchyard without it: it falls open to Celery, where nobody works any more",
        is_shared: false,
    },
];

/// A text that is no name of Python's.
struct Text {
    text: &'static str,
    kind: Kind,
    advice: &'static str,
    is_shared: bool,
}

/// Why each is here: it configures, routes or runs what took the task.
const TEXTS: [Text; 9] = [
    Text {
        text: "task_routes",
        kind: Kind::Setting,
        advice: "remove the line that sends the task to Switchyard's queue",
        is_shared: false,
    },
    Text {
        text: "SWITCHYARD_URL",
        kind: Kind::Setting,
        advice: "remove it with the file that asks Switchyard in doubt of Celery",
        is_shared: false,
    },
    Text {
        text: "SWITCHYARD_BUDGET_MS",
        kind: Kind::Setting,
        advice: "remove it with the file that asks Switchyard in doubt of Celery",
        is_shared: false,
    },
    Text {
        text: "CELERY_BROKER_URL",
        kind: Kind::Setting,
        advice: "keep it while other tasks run on Celery",
        is_shared: true,
    },
    Text {
        text: "CELERY_RESULT_BACKEND",
        kind: Kind::Setting,
        advice: "keep it while other tasks run on Celery",
        is_shared: true,
    },
    Text {
        text: "beat_schedule",
        kind: Kind::Schedule,
        advice: "remove the entries that came to the task; keep those of other tasks",
        is_shared: true,
    },
    Text {
        text: "celery -A",
        kind: Kind::Command,
        advice: "keep workers and beat while other tasks run on Celery; fewer may do",
        is_shared: true,
    },
    Text {
        text: "celery --app",
        kind: Kind::Command,
        advice: "keep workers and beat while other tasks run on Celery; fewer may do",
        is_shared: true,
    },
    Text {
        text: "\"celery\", \"-A\"",
        kind: Kind::Command,
        advice: "keep workers and beat while other tasks run on Celery; fewer may do",
        is_shared: true,
    },
];

const TESTED: &str = "remove the test with what it tests, or have it test what is there instead";
const WRITTEN: &str = "say how it is now";

/// What a file holds of the legacy task, one entry for each line and thing.
pub fn left_in(file: &str, text: &str) -> Vec<Left> {
    let (is_test, is_document) = (is_test(file), is_document(file));
    let mut found: Vec<Left> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for left in left_on(line) {
            let (kind, advice) = match (is_test, is_document, left.kind) {
                (true, _, _) => (Kind::Test, TESTED),
                (false, true, _) => (Kind::Document, WRITTEN),
                (false, false, kind) => (kind, left.advice),
            };
            found.push(Left {
                kind,
                file: file.to_owned(),
                line: number,
                advice,
                // A text that is out of date breaks nothing.
                is_shared: left.is_shared || kind == Kind::Document,
                ..left
            });
        }
    }
    found
}

fn left_on(line: &str) -> Vec<Left> {
    let mut found: Vec<Left> = Vec::new();
    let left = |kind, found, advice, is_shared| Left {
        kind,
        file: String::new(),
        line: 0,
        found,
        advice,
        is_shared,
    };
    for one in &NAMES {
        let Some(kind) = role(line, one.name) else {
            continue;
        };
        // A task's full name holds its module's.
        if found.iter().any(|other| !other.is_shared) && !one.is_shared {
            continue;
        }
        let advice = match kind {
            Kind::CallSite | Kind::Import => one.called,
            _ => one.defined,
        };
        found.push(left(kind, one.name, advice, one.is_shared));
    }
    for one in &TEXTS {
        if line.contains(one.text) {
            found.push(left(one.kind, one.text, one.advice, one.is_shared));
        }
    }
    found
}

/// What a line does with a name; none where it does not hold it as a word.
fn role(line: &str, name: &str) -> Option<Kind> {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let at = line.match_indices(name).map(|(at, _)| at).find(|at| {
        !line[..*at].ends_with(is_of_word) && !line[at + name.len()..].starts_with(is_of_word)
    })?;
    let (before, after) = (line[..at].trim_end(), line[at + name.len()..].trim_start());
    let begins = line.trim_start();
    let calls = [
        ".delay",
        ".apply",
        ".s(",
        ".si(",
        ".signature",
        ".subtask",
        ".retry",
    ];
    let is_scheduled = ["\"task\":", "'task':"]
        .iter()
        .any(|key| begins.starts_with(key));
    Some(
        if begins.starts_with("import ") || begins.starts_with("from ") {
            Kind::Import
        } else if before.ends_with("def") || before.ends_with("class") {
            Kind::Task
        } else if is_scheduled {
            Kind::Schedule
        } else if calls.iter().any(|call| after.starts_with(call))
            || after.starts_with('(')
            || before.contains("send_task(")
            || before.ends_with("dispatch(")
        {
            Kind::CallSite
        } else {
            Kind::Task
        },
    )
}

fn is_test(file: &str) -> bool {
    let mut parts: Vec<_> = file.split(['/', '\\']).collect();
    let name = parts.pop().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    parts.iter().any(|part| matches!(*part, "test" | "tests"))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem == "conftest"
}

fn is_document(file: &str) -> bool {
    [".md", ".rst", ".txt"]
        .iter()
        .any(|end| file.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(file: &str, text: &str) -> Vec<(usize, Kind, &'static str)> {
        let left = left_in(file, text);
        left.iter()
            .map(|left| (left.line, left.kind, left.found))
            .collect()
    }

    const TASK: &str = "task_pipeline_multitrack_process";

    #[test]
    fn a_line_is_judged_by_what_it_does_with_the_name() {
        let rows = [
            (
                "def task_pipeline_multitrack_process(*, transcript_id):",
                Kind::Task,
            ),
            (
                "    name=\"reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process\",",
                Kind::Task,
            ),
            (
                "    task_pipeline_multitrack_process.delay(",
                Kind::CallSite,
            ),
            (
                "x = task_pipeline_multitrack_process.si(transcript_id=1)",
                Kind::CallSite,
            ),
            (
                "app.send_task(\"reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process\")",
                Kind::CallSite,
            ),
            (
                "dispatch(task_pipeline_multitrack_process, transcript_id=1)",
                Kind::CallSite,
            ),
            (
                "from .main_multitrack_pipeline import task_pipeline_multitrack_process",
                Kind::Import,
            ),
            (
                "\"task\": \"reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process\",",
                Kind::Schedule,
            ),
        ];
        for (line, kind) in rows {
            assert_eq!(kinds("a.py", line), [(1, kind, TASK)], "{line}");
        }
        for line in [
            "my_task_pipeline_multitrack_process()",
            "task_pipeline_multitrack_process2",
        ] {
            assert_eq!(kinds("a.py", line), [], "{line}");
        }
    }

    #[test]
    fn tests_and_documents_are_told_apart() {
        for file in [
            "tests/a.py",
            "server/tests/x/a.py",
            "test_a.py",
            "a_test.py",
            "conftest.py",
        ] {
            assert_eq!(kinds(file, TASK), [(1, Kind::Test, TASK)], "{file}");
        }
        assert_eq!(kinds("docs/a.md", TASK), [(1, Kind::Document, TASK)]);
        assert!(left_in("docs/a.md", TASK)[0].is_shared);
        assert_eq!(kinds("latest/a.py", TASK), [(1, Kind::Task, TASK)]);
    }

    #[test]
    fn what_others_may_need_need_not_go() {
        let left = left_in(
            "compose.yml",
            "\n  command: celery -A reflector.worker.app worker\n",
        );
        assert_eq!((left[0].line, left[0].kind), (2, Kind::Command));
        assert!(left[0].is_shared);
        let left = left_in("settings.py", "    task_routes = {TASK: \"switchyard\"}");
        assert_eq!(left[0].kind, Kind::Setting);
        assert!(!left[0].is_shared);
    }
}
