//! Holds second runs against first ones, under the policy as it is: the control's own, which mirrors
//! are, and the candidate's, where a recording was dispatched again.

use std::sync::Arc;

use anyhow::Context;
use tracing::{info, warn};

use super::{Shadow, candidate_outcome, control::judged_by};
use crate::{
    compare::{self, Comparison, FieldResult},
    config::Config,
    gate::Rules,
    model::Outcome,
    store::{About, Control, NoiseField, Second, SecondOf, StoredField},
};

/// A field as it is stored.
pub(super) fn stored(field: &FieldResult) -> StoredField {
    StoredField {
        field: field.field.to_string(),
        verdict: field.verdict.to_string(),
        distance: field.distance(),
        broken: field.is_broken(),
    }
}

impl Shadow {
    /// Measures what is to be measured of second runs, and says how many that were. One that fails is
    /// told and tried again.
    pub async fn measure_noise(&self) -> anyhow::Result<usize> {
        let about = About {
            environment: self.environment.clone(),
            flag: Config::flag(),
            epoch: self.epoch(),
            after: None,
            gate: Rules::default(),
        };
        let mut measured = 0;
        for second in self.store.seconds_to_measure(&about).await? {
            match self.measure(&second).await {
                Ok(()) => measured += 1,
                Err(error) => {
                    let run = &second.run;
                    warn!(run.id = %run, "cannot hold a second run against run `{run}`, trying again: {error:#}");
                }
            }
        }
        Ok(measured)
    }

    async fn measure(&self, second: &Second) -> anyhow::Result<()> {
        let run = self.store.run(&second.run).await?;
        let run = run.with_context(|| format!("run `{}` is not in the store", second.run))?;
        let candidate = candidate_outcome(&self.store, &run).await?;
        let fields = match &second.whose {
            SecondOf::Control { control_id, .. } => {
                let own = run.control_id.as_deref();
                let own = own.with_context(|| format!("run `{}` has no control", run.id))?;
                let (own, again) = (self.kept(own).await?, self.kept(control_id).await?);
                // What either of the two does not tell is not compared.
                let policy = Arc::new(judged_by(&self.policy, &own.source));
                let policy = Arc::new(judged_by(&policy, &again.source));
                let again = again.outcome;
                let of_candidate = compared(&again, &candidate, &policy).await?;
                let of_control = compared(&own.outcome, &again, &policy).await?;
                noise(&of_candidate, Some(&of_control))
            }
            SecondOf::Candidate { run: other } => {
                let other = self.store.run(other).await?;
                let other = other.context("the second run is not in the store")?;
                let again = candidate_outcome(&self.store, &other).await?;
                noise(&compared(&candidate, &again, &self.policy).await?, None)
            }
        };
        let now = (self.clock)();
        self.store.keep_noise(second, &fields, now).await?;
        info!(run.id = %run.id, recording.id = %run.recording_id, "held a second run against run `{}`", run.id);
        Ok(())
    }

    async fn kept(&self, id: &str) -> anyhow::Result<Control> {
        let control = self.store.control(id).await?;
        control.with_context(|| format!("the control `{id}` is not in the store"))
    }
}

async fn compared(
    first: &Outcome,
    second: &Outcome,
    policy: &Arc<compare::Policy>,
) -> anyhow::Result<Comparison> {
    let (first, second, policy) = (first.clone(), second.clone(), Arc::clone(policy));
    // Aligning the words of a long meeting takes seconds.
    let work = move || compare::compare(&first, &second, &policy);
    let compared = tokio::task::spawn_blocking(work).await;
    compared.context("comparing two runs")
}

fn noise(of_candidate: &Comparison, of_control: Option<&Comparison>) -> Vec<NoiseField> {
    let each = of_candidate.fields.iter().filter_map(|field| {
        let control = match of_control {
            None => None,
            Some(compared) => Some(stored(compared.field(field.field)?)),
        };
        Some(NoiseField {
            candidate: stored(field),
            control,
        })
    });
    each.collect()
}
