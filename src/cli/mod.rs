//! The command line. Output is for people first; `--json` is for machines. Logs go to standard
//! error, so that what is printed can be piped.

mod audio;
mod audit;
mod backup;
mod check;
mod cleanup;
mod compare;
mod completions;
mod costs;
mod demo;
mod dispatch;
mod doctor;
mod events;
mod follow;
mod gate;
mod health;
mod hold;
mod mend;
mod mirror;
mod moment;
mod notices;
mod openapi;
mod output;
mod phase;
mod recordings;
mod register;
mod rehearse;
mod replay;
mod report;
mod reports;
mod retention;
mod review;
mod routes;
mod routing;
mod runs;
mod sandbox;
mod selftest;
mod serve;
mod settings;
mod sweep;
mod table;
mod token;
mod top;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{app::App, config::Config, rollout::Mend};

/// Heads the options that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Moves Reflector's meeting pipeline from one Celery task to a Conductor workflow: runs every
/// task of the workflow, runs it beside the old pipeline, and compares what both make.
#[derive(Parser)]
#[command(
    version,
    after_help = "`RUST_LOG` says how much is logged to standard error, e.g. `RUST_LOG=switchyard=debug`; of libraries never \
        more than `info`, since the rest holds secrets."
)]
pub struct Cli {
    /// The settings file.
    #[arg(
        long,
        global = true,
        env = "SWITCHYARD_CONFIG",
        default_value = "switchyard.toml",
        help_heading = EVERYWHERE,
        value_name = "PATH"
    )]
    config: PathBuf,
    /// The environment, where the settings have several.
    #[arg(
        long,
        global = true,
        env = "SWITCHYARD_ENVIRONMENT",
        help_heading = EVERYWHERE,
        value_name = "NAME"
    )]
    environment: Option<String>,
    /// Prints JSON for machines.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// How log lines look: `text` for people, or `json`, one object a line.
    #[arg(
        long,
        global = true,
        env = "SWITCHYARD_LOG_FORMAT",
        default_value = "text",
        help_heading = EVERYWHERE,
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

