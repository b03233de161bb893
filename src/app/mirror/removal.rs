//! Removes a mirror: row, objects, folder, Celery's results; and looks that nothing is left.

use anyhow::Context;
use chrono::TimeDelta;

use super::{Mirrors, Withdrawal};
use crate::{
    model::TranscriptId,
    store::{Mirror, MirrorState},
};

/// For how long Celery keeps results. One that is not there by then never comes.
const RESULTS_LAST: TimeDelta = TimeDelta::days(1);

impl Mirrors<'_> {
    /// Removes everything, and says so only when all of it is seen to be gone.
    pub(super) async fn remove(&self, mirror: &mut Mirror) -> anyhow::Result<()> {
        self.tell(98, "removing the mirror");
        let (task, transcript) = (&mirror.task_id, &mirror.transcript);
        let withdrawn = self.broker.withdraw(&self.queue, task).await?;
        // First: it refuses where the row is somebody's, and ends a run that is still at it.
        self.rows.remove_mirror(transcript).await?;
        let chain = self.chain(mirror, withdrawn == Withdrawal::Taken).await?;
        self.remove_files(transcript).await?;

        let since = mirror.dispatched_at.unwrap_or(mirror.changed_at);
        let may_come = self.now() - since < RESULTS_LAST;
        if let Some(open) = chain
            .open
            .filter(|_| withdrawn == Withdrawal::Taken && may_come)
        {
            anyhow::bail!(
                "its row and its objects are removed, but a legacy worker still holds Celery task `{open}` and may leave something yet; run `switchyard mirror --cleanup` when it has ended"
            );
        }
        // The last first: each names the one after it.
        for task in chain.ended.iter().rev() {
            self.results.forget(task).await?;
        }
        self.see_nothing(mirror, &chain.ended).await?;
        self.broker.forget_published(task).await?;
        self.save(mirror, MirrorState::Removed).await
    }

    async fn remove_files(&self, transcript: &TranscriptId) -> anyhow::Result<()> {
        let bucket = &self.app.environment.objects.bucket;
        for prefix in prefixes(transcript) {
            for object in self.objects.list(bucket, &prefix).await? {
                self.objects.delete(bucket, &object.key).await?;
            }
        }
        if let Some(data_dir) = &self.data_dir {
            let removed = data_dir.remove_mirror(transcript).await;
            removed.context("removing a mirror's files")?;
        }
        Ok(())
    }

    async fn see_nothing(&self, mirror: &Mirror, results: &[String]) -> anyhow::Result<()> {
        let transcript = &mirror.transcript;
        anyhow::ensure!(
            self.rows.mirror_is_gone(transcript).await?,
            "its row came back after it was removed"
        );
        let bucket = &self.app.environment.objects.bucket;
        for prefix in prefixes(transcript) {
            let left = self.objects.list(bucket, &prefix).await?.len();
            anyhow::ensure!(left == 0, "{left} objects are left below `{prefix}`");
        }
        for task in results {
            anyhow::ensure!(
                self.results.result(task).await?.is_none(),
                "the result of Celery task `{task}` is still there"
            );
        }
        Ok(())
    }
}

/// Where the legacy puts what it makes of a transcript.
fn prefixes(transcript: &TranscriptId) -> [String; 2] {
    [
        format!("{transcript}/"),
        format!("file_pipeline/{transcript}/"),
    ]
}
