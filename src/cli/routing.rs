//! `switchyard routing`.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    app::App,
    controller::{Asked, RoutingStatus, Weighed},
    model::{RecordingId, RoomId, TranscriptId},
    rollout::{
        Beside, Says, Whose,
        rules::{Change, Cohort, RoomKind, Rooms},
    },
    store::RulesRow,
};

/// What `switchyard routing` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Gives a room or a recording to one pipeline, whatever the percentage is. A pin to the candidate
    /// counts from cutover on.
    Pin(Pin),
    /// Leaves a room or a recording to the control alone; nothing runs beside.
    Exclude(About),
    /// Takes back what was said of a room or a recording.
    Remove(About),
    /// Replaces the cohorts: rooms whose turn in cutover comes together, in order.
    Cohorts(Cohorts),
    /// Says as far as which cohort the percentage of cutover reaches; `all` is the last.
    Reach(Reach),
    /// Says who would serve a recording that arrived now, and why. Changes nothing.
    Explain(Explain),
}

#[derive(clap::Args)]
struct Pin {
    #[command(flatten)]
    about: About,
    /// The pipeline.
    #[arg(long)]
    to: To,
}

// What the values mean is said at the option.
#[derive(Clone, Copy, ValueEnum)]
enum To {
    Control,
    Candidate,
}

#[derive(clap::Args)]
struct About {
    /// Whether it is a room or a recording.
    #[arg(value_name = "room|recording", hide_possible_values = true)]
    whose: Named,
    /// Its id.
    key: String,
    #[command(flatten)]
    signed: Signature,
}

#[derive(Clone, Copy, ValueEnum)]
enum Named {
    Room,
    Recording,
}

impl From<Named> for Whose {
    fn from(named: Named) -> Self {
        match named {
            Named::Room => Self::Room,
            Named::Recording => Self::Recording,
        }
    }
}

#[derive(clap::Args)]
struct Signature {
    /// Who says so, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The version of the rules you saw: refused when it has changed since. The newest by default.
    #[arg(long, value_name = "VERSION")]
    seen: Option<i64>,
}

#[derive(clap::Args)]
struct Cohorts {
    /// A JSON list of `{ "name": NAME, "rooms": [ID, …] }`, or `"rooms": "without_webhook"` for all
    /// rooms that call no webhook.
    file: PathBuf,
    #[command(flatten)]
    signed: Signature,
}

#[derive(clap::Args)]
struct Reach {
    /// The cohort.
    name: String,
    #[command(flatten)]
    signed: Signature,
}

#[derive(clap::Args)]
struct Explain {
    /// The recording.
    #[arg(long, value_name = "ID")]
    recording: String,
    /// Its room.
    #[arg(long, value_name = "ID")]
    room: Option<String>,
    /// The room calls no webhook.
    #[arg(long)]
    without_webhook: bool,
    /// Its transcript: where that was routed before, the route that is pinned answers.
    #[arg(long, value_name = "ID")]
    transcript: Option<String>,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let (change, signed) = match args.action {
        None => return show(&app, globals.json).await,
        Some(Action::Explain(explain)) => return tell(&app, explain, globals.json).await,
        Some(Action::Pin(pin)) => {
            let says = match pin.to {
                To::Control => Says::Control,
                To::Candidate => Says::Candidate,
            };
            say_of(pin.about, says)
        }
        Some(Action::Exclude(about)) => say_of(about, Says::Exclude),
        Some(Action::Remove(about)) => {
            let (whose, key) = (about.whose.into(), about.key);
            (Change::Remove { whose, key }, about.signed)
        }
        Some(Action::Cohorts(cohorts)) => (Change::Cohorts(read(&cohorts.file)?), cohorts.signed),
        Some(Action::Reach(reach)) => (Change::Reach(reach.name), reach.signed),
    };
    let routing = app.routing()?;
    let by_and_why = (signed.by.as_str(), signed.reason.as_str());
    match routing.change(&change, by_and_why, signed.seen).await? {
        Ok(row) if globals.json => Globals::print_json(&rules_told(&row))?,
        Ok(row) => say!(
            "{}: {}, rules at version {}",
            app.name,
            row.rules.told(&change),
            row.version
        ),
        Err(not_changed) => anyhow::bail!("{not_changed}"),
    }
    Ok(ExitStatus::Success)
}