// What the values mean is said once, at the option: documented values double the help's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Shows Switchyard at work: runs the bundled meeting through the whole pipeline on this
    /// machine alone, compares it with what the legacy made of it, and serves the report.
    Demo(demo::Args),
    /// Runs engine, workers, controller and, with `objects.local_dir`, the object store in one
    /// process.
    Up,
    /// Runs the controller: follows runs, compares them, serves pages and API, and stands on
    /// Celery's queue where the settings have a tap.
    Serve(serve::ServeArgs),
    /// Runs the tap alone: takes requests for recordings off Celery's queue, has them answered, and
    /// hands on what the legacy workers are to do.
    Tap(serve::MetricsArgs),
    /// Runs the workers: takes tasks from the workflow engine and does them.
    Worker(serve::MetricsArgs),
    /// Runs the embedded workflow engine, which speaks Conductor's REST API.
    Engine(serve::MetricsArgs),
    /// Serves the folder `objects.local_dir` as an S3 store at `objects.endpoint`.
    Objects,
    /// Serves the proxy before language model and transcription service: the control's requests pass
    /// through it, and shadow runs get what the control was answered.
    Share(serve::MetricsArgs),
    /// Tests every connection of the settings and says what is wrong; ends with 1 if anything is.
    Check,
    /// Puts the workflow and its task definitions into the workflow engine.
    Register,
    /// Starts a run of one recording in shadow, or takes up one that failed.
    Dispatch(dispatch::Args),
    /// Lists runs, or shows one with its attempts.
    Runs(runs::Args),
    /// Lists recordings as they were routed, with what became of them, or shows all there is of one.
    Recordings(recordings::Args),
    /// Lists routes: who serves each recording that was asked for, who runs beside, and why.
    Routes(routes::Args),
    /// Shows by what rules recordings are routed and what shadow runs may still use today; pins,
    /// excludes, says whose turn it is, and explains a route.
    Routing(routing::Args),
    /// Shows how far the migration is in each environment, says what its next step lacks, and moves it.
    Phase(phase::Args),
    /// Says whether the comparisons so far are enough for a cutover, what they lack, and who can do
    /// something about it.
    Gate(gate::Args),
    /// Lists what blocks forward moves, and places or releases such a hold.
    Hold(hold::Args),
    /// Shows how cleanup stands, exports what Celery did, and lists what is left of it in a source
    /// tree.
    Cleanup(cleanup::Args),
    /// Lists what people were told and whether it arrived, and tests whether a target is reached.
    Notices(notices::Args),
    /// Shows what is kept for how long and what is over its time, deletes that, and lists the proofs.
    Retention(retention::Args),
    /// Makes, lists and revokes tokens, by which programs say who they are over HTTP.
    Token(token::Args),
    /// Lists who changed what, or verifies that the record of it is whole.
    Audit(audit::Args),
    /// Shows how everything stands, again and again: phases, gate, breaker, open runs, throughput.
    Top(top::Args),
    /// Shows the settings in force, defaults filled in and secrets masked.
    Settings,
    /// Writes a file for whoever helps from afar: versions, settings, checks, how far everything is,
    /// and what failed lately. No meeting text, no secret.
    Doctor(doctor::Args),
    /// Writes everything in our database to a file, as it is at one moment, while everything goes on.
    Backup(backup::BackupArgs),
    /// Fills an empty database from such a file; also the way from SQLite to PostgreSQL.
    Restore(backup::RestoreArgs),
    /// Pads, mixes, draws and inspects sound as the workers do, by hand: of files, URLs and objects.
    Audio(audio::Args),
    /// Shows what was seen of Conductor and of what both pipelines need, and how the breaker stands; or
    /// closes the breaker.
    Health(health::Args),
    /// Compares a run with its control again, by the policy as it is now.
    Compare(compare::Args),
    /// Reports on all the evidence, or shows the newest comparison of a run.
    Report(report::Args),
    /// Lists compared runs with what each came to, and the field that differs most.
    Reports(reports::Args),
    /// Shows what people have to look at before a cutover and how far that is, and takes their verdicts.
    Review(review::Args),
    /// Puts known defects into what Celery really made, and shows which of them the comparison catches.
    Selftest(selftest::Args),
    /// Gives the recording of a live run back to Celery: stops the run from doing anything more,
    /// then dispatches the legacy task, once.
    Takeover(mend::Args),
    /// Runs the step again that a run failed in, and what follows it.
    Retry(mend::Args),
    /// Lets a run go on that was stopped, is paused in Conductor, or never got under way.
    Resume(mend::Args),
    /// Shows what runs used and cost, by step, and what shadow runs cost on top.
    Costs(costs::Args),
    /// Deletes at once what ended runs keep of sound that people took back; workers do it every ten
    /// minutes.
    Sweep,
    /// Lets the legacy pipeline run a finished recording a second time, out of everybody's sight, to
    /// see how far it differs from itself; then removes what that left.
    Mirror(mirror::Args),
    /// Rehearses cutover, fallback to Celery and recovery on a recording nobody waits for, or lists
    /// how rehearsals went.
    Rehearse(rehearse::Args),
    /// Runs the candidate on past recordings, so many an hour and out of everybody's sight, and
    /// compares with what the legacy made of them then.
    Replay(replay::Args),
    /// Prints the dictionary of events: which task causes which, where it goes, what is in it.
    Events,
    /// Prints the OpenAPI document of the HTTP API, for programs and those who write them.
    Openapi,
    /// Prints what completes commands in a shell.
    Completions(completions::Args),
    /// Prints the manual, for `man -l -`.
    Man,
    /// Serves stand-ins for Daily, transcription, language model, Zulip, a webhook and a sign-in
    /// provider.
    Sandbox(sandbox::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It did what was asked.
    Success,
    /// It did not; the message says why.
    Failure,
    /// A gate lets nobody through so far.
    NotYet,
    /// A gate lets nobody through, and something has to be put right.
    NoGo,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => Self::SUCCESS,
            ExitStatus::Failure => Self::FAILURE,
            ExitStatus::NotYet => Self::from(2),
            ExitStatus::NoGo => Self::from(3),
        }
    }
}

/// What every command can use.
struct Globals {
    config: PathBuf,
    environment: Option<String>,
    json: bool,
}

impl Globals {
    fn settings(&self) -> anyhow::Result<Config> {
        Ok(Config::read(&self.config)?)
    }

    async fn app(&self) -> anyhow::Result<App> {
        App::open(self.settings()?, self.environment.as_deref()).await
    }

    /// Prints a line for people; machines get nothing but the result.
    fn tell(&self, line: std::fmt::Arguments<'_>) {
        if !self.json {
            output::say!("{line}");
        }
    }

    /// Prints a value for machines.
    fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
        output::say!("{}", serde_json::to_string_pretty(value)?);
        Ok(())
    }
}

