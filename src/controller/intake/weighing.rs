//! Who would serve a recording, for whoever asks before anything arrives.

use tracing::warn;

use super::Intake;
use crate::controller::routing::{Asked, Weighed, weigh};

impl Intake {
    /// Who would serve a recording that arrived now, or serves one that was routed, within the time an
    /// answer may take. Pins nothing. In doubt it is the control, and the reason says why.
    pub async fn weigh(&self, asked: &Asked) -> Result<Weighed, &'static str> {
        let about = (&self.environment, &self.flag);
        let weighing = weigh(&self.store, about, asked, (self.clock)());
        match tokio::time::timeout(self.budget.answer, weighing).await {
            Ok(Ok(weighed)) => Ok(weighed),
            Ok(Err(error)) => {
                warn!("cannot say who would serve a recording: {error:#}");
                Err("in doubt: the rules could not be read, so that the control serves")
            }
            Err(_) => {
                warn!("cannot say in time who would serve a recording");
                Err("in doubt: the rules could not be read in time, so that the control serves")
            }
        }
    }
}