fn say_of(about: About, says: Says) -> (Change, Signature) {
    let (whose, key) = (about.whose.into(), about.key);
    (Change::Say { whose, key, says }, about.signed)
}

fn read(file: &PathBuf) -> anyhow::Result<Vec<Cohort>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the cohorts in `{}`", file.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "`{}` has to be a JSON list of cohorts, e.g. [{{\"name\": \"internal\", \"rooms\": [\"ID\"]}}, {{\"name\": \"quiet\", \"rooms\": \"without_webhook\"}}]",
            file.display()
        )
    })
}

async fn show(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let status = app.routing()?.stands().await?;
    if json {
        Globals::print_json(&status_told(&status))?;
        return Ok(ExitStatus::Success);
    }
    let (phase, rules) = (&status.standing.phase, &status.standing.rules);
    say!(
        "{}: {} at version {}, rules at version {}",
        app.name,
        phase.position,
        phase.version,
        rules.version
    );
    if !rules.rules.rules.is_empty() {
        say!();
        let mut table = table::table(&["rule", "of", "says", "by", "at", "reason"]);
        for rule in &rules.rules.rules {
            table.add_row([
                rule.whose.as_str(),
                &rule.key,
                rule.says.as_str(),
                &rule.signed.by,
                &rule.signed.at.format("%Y-%m-%d %H:%M").to_string(),
                &rule.signed.reason,
            ]);
        }
        table::print(&table);
    }
    say!();
    print_cohorts(rules);
    for line in spent_lines(&status) {
        say!("{line}");
    }
    for stored in &status.ratios {
        let held = stored.hold_id.as_ref();
        let held = held.map_or_else(String::new, |id| format!("; it led to {id}"));
        say!("Buckets of the last day: {}{held}", stored.ratio.told());
    }
    Ok(ExitStatus::Success)
}

fn print_cohorts(row: &RulesRow) {
    let rules = &row.rules;
    if rules.cohorts.is_empty() {
        say!("There are no cohorts: the percentage of cutover is of all rooms.");
        return;
    }
    let cohorts = rules.cohorts.iter().map(|cohort| match &cohort.rooms {
        Rooms::Named(rooms) => format!("{} ({} rooms)", cohort.name, rooms.len()),
        Rooms::Of(RoomKind::WithoutWebhook) => format!("{} (rooms without a webhook)", cohort.name),
    });
    let cohorts: Vec<_> = cohorts.collect();
    let by = rules.reach_signed.as_ref();
    let by = by.map_or_else(String::new, |signed| {
        format!(", set by {}: {}", signed.by, signed.reason)
    });
    say!(
        "Cohorts: {}, all. Cutover reaches as far as {}{by}.",
        cohorts.join(", "),
        rules.reach()
    );
}

/// What shadow runs used today, what is left, and whether they are shed.
pub(super) fn spent_lines(status: &RoutingStatus) -> Vec<String> {
    let (spent, caps) = (&status.spent, &status.caps);
    let of = |used: f64, cap: Option<f64>, unit: &str| match cap {
        None => format!("{used:.0} {unit}"),
        Some(cap) => {
            let left = (cap - used).max(0.0);
            format!("{used:.0} of {cap:.0} {unit} ({left:.0} left)")
        }
    };
    let usd = match caps.max_usd {
        None => format!("${:.2}", spent.usd),
        Some(cap) => {
            let left = (cap - spent.usd).max(0.0);
            format!("${:.2} of ${cap:.2} (${left:.2} left)", spent.usd)
        }
    };
    let mut lines = vec![format!(
        "Shadow runs have used today: {}, {}, {usd}{}.",
        of(spent.gpu_seconds, caps.max_gpu_seconds, "GPU seconds"),
        of(spent.tokens, caps.max_tokens, "tokens"),
        if spent.unpriced {
            " and what has no price"
        } else {
            ""
        }
    )];
    let in_force = status.standing.spent.as_ref();
    match in_force.and_then(|spent| spent.shed.as_ref()) {
        Some(shed) => lines.push(format!("No candidate runs beside until midnight UTC; {shed}.")),
        None if spent.shed.is_some() => lines.push(
            "A cap is reached; the controller sheds as soon as it has summed this, within 30 s where `switchyard serve` runs.".to_owned(),
        ),
        None => {}
    }
    lines
}

