//! Whatever can be done on a page can be done on the command line and over HTTP. One table says how each
//! is called; what is missing in it is found here.

use std::collections::BTreeSet;

use clap::CommandFactory;
use switchyard::{cli::Cli, http::declared};

/// Something that can be done.
struct Twins {
    /// What it is.
    what: &'static str,
    /// The forms that do it on pages; none where no page does.
    pages: &'static [&'static str],
    /// The commands that do it.
    commands: &'static [&'static str],
    /// The routes of the API that do it.
    routes: &'static [&'static str],
}

/// Whoever adds a form to a page, or a route that changes something, adds a line or a part of one.
const TABLE: &[Twins] = &[
    Twins {
        what: "move the migration",
        pages: &[
            "/phases/{environment}/{flag}/moves",
            "/phases/{environment}/{flag}/rollback",
        ],
        commands: &["phase set"],
        routes: &["/api/v1/phases/moves"],
    },
    Twins {
        what: "approve a move",
        pages: &["/phases/{environment}/{flag}/requests/{id}/approval"],
        commands: &["phase approve"],
        routes: &["/api/v1/requests/{id}/approvals"],
    },
    Twins {
        what: "take a request back",
        pages: &["/phases/{environment}/{flag}/requests/{id}/withdrawal"],
        commands: &["phase withdraw"],
        routes: &["/api/v1/requests/{id}/withdrawal"],
    },
    Twins {
        what: "place a hold",
        pages: &["/phases/{environment}/{flag}/holds"],
        commands: &["hold place"],
        routes: &["/api/v1/holds"],
    },
    Twins {
        what: "release a hold",
        pages: &["/phases/{environment}/{flag}/holds/{id}/release"],
        commands: &["hold release"],
        routes: &["/api/v1/holds/{id}/release"],
    },
    Twins {
        what: "open an item of the reviews",
        pages: &[],
        commands: &["review show"],
        routes: &["/api/v1/reviews/items/{id}/open"],
    },
    Twins {
        what: "choose a side",
        pages: &["/reviews/items/{id}/choice"],
        commands: &["review choose"],
        routes: &["/api/v1/reviews/items/{id}/choice"],
    },
    Twins {
        what: "say what a difference means",
        pages: &[
            "/reviews/items/{id}/verdict",
            "/reviews/clusters/{id}/verdict",
        ],
        commands: &[
            "review accept",
            "review reject",
            "review waive",
            "review ask",
        ],
        routes: &["/api/v1/reviews/verdicts"],
    },
    Twins {
        what: "make a rule that hides differences",
        pages: &["/reviews/rules"],
        commands: &["review rules add"],
        routes: &["/api/v1/reviews/rules"],
    },
    Twins {
        what: "remove such a rule",
        pages: &["/reviews/rules/{id}/removal"],
        commands: &["review rules remove"],
        routes: &["/api/v1/reviews/rules/{id}/removal"],
    },
    Twins {
        what: "make a token",
        pages: &[],
        commands: &["token create"],
        routes: &["/api/v1/tokens"],
    },
    Twins {
        what: "take a token back",
        pages: &[],
        commands: &["token revoke"],
        routes: &["/api/v1/tokens/{id}/revocation"],
    },
    Twins {
        what: "retry the step that failed",
        pages: &["/runs/{id}/retry"],
        commands: &["retry"],
        routes: &["/api/v1/runs/{id}/retry"],
    },
    Twins {
        what: "have a run go on",
        pages: &["/runs/{id}/resume"],
        commands: &["resume"],
        routes: &["/api/v1/runs/{id}/resume"],
    },
    Twins {
        what: "give a recording back to Celery",
        pages: &["/runs/{id}/takeover"],
        commands: &["takeover"],
        routes: &["/api/v1/runs/{id}/takeover"],
    },
    Twins {
        what: "compare a run again",
        pages: &["/runs/{id}/compare"],
        commands: &["compare"],
        routes: &["/api/v1/runs/{id}/compare"],
    },
    Twins {
        what: "close the breaker",
        pages: &["/breaker/closing"],
        commands: &["health close"],
        routes: &["/api/v1/breaker/closing"],
    },
    Twins {
        what: "begin a replay",
        pages: &["/replays"],
        commands: &["replay"],
        routes: &["/api/v1/replays"],
    },
    Twins {
        what: "pause a replay",
        pages: &["/replays/{id}/pause"],
        commands: &["replay"],
        routes: &["/api/v1/replays/{id}/pause"],
    },
    Twins {
        what: "go on with a replay",
        pages: &["/replays/{id}/resumption"],
        commands: &["replay"],
        routes: &["/api/v1/replays/{id}/resumption"],
    },
    Twins {
        what: "cancel a replay",
        pages: &["/replays/{id}/cancellation"],
        commands: &["replay"],
        routes: &["/api/v1/replays/{id}/cancellation"],
    },
    Twins {
        what: "send a notice to try a target",
        pages: &[],
        commands: &["notices test"],
        routes: &["/api/v1/notices/targets/{name}/test"],
    },
    Twins {
        what: "delete what is over its time",
        pages: &[],
        commands: &["retention run"],
        routes: &["/api/v1/retention/run"],
    },
];

