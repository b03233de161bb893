//! Every family of metrics, with what its labels are. `docs/observability.md` lists them; a test holds
//! it to this.

/// What the numbers of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows; its rate is what tells.
    Counter,
    /// How often which duration.
    Histogram,
}

impl Kind {
    /// As Prometheus has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// A family of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// Its labels, in order; `environment` and `flag` come before them where it is of a migration.
    pub labels: &'static [&'static str],
    /// What it says, as one sentence without its full stop.
    pub help: &'static str,
}

macro_rules! families {
    ($($(#[$doc:meta])* $constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Family = Family {
                name: concat!("switchyard_", $name),
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// All of them.
        pub const ALL: &[Family] = &[$($constant),*];
    };
}

families! {
    // The migration.
    PHASE: Gauge "phase" ["environment", "flag", "phase"] "1 for the phase the migration is in, 0 for the others";
    SUB_PHASE: Gauge "sub_phase" ["environment", "flag", "sub"] "1 for the part of cutover or cleanup the migration is in, 0 for the others";
    PHASE_PERCENT: Gauge "phase_percent" ["environment", "flag"] "Percentage of recordings or rooms the phase covers, 0 to 100";
    PHASE_CHANGED: Gauge "phase_changed_timestamp_seconds" ["environment", "flag"] "When the phase was changed last";
    HOLDS: Gauge "holds" ["environment", "flag", "state"] "Holds that block forward moves, by whether their time is over";
    AUDIT_ENTRIES: Counter "audit_entries_total" [] "Entries of the audit trail, of all migrations in the database";
    // Conductor and what both pipelines need.
    BREAKER: Gauge "breaker_state" ["environment", "state"] "1 for the state the breaker is in, 0 for the others";
    BREAKER_SINCE: Gauge "breaker_since_timestamp_seconds" ["environment"] "Since when the breaker is in its state";
    BREAKER_CHECKED: Gauge "breaker_checked_timestamp_seconds" ["environment"] "When Conductor was looked at last";
    SHARED_DOWN: Gauge "shared_dependency_down" ["environment"] "1 while something is down that both pipelines need";
    PROBE: Gauge "probe_ok" ["environment", "layer", "probe"] "1 where what was looked at was as it should be, else 0";
    PROBE_CHECKED: Gauge "probe_checked_timestamp_seconds" ["environment", "layer", "probe"] "When it was looked at last";
    // Recordings, routes and runs.
    ROUTES: Counter "routes_total" ["environment", "flag", "owner", "beside", "way"] "Recordings that arrived, by who serves them, who runs beside, and the way they came";
    ROUTES_OPEN: Gauge "routes_open" ["environment", "flag", "owner", "state"] "Recordings whose pipeline is not over";
    ROUTE_OLDEST: Gauge "route_open_oldest_timestamp_seconds" ["environment", "flag", "owner"] "When the oldest of these arrived";
    RUNS_OPEN: Gauge "runs_open" ["environment", "flag", "effects", "state"] "Runs of the candidate that have not ended";
    RUN_OLDEST: Gauge "run_open_oldest_timestamp_seconds" ["environment", "flag", "effects"] "When the oldest of these began";
    RUNS_ENDED: Counter "runs_ended_total" ["environment", "flag", "effects", "origin", "state"] "Runs of the candidate that have ended";
    RUN_LAST_ENDED: Gauge "run_last_ended_timestamp_seconds" ["environment", "flag", "effects", "state"] "When one last ended so";
    COMPARISONS: Counter "comparisons_total" ["environment", "flag", "verdict"] "Comparisons of runs with their controls, repeated ones included";
    RUNS_UNCOMPARED: Gauge "runs_uncompared" ["environment", "flag"] "Ended runs that have a control and were not compared with it since";
    STEPS_RUNNING: Gauge "steps_running" ["environment", "flag", "task"] "Attempts at steps that are under way";
    STEP_FAILURES: Counter "step_failures_total" ["environment", "flag", "task", "kind"] "Attempts at steps that failed, by whether another was allowed";
    // Who owns what, and what others see of it.
    OWNED: Gauge "recordings_owned" ["environment", "flag", "owner", "stage"] "Recordings that a live run was started for, by who owns them now";
    TAKEOVERS: Counter "takeovers_total" ["environment", "flag"] "Recordings that were taken from a live run and given back to Celery";
    EFFECTS_PENDING: Gauge "effects_pending" ["environment", "flag", "kind", "state"] "Effects of live runs that are not known to be done";
    SWEEP_BACKLOG: Gauge "sweep_backlog" ["environment", "flag"] "Ended runs whose copies of sound are not known to be gone; where consent stands they stay";
    MIRRORS: Gauge "mirrors" ["environment", "state"] "Mirrors, by how far they are";
    MIRRORS_ENDED: Counter "mirrors_ended_total" ["environment", "outcome"] "Mirrors that have ended, by what came of them";
    // Evidence.
    GATE: Gauge "gate_verdict" ["environment", "flag", "verdict"] "1 for what the gate says of the evidence, 0 for the others";
    GATE_ALARM: Gauge "gate_alarm" ["environment", "flag"] "1 while the evidence is so bad that no more recordings may be shadowed";
    EVIDENCE: Gauge "evidence_recordings" ["environment", "flag", "count"] "Recordings compared under the versions in use, by how they count";
    GATE_LINES: Gauge "gate_lines" ["environment", "flag", "state"] "What the gate asks for, by what it comes to";
    // Money.
    SPENT: Gauge "shadow_spent_today" ["environment", "flag", "kind"] "What shadow runs used since midnight UTC";
    SPENDING_CAP: Gauge "shadow_cap" ["environment", "flag", "kind"] "The most they may use in a day; absent where there is no bound";
    SHED: Gauge "shadow_shed" ["environment", "flag"] "1 while no candidate runs beside because the bound is reached";
    // Telling.
    NOTICES_UNDELIVERED: Gauge "notices_undelivered" ["environment", "flag"] "Notices on their way, each counted once for each target that does not have it";
    NOTICE_OLDEST: Gauge "notice_undelivered_oldest_timestamp_seconds" ["environment", "flag"] "When the oldest of these came to be";
    NOTICES: Counter "notices_total" ["environment", "flag", "kind"] "Notices, by what they are about";
    NOTICES_GIVEN_UP: Counter "notices_given_up_total" ["environment", "flag", "target"] "Notices that a target never got";
    // Forgetting.
    TEXTS_KEPT: Gauge "texts_kept_runs" ["environment", "flag"] "Ended runs whose texts are still there";
    TEXTS_OLDEST: Gauge "texts_kept_oldest_timestamp_seconds" ["environment", "flag"] "When the oldest of these ended";
    RETENTION_DELETED: Counter "retention_deleted_total" ["environment", "flag", "class"] "Runs, controls, answers and notices that were deleted because their time was over";
    RETENTION_LEFT: Gauge "retention_left_rows" ["environment", "flag", "class"] "Rows that were found after they were deleted";
    // This scrape.
    STORE_UP: Gauge "store_up" [] "1 where our database was read for this answer or a little before, 0 where it could not be";
    STORE_READ: Gauge "store_read_timestamp_seconds" [] "When it was read";
    STORE_SECONDS: Gauge "store_read_seconds" [] "How long that took";
    // What a process counts of itself.
    BUILD: Gauge "build_info" ["version"] "Always 1; the version of the program";
    HTTP_REQUESTS: Counter "http_requests_total" ["method", "route", "status"] "Requests this process answered, by template of their route";
    HTTP_SECONDS: Histogram "http_request_duration_seconds" ["route"] "How long it took to begin the answer";
    CALLS: Counter "calls_total" ["service", "outcome"] "Requests this process sent to others, repeated ones included";
    CALL_SECONDS: Histogram "call_duration_seconds" ["service"] "How long they took; of objects to the begin of the answer";
    ATTEMPTS: Counter "step_attempts_total" ["task", "outcome"] "Attempts at steps this process ended";
    ATTEMPT_SECONDS: Histogram "step_attempt_duration_seconds" ["task"] "How long they took";
    TRACES: Counter "traces_total" ["outcome"] "Traces of recordings, by what became of them";
}
