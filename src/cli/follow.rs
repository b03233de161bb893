//! Follows one run on the terminal, with a progress bar where there is one.

use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::{
    controller::{Followed, Shadow},
    model::{RunId, RunState},
    progress::Progress,
    store::Run,
};

/// How often the run is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// What the terminal shows of a run.
pub(super) struct View {
    bar: Option<ProgressBar>,
    last: String,
}

impl View {
    /// A bar on a terminal; elsewhere a line for each new step.
    pub fn new() -> Self {
        let bar = Term::stderr().is_term().then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30.cyan/dim} {pos:>3} %  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self {
            bar,
            last: String::new(),
        }
    }

    fn show(&mut self, progress: &Progress) {
        let step = format!("step {} of {}", progress.step_index, progress.total_steps);
        self.line(progress.percent, format!("{step}: {}", progress.label));
    }

    /// Shows how far something is.
    pub fn line(&mut self, percent: u8, message: String) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::from(percent));
            bar.set_message(message);
        } else if message != self.last {
            eprintln!("{percent:>3} %  {message}");
            self.last = message;
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Follows a run to its end. An engine that does not answer for a moment is waited for.
pub(super) async fn to_the_end(
    shadow: &Shadow,
    id: &RunId,
    stop: &CancellationToken,
) -> anyhow::Result<Run> {
    let mut view = View::new();
    let mut troubles = 0;
    let run = loop {
        let run = shadow
            .store
            .run(id)
            .await?
            .ok_or_else(|| anyhow::anyhow!("there is no run `{id}`"))?;
        if run.state.is_final() {
            if run.state == RunState::Completed
                && let Some(progress) = shadow.look(&run).await.ok().and_then(|seen| seen.progress)
            {
                view.show(&progress);
            }
            break run;
        }
        match shadow.follow(&run).await {
            Ok(Followed { progress, .. }) => {
                troubles = 0;
                if let Some(progress) = progress {
                    view.show(&progress);
                }
            }
            Err(error) if troubles < 40 => {
                troubles += 1;
                tracing::debug!("cannot follow the run yet: {error:#}");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = stop.cancelled() => anyhow::bail!("stopped; run `{id}` goes on when started again"),
            () = tokio::time::sleep(EVERY) => {}
        }
    };
    view.end();
    Ok(run)
}