async fn tell(app: &App, explain: Explain, json: bool) -> anyhow::Result<ExitStatus> {
    let asked = Asked {
        recording: RecordingId::new(explain.recording),
        room: explain.room.map(RoomId::new),
        without_webhook: explain.without_webhook,
        transcript: explain.transcript.map(TranscriptId::new),
    };
    let weighed = app.routing()?.explain(&asked).await?;
    if json {
        Globals::print_json(&weighed_told(&weighed))?;
        return Ok(ExitStatus::Success);
    }
    let beside = match weighed.beside {
        Beside::None => "nothing runs beside",
        Beside::Candidate => "the candidate runs beside",
    };
    say!(
        "The {} serves recording `{}`, and {beside}: {}",
        weighed.serve.as_str(),
        asked.recording,
        weighed.reason
    );
    Ok(ExitStatus::Success)
}

fn weighed_told(weighed: &Weighed) -> serde_json::Value {
    json!({
        "serve": weighed.serve.as_str(),
        "beside": weighed.beside.as_str(),
        "phase": weighed.phase.as_str(),
        "percent": f64::from(weighed.percent.hundredths()) / 100.0,
        "version": weighed.version,
        "rules_version": weighed.rules_version,
        "bucket": weighed.bucket,
        "reason": weighed.reason,
    })
}

fn rules_told(row: &RulesRow) -> serde_json::Value {
    json!({
        "version": row.version,
        "changed_at": row.changed_at.filter(|_| row.version > 0),
        "changed_by": row.changed_by.as_ref().filter(|by| !by.is_empty()),
        "rules": row.rules.rules,
        "cohorts": row.rules.cohorts,
        "reach": row.rules.reach(),
        "reach_signed": row.rules.reach_signed,
    })
}

/// What shadow runs used today and may use, for machines.
pub(super) fn spent_told(status: &RoutingStatus) -> serde_json::Value {
    let (spent, caps) = (&status.spent, &status.caps);
    let line = |used: f64, cap: Option<f64>| {
        let left = cap.map(|cap| (cap - used).max(0.0));
        json!({ "used": used, "cap": cap, "left": left })
    };
    let in_force = status.standing.spent.as_ref();
    json!({
        "gpu_seconds": line(spent.gpu_seconds, caps.max_gpu_seconds),
        "tokens": line(spent.tokens, caps.max_tokens),
        "usd": line(spent.usd, caps.max_usd),
        "unpriced": spent.unpriced,
        "shed": in_force.and_then(|spent| spent.shed.as_ref()),
    })
}

fn status_told(status: &RoutingStatus) -> serde_json::Value {
    let phase = &status.standing.phase;
    let ratios = status.ratios.iter().map(|stored| {
        let drawn = stored.ratio.drawn;
        json!({
            "phase": drawn.phase.as_str(),
            "percent": f64::from(drawn.percent.hundredths()) / 100.0,
            "drawn": drawn.drawn,
            "went_in": drawn.went_in,
            "p": stored.ratio.p,
            "looked_at": stored.looked_at,
            "hold": stored.hold_id,
        })
    });
    json!({
        "environment": phase.environment,
        "position": phase.position.to_string(),
        "version": phase.version,
        "rules": rules_told(&status.standing.rules),
        "shadow": spent_told(status),
        "ratios": ratios.collect::<Vec<_>>(),
    })
}