/// Starts logging to standard error. `RUST_LOG` says how much; commands whose result people read
/// are quiet unless told otherwise.
pub fn start_tracing(cli: &Cli) {
    let quiet = matches!(
        cli.command,
        Command::Demo(_)
            | Command::Dispatch(_)
            | Command::Check
            | Command::Doctor(_)
            | Command::Top(_)
            | Command::Report(_)
            | Command::Reports(_)
            | Command::Gate(_)
            | Command::Review(_)
            | Command::Selftest(_)
            | Command::Compare(_)
            | Command::Takeover(_)
            | Command::Retry(_)
            | Command::Resume(_)
            | Command::Notices(_)
            | Command::Retention(_)
            | Command::Token(_)
            | Command::Costs(_)
            | Command::Mirror(_)
            | Command::Rehearse(_)
            | Command::Replay(_)
            | Command::Audio(_)
    );
    let default = if quiet {
        "error,s3s=off"
    } else {
        "info,sqlx=warn,s3s=off,s3s_fs=warn"
    };
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let wanted = if wanted.is_empty() { default } else { &wanted };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        eprintln!("`RUST_LOG` cannot be read, logging as without it: {error}");
        EnvFilter::new(default)
    });
    let filter = filter.and(filter_fn(may_be_logged));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr());
    let lines = match cli.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}

/// Whether a line may be logged, whatever `RUST_LOG` says. What libraries tell below `info` holds
/// headers, signed URLs and bodies, so secrets and what was said in meetings.
fn may_be_logged(line: &Metadata<'_>) -> bool {
    let is_ours = line.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
    is_ours || *line.level() <= Level::INFO
}

/// Runs the command.
pub async fn run(cli: Cli) -> anyhow::Result<ExitStatus> {
    crate::app::prepare();
    let globals = Globals {
        config: cli.config,
        environment: cli.environment,
        json: cli.json,
    };
    match cli.command {
        Command::Demo(args) => demo::run(args, &globals).await,
        Command::Up => serve::up(&globals).await,
        Command::Serve(args) => serve::serve(args, &globals).await,
        Command::Tap(args) => serve::tap(args, &globals).await,
        Command::Worker(args) => serve::worker(args, &globals).await,
        Command::Engine(args) => serve::engine(args, &globals).await,
        Command::Objects => serve::objects(&globals).await,
        Command::Share(args) => serve::share(args, &globals).await,
        Command::Check => check::run(&globals).await,
        Command::Register => register::run(&globals).await,
        Command::Dispatch(args) => dispatch::run(args, &globals).await,
        Command::Runs(args) => runs::run(args, &globals).await,
        Command::Recordings(args) => recordings::run(args, &globals).await,
        Command::Routes(args) => routes::run(args, &globals).await,
        Command::Routing(args) => routing::run(args, &globals).await,
        Command::Phase(args) => phase::run(args, &globals).await,
        Command::Gate(args) => gate::run(args, &globals).await,
        Command::Hold(args) => hold::run(args, &globals).await,
        Command::Cleanup(args) => cleanup::run(args, &globals).await,
        Command::Notices(args) => notices::run(args, &globals).await,
        Command::Retention(args) => retention::run(args, &globals).await,
        Command::Token(args) => token::run(args, &globals).await,
        Command::Audit(args) => audit::run(args, &globals).await,
        Command::Top(args) => top::run(args, &globals).await,
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Man => completions::manual(),
        Command::Settings => settings::run(&globals),
        Command::Doctor(args) => doctor::run(args, &globals).await,
        Command::Backup(args) => backup::back_up(args, &globals).await,
        Command::Restore(args) => backup::restore(args, &globals).await,
        Command::Audio(args) => audio::run(args, &globals).await,
        Command::Health(args) => health::run(args, &globals).await,
        Command::Compare(args) => compare::run(args, &globals).await,
        Command::Report(args) => report::run(args, &globals).await,
        Command::Reports(args) => reports::run(args, &globals).await,
        Command::Review(args) => review::run(args, &globals).await,
        Command::Selftest(args) => selftest::run(args, &globals).await,
        Command::Takeover(args) => mend::run(Mend::Takeover, args, &globals).await,
        Command::Retry(args) => mend::run(Mend::Retry, args, &globals).await,
        Command::Resume(args) => mend::run(Mend::Resume, args, &globals).await,
        Command::Costs(args) => costs::run(args, &globals).await,
        Command::Sweep => sweep::run(&globals).await,
        Command::Mirror(args) => mirror::run(args, &globals).await,
        Command::Rehearse(args) => rehearse::run(args, &globals).await,
        Command::Replay(args) => replay::run(args, &globals).await,
        Command::Events => events::run(&globals),
        Command::Openapi => openapi::run(),
        Command::Sandbox(args) => sandbox::run(args).await,
    }
}
