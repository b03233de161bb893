use super::*;

const EXAMPLE: &str = include_str!("../../docs/switchyard.example.toml");

/// The example with its secrets taken from a variable every process has.
fn example() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.split_once("{ env = ") {
            Some((before, _)) => format!("{before}{{ env = \"PATH\" }}\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

fn refusal(text: &str) -> String {
    Config::parse(text).expect_err("it is wrong").to_string()
}

#[test]
fn the_example_is_valid() {
    let config = Config::parse(&example()).expect("it is valid");
    let (name, environment) = config.environment(None).expect("there is one");
    assert_eq!(name.as_str(), "staging");
    assert_eq!(environment.llm.context_window, 16_000);
}

#[test]
fn every_commented_default_of_the_example_is_the_default() {
    let uncommented: String = example()
        .lines()
        .map(|line| {
            let keep_commented = [
                "# id",
                "# prompts",
                "# comparisons",
                "# embeddings",
                "# zulip_realm",
                "# schema",
                "# after",
                "# data_dir",
                "# progress_channel",
                "# max_",
                "# llm_url",
                "# transcription_url",
                "# \"hooks",
                "# metrics_",
                "# headers",
                "# ui_url",
                "# other_secret",
            ];
            let is_setting = line.starts_with("# ") && line.contains(" = ");
            if is_setting && !keep_commented.iter().any(|key| line.starts_with(key)) {
                format!("{}\n", &line[2..])
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let with_defaults = Config::parse(&uncommented).expect("it is valid");
    let without = Config::parse(&example()).expect("it is valid");
    assert_eq!(format!("{with_defaults:?}"), format!("{without:?}"));
}

/// The example with its section `access`, which is commented as a whole.
fn signing_in() -> String {
    example().replace("## ", "")
}

#[test]
fn the_section_of_the_example_that_signs_people_in_is_valid_and_shows_its_defaults() {
    let text = signing_in();
    let access = Config::parse(&text).expect("it is valid").access;
    let is_default = |line: &&str| {
        let shown = [
            "session_hours",
            "idle_minutes",
            "scopes",
            "name_claim",
            "groups_claim",
        ];
        shown.iter().any(|key| line.starts_with(key))
    };
    assert_eq!(text.lines().filter(is_default).count(), 5);
    let without: Vec<_> = text.lines().filter(|line| !is_default(line)).collect();
    let without = Config::parse(&without.join("\n"))
        .expect("it is valid")
        .access;
    assert_eq!(format!("{access:?}"), format!("{without:?}"));
    assert!(
        Config::parse(&example())
            .expect("it is valid")
            .access
            .is_none()
    );
}

#[test]
fn what_would_let_the_wrong_people_in_is_named_with_its_section() {
    for (from, to, key) in [
        (
            "https://switchyard.example.com",
            "http://switchyard.example.com",
            "access.public_url",
        ),
        (
            "https://switchyard.example.com",
            "https://example.com/switchyard",
            "access.public_url",
        ),
        (
            "https://login.example.com",
            "http://login.example.com",
            "access.oidc.issuer",
        ),
        ("\"openid\", ", "", "access.oidc.scopes"),
        (
            "environments = [\"staging\"]",
            "environments = [\"stagin\"]",
            "access.roles.environments",
        ),
        (
            "session_hours = 12",
            "session_hours = 0",
            "access.session_hours",
        ),
        (
            "idle_minutes = 60",
            "idle_minutes = 1",
            "access.idle_minutes",
        ),
        ("hosts = [\"", "hosts = [\"http://", "access.hosts"),
        ("role = \"operator\"", "role = \"boss\"", "role"),
        ("[[access.roles]]", "[[access.unused]]", "access"),
    ] {
        let text = signing_in().replacen(from, to, 1);
        assert_ne!(text, signing_in(), "{from}");
        let message = refusal(&text);
        assert!(message.contains(key), "{key}: {message}");
    }
    let elsewhere =
        |text: String| text.replacen("[server]", "[server]\nlisten = \"0.0.0.0:80\"", 1);
    assert!(refusal(&elsewhere(example())).contains("add a section `access`"));
    assert!(Config::parse(&elsewhere(signing_in())).is_ok());
}

#[test]
fn a_secret_in_the_file_is_refused_with_the_remedy() {
    let text = example().replacen("api_key = { env = \"PATH\" }", "api_key = \"hunter2\"", 1);
    let message = refusal(&text);
    assert!(message.contains("api_key"), "{message}");
    assert!(message.contains("{ env = \"NAME\" }"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_missing_variable_is_named() {
    let text = example().replace("{ env = \"PATH\" }", "{ env = \"NO_SUCH_VARIABLE_HERE\" }");
    assert!(refusal(&text).contains("NO_SUCH_VARIABLE_HERE"));
}

#[test]
fn an_unknown_key_is_named() {
    let text = example().replace("[server]", "[server]\nport = 80");
    assert!(refusal(&text).contains("port"));
}

#[test]
fn a_value_that_makes_no_sense_is_named_with_its_section() {
    for (from, to, key) in [
        (
            "[worker]",
            "[worker]\nconcurrency = 0",
            "worker.concurrency",
        ),
        ("[worker]", "[worker]\npoll_ms = 6000", "worker.poll_ms"),
        (
            "[server]",
            "[server]\nlisten = \"0.0.0.0:80\"",
            "server.listen",
        ),
        (
            "[telemetry.traces]",
            "[telemetry.traces]\nsample_percent = 101",
            "telemetry.traces.sample_percent",
        ),
        ("https://llm.", "ftp://llm.", "environments.staging.llm.url"),
        (
            "bucket = \"reflector-transcripts\"",
            "bucket = \"a/b\"",
            "environments.staging.objects.bucket",
        ),
        (
            "[environments.staging.shadow]",
            "[environments.staging.shadow]\nmax_usd = -1.0",
            "environments.staging.shadow.max_usd",
        ),
        (
            "[environments.staging.gate]",
            "[environments.staging.gate]\nfailure_percent = 0.0",
            "environments.staging.gate.failure_percent",
        ),
        (
            "[environments.staging.gate]",
            "[environments.staging.gate]\nsoak_failure_percent = 0.1",
            "environments.staging.gate.soak_failure_percent",
        ),
        (
            "[environments.staging.mirrors]",
            "[environments.staging.mirrors]\npercent = 101.0",
            "environments.staging.mirrors.percent",
        ),
        (
            "[environments.staging.mirrors]",
            "[environments.staging.mirrors]\nuntil_hour = 24",
            "environments.staging.mirrors.until_hour",
        ),
        (
            "[environments.staging.gate]",
            "[environments.staging.gate]\nlatency_ratio = -1.0",
            "environments.staging.gate.latency_ratio",
        ),
    ] {
        let text = example().replacen(from, to, 1);
        let message = refusal(&text);
        assert!(message.contains(key), "{key}: {message}");
    }
}

#[test]
fn several_environments_must_be_chosen_from() {
    let text = example()
        + &example()
            .split_once("[environments.staging]")
            .expect("is there")
            .1
            .replace("environments.staging", "environments.production");
    let text = text.replacen("# prompts = \"prompts/\"", "", 1);
    let config = Config::parse(&text).expect("it is valid");
    let message = config
        .environment(None)
        .expect_err("there are two")
        .to_string();
    assert!(message.contains("production, staging"), "{message}");
    assert!(config.environment(Some("production")).is_ok());
}

#[test]
fn secrets_and_passwords_are_not_printed() {
    let text = example().replace(
        "sqlite:switchyard-data/switchyard.db",
        "postgres://user:hunter2@db.example.com/switchyard",
    );
    let printed = format!("{:?}", Config::parse(&text).expect("it is valid"));
    assert!(!printed.contains("hunter2"), "{printed}");
    let path = std::env::var("PATH").expect("every process has one");
    assert!(!printed.contains(&path), "{printed}");
}
