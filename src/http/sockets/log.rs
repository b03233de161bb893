//! How far one listener is in what runs told.
//!
//! Whoever writes an event says when, and commits a little later; clocks of several machines differ. So
//! whatever is no older than some seconds is read again, and what was told is left out. Somebody who
//! comes back after an event may hear those around it twice, under the same id, and misses none.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{super::Error, Wanted};
use crate::{
    model::RunId,
    store::{Mark, Store, ToldEvent},
};

/// How late an event may come, in milliseconds.
const LATE_MS: i64 = 10_000;

/// How many events are read at once.
const AT_ONCE: usize = 64;

/// How far a listener is.
#[derive(Debug)]
pub(super) struct Log {
    /// Nothing before is told.
    floor: i64,
    /// The time of the newest event that was told.
    newest: i64,
    /// What was told of the last seconds.
    told: BTreeSet<Mark>,
}

impl Log {
    /// From the beginning.
    pub(super) fn whole() -> Self {
        Self::at(0, 0)
    }

    /// From a time on.
    pub(super) fn since(now: DateTime<Utc>) -> Self {
        let now = now.timestamp_millis();
        Self::at(now, now)
    }

    /// From an event on that was told.
    pub(super) fn after(mark: Mark) -> Self {
        let mut log = Self::at(0, mark.at);
        log.told.insert(mark);
        log
    }

    const fn at(floor: i64, newest: i64) -> Self {
        Self {
            floor,
            newest,
            told: BTreeSet::new(),
        }
    }

    /// Some of what was not told, and whether that is all of it.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        wanted: &Wanted,
    ) -> anyhow::Result<(Vec<ToldEvent>, bool)> {
        let since = self.floor.max(self.newest.saturating_sub(LATE_MS));
        let at_most = AT_ONCE + self.told.len();
        let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
        let read = match wanted {
            Wanted::Run(id, _) => store.told_by_run(id, since, limit).await?,
            Wanted::Serving => store.told_by_serving(since, limit).await?,
        };
        let is_all = read.len() < at_most;
        let news: Vec<_> = read
            .into_iter()
            .filter(|event| self.told.insert(event.mark.clone()))
            .collect();
        if let Some(last) = news.last() {
            self.newest = self.newest.max(last.mark.at);
            let oldest = self.newest.saturating_sub(LATE_MS);
            self.told.retain(|mark| mark.at >= oldest);
        }
        Ok((news, is_all))
    }
}

/// The id of an event: what to come back with.
pub(in crate::http) fn mark_of(mark: &Mark) -> String {
    let Mark {
        at,
        run,
        task_ref,
        position,
    } = mark;
    format!("{at}~{run}~{task_ref}~{position}")
}

/// Reads it back.
pub(in crate::http) fn from_id(id: &str) -> Result<Mark, Error> {
    let mut parts = id.split('~');
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let read = (|| {
        let mark = Mark {
            at: part()?.parse().ok().filter(|at| *at >= 0)?,
            run: RunId::new(part()?),
            task_ref: part()?.to_owned(),
            position: part()?.parse().ok()?,
        };
        part().is_none().then_some(mark)
    })();
    read.ok_or_else(|| {
        Error::BadRequest(
            "`last_event_id` must be the `id` of an event as it was told; leave it out to begin anew"
                .to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back() {
        let mark = Mark {
            at: 1_760_954_400_000,
            run: RunId::new("run_1"),
            task_ref: "detect_topics".to_owned(),
            position: 3,
        };
        let id = mark_of(&mark);
        assert_eq!(id, "1760954400000~run_1~detect_topics~3");
        assert_eq!(from_id(&id).expect("it is read"), mark);
        for other in [
            "",
            "~~~",
            "1~run~task",
            "x~run~task~1",
            "-1~run~task~1",
            "1~run~task~1~2",
        ] {
            assert!(from_id(other).is_err(), "{other}");
        }
    }
}