/// What has no twin, and why.
const ALONE: &[(&str, &str)] = &[
    (
        "/sign-in/token",
        "signing in is what a page needs and nothing else does",
    ),
    ("/sign-out", "the same"),
    (
        "/doctor",
        "it changes nothing: `doctor` and `GET /api/v1/doctor` do the same",
    ),
    (
        "/api/v1/recordings",
        "asked where Celery's task is published; the tap asks in its place, and no person does",
    ),
    ("/api/v1/recordings/{task_id}/accept", "the same"),
];

/// The routes that change something and that people or their programs are meant to use.
fn acting() -> BTreeSet<String> {
    let routes = declared().into_iter();
    let acting =
        routes.filter(|route| route.method == "POST" && !route.path.starts_with("/ofrep/"));
    acting.map(|route| route.path).collect()
}

/// All commands, those below others with a space between.
fn commands() -> BTreeSet<String> {
    fn add(command: &clap::Command, above: &str, all: &mut BTreeSet<String>) {
        for below in command.get_subcommands() {
            let name = format!("{above} {}", below.get_name()).trim().to_owned();
            add(below, &name, all);
            all.insert(name);
        }
    }
    let mut all = BTreeSet::new();
    add(&Cli::command(), "", &mut all);
    all
}

#[test]
fn whatever_a_form_or_a_route_does_has_its_twins() {
    let of = |side: fn(&Twins) -> &'static [&'static str]| -> BTreeSet<&str> {
        TABLE.iter().flat_map(side).copied().collect()
    };
    let known = &of(|twins| twins.pages) | &of(|twins| twins.routes);
    let alone: BTreeSet<_> = ALONE.iter().map(|(path, _)| *path).collect();
    let missing: Vec<_> = acting()
        .into_iter()
        .filter(|path| !known.contains(path.as_str()) && !alone.contains(path.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "these do something, and tests/it/twins.rs does not say which command, which route of the API and which form do the same: {missing:#?}"
    );
}

#[test]
fn every_twin_there_is_has_the_others() {
    let (routes, commands) = (acting(), commands());
    for twins in TABLE {
        let what = twins.what;
        assert!(!twins.commands.is_empty(), "to {what} there is no command");
        assert!(
            !twins.routes.is_empty(),
            "to {what} there is no route of the API"
        );
        for command in twins.commands {
            assert!(
                commands.contains(*command),
                "to {what}: there is no command `{command}`"
            );
        }
        for route in twins.routes {
            assert!(
                route.starts_with("/api/v1/"),
                "to {what}: `{route}` is no route of the API"
            );
        }
        for path in twins.pages {
            assert!(!route_of_api(path), "to {what}: `{path}` is no page");
        }
        for path in twins.pages.iter().chain(twins.routes) {
            assert!(
                routes.contains(*path),
                "to {what}: nothing is posted to `{path}`"
            );
        }
    }
    for (path, _) in ALONE {
        assert!(
            routes.contains(*path),
            "`{path}` is gone; leave it out of the list"
        );
    }
}

fn route_of_api(path: &str) -> bool {
    path.starts_with("/api/")
}
