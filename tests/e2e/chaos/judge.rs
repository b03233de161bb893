//! What must be true of every recording in the end.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    ears::Heard,
    load::{Meeting, TRACKS},
    place::{Place, RESULTS},
    progress::Progress,
    seen::{Run, Seen},
};

/// What was found.
#[derive(Default)]
pub struct Verdict {
    /// One line a broken promise, with its recording.
    pub wrong: Vec<String>,
    by_candidate: u32,
    by_control: u32,
    /// Served by the control because they were taken from the candidate.
    given_back: u32,
    lost: u32,
    twice: u32,
    /// Deliveries of a webhook after one that was answered, or whose answer was cut off.
    redelivered: u32,
    messages: usize,
    left_over: usize,
}

impl Verdict {
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.wrong.extend(other.wrong);
        Self {
            wrong: self.wrong,
            ..other
        }
    }

    /// The one line at the end.
    pub fn told(&self) -> String {
        let Self {
            by_candidate,
            by_control,
            given_back,
            lost,
            twice,
            redelivered,
            messages,
            left_over,
            ..
        } = self;
        format!(
            "candidate served {by_candidate}, control {by_control} and {given_back} that it was given back; lost {lost}, duplicates {twice}; webhooks delivered again before an answer was noted {redelivered}; messages heard {messages}; objects left over {left_over}; wrong {}",
            self.wrong.len()
        )
    }
}

/// Whether nobody is at anything any more.
pub async fn is_quiet(place: &Place) -> bool {
    let mut link = place.redis.connect().await;
    for (command, key) in [("LLEN", "switchyard"), ("HLEN", "unacked")] {
        let mut asked = redis::cmd(command);
        let count = asked.arg(key).query_async::<u64>(&mut link).await;
        if count.is_ok_and(|count| count > 0) {
            return false;
        }
    }
    let mut ours = place.ours().await;
    let sql = "select (select count(*) from runs where state in ('starting', 'running', 'failed'))
        + (select count(*) from routes where state = 'offered')
        + (select count(*) from routes where owner = 'candidate' and run_id is null)
        + (select count(*) from spooled_results)";
    let open: i64 = sqlx::query_scalar(sql)
        .fetch_one(&mut ours)
        .await
        .expect("our tables can be read");
    open == 0
}

/// Looks at everything.
pub async fn judge(
    place: &Place,
    meetings: &[Meeting],
    progress: &Progress,
    heard: &Heard,
) -> Verdict {
    let seen = Seen::of(place, heard).await;
    let mut verdict = Verdict {
        messages: seen.heard.len(),
        ..Verdict::default()
    };
    let mut expected = HashSet::new();
    for meeting in meetings {
        let mut case = Case {
            meeting,
            seen: &seen,
            progress,
            verdict: &mut verdict,
        };
        expected.extend(case.judge());
    }
    let left_over = seen.objects.difference(&expected);
    verdict.left_over = left_over.count();
    let mut ours = place.ours().await;
    let sql = "select count(*) from effects where state = 'sending'";
    let sending: i64 = sqlx::query_scalar(sql)
        .fetch_one(&mut ours)
        .await
        .expect("the ledger can be read");
    if sending > 0 {
        let wrong = format!("{sending} effects are still being sent");
        verdict.wrong.push(wrong);
    }
    verdict
}

/// One recording before the judge.
struct Case<'a> {
    meeting: &'a Meeting,
    seen: &'a Seen,
    progress: &'a Progress,
    verdict: &'a mut Verdict,
}

impl Case<'_> {
    fn wrong(&mut self, what: impl std::fmt::Display) {
        let line = format!("transcript {}: {what}", self.meeting.transcript);
        self.verdict.wrong.push(line);
    }

    /// Wrong unless it holds.
    fn must(&mut self, holds: bool, what: impl std::fmt::Display) {
        if !holds {
            self.wrong(what);
        }
    }

    /// What of it must be in the store.
    fn judge(&mut self) -> Vec<String> {
        let (meeting, seen) = (self.meeting, self.seen);
        let on_celery = seen.on_celery(meeting);
        let none = Vec::new();
        let runs = seen.runs.get(&meeting.transcript).unwrap_or(&none);
        let track = format!("{TRACKS}/{}", meeting.track);
        match (runs.as_slice(), on_celery) {
            ([run], 0) if run.state == "completed" => {
                self.verdict.by_candidate += 1;
                self.by_candidate(run);
                if meeting.denied {
                    return Vec::new();
                }
                let mix = format!("{RESULTS}/{}/audio.mp3", meeting.transcript);
                for key in [&track, &mix] {
                    self.must(seen.objects.contains(key), format!("{key} is gone"));
                }
                vec![track, mix]
            }
            ([], 1..) => {
                self.verdict.by_control += 1;
                self.by_control(on_celery);
                self.must(seen.objects.contains(&track), "its track is gone");
                vec![track]
            }
            // What Conductor did not get done in time.
            ([run], 1) if run.state == "terminated" => {
                self.verdict.given_back += 1;
                self.given_back(run);
                self.must(seen.objects.contains(&track), "its track is gone");
                vec![track]
            }
            ([], 0) => {
                self.verdict.lost += 1;
                self.wrong("nobody serves it");
                vec![track]
            }
            (runs, _) => {
                let told: Vec<_> = runs
                    .iter()
                    .map(|run| format!("{} {} {:?}", run.id, run.state, run.failure))
                    .collect();
                if runs.iter().any(|run| run.state == "completed") {
                    self.verdict.twice += 1;
                } else {
                    self.verdict.lost += 1;
                }
                self.wrong(format!(
                    "{on_celery} of its {} messages are for Celery, and its runs are {told:?}",
                    meeting.tasks.len()
                ));
                vec![track]
            }
        }
    }

    fn by_candidate(&mut self, run: &Run) {
        let (meeting, seen) = (self.meeting, self.seen);
        let row = &seen.rows[&meeting.transcript];
        self.must(
            row["status"] == "ended",
            format!("its status is {}", row["status"]),
        );
        let text = |column: &str| row[column].as_str().is_some_and(|text| !text.is_empty());
        for column in ["title", "webvtt", "long_summary"] {
            self.must(text(column), format!("{column} is empty"));
        }
        let topics = row["topics"].as_array().map_or(0, Vec::len);
        self.must(topics > 0, "it has no topics");

        self.zulip(row);
        self.webhook(run);
        self.consent(row);

        let mut messages = seen.messages(meeting);
        let count = messages.len();
        messages.sort_unstable();
        messages.dedup();
        if messages.len() < count {
            self.verdict.twice += 1;
            self.wrong("browsers were told something twice");
        }

        let states: Vec<_> = run.effects.keys().map(String::as_str).collect();
        self.must(
            states == ["confirmed"],
            format!("the ledger of {} says {:?}", run.id, run.effects),
        );
        let delivered = "delivered".to_owned();
        let owned = Some((Some(run.id.clone()), 1, delivered));
        self.must(
            run.epoch == Some(1),
            format!("its run's epoch is {:?}", run.epoch),
        );
        self.must(run.owned == owned, format!("its owner is {:?}", run.owned));
    }

    fn zulip(&mut self, row: &Value) {
        let posts = self.seen.posts(self.meeting);
        let wanted = usize::from(self.meeting.posts);
        if posts.len() > wanted {
            self.verdict.twice += 1;
        }
        self.must(
            posts.len() == wanted,
            format!("it is on Zulip as {posts:?}"),
        );
        let noted = row["zulip_message_id"].as_i64();
        self.must(
            noted == posts.first().copied(),
            format!("its row knows of message {noted:?}, Zulip of {posts:?}"),
        );
    }

    fn webhook(&mut self, run: &Run) {
        let mut deliveries = self.progress.deliveries();
        deliveries.retain(|one| one.transcript == self.meeting.transcript);
        if !self.meeting.has_webhook {
            self.must(deliveries.is_empty(), "a webhook that nobody wants");
            return;
        }
        let ids: HashSet<_> = deliveries.iter().map(|one| &one.event_id).collect();
        let ids = ids.len();
        if ids > 1 {
            self.verdict.twice += 1;
        }
        self.must(ids == 1, format!("its webhook has {ids} event ids"));
        let is_taken = |status: Option<u16>| status.is_some_and(|status| status / 100 == 2);
        let taken = deliveries.iter().position(|one| is_taken(one.status));
        self.must(taken.is_some(), "its webhook was never taken");
        let count = deliveries.len();
        let after = taken.map_or(0, |at| count - at - 1);
        self.verdict.redelivered += u32::try_from(after).expect("they are few");
        let attempts = usize::try_from(run.webhook_attempts).unwrap_or_default();
        if count > attempts {
            self.verdict.twice += 1;
            self.wrong(format!("{count} webhooks in {attempts} attempts"));
        }
        if let Some(confirmed) = self.progress.confirmed_after(&self.meeting.transcript)
            && count > confirmed
        {
            self.verdict.twice += 1;
            self.wrong(format!(
                "{count} webhooks, {confirmed} when it was confirmed"
            ));
        }
    }

    fn consent(&mut self, row: &Value) {
        let meeting = self.meeting;
        let is_gone = |key: String| !self.seen.objects.contains(&key);
        let track = is_gone(format!("{TRACKS}/{}", meeting.track));
        let mix = is_gone(format!("{RESULTS}/{}/audio.mp3", meeting.transcript));
        if meeting.denied {
            self.must(track && mix, "consent was denied, and its audio is there");
            self.must(row["audio_deleted"] == true, "its row has audio");
        } else {
            self.must(row["audio_deleted"] != true, "its row has no audio");
        }
    }

    fn by_control(&mut self, on_celery: usize) {
        let (meeting, seen) = (self.meeting, self.seen);
        let published = meeting.tasks.len();
        // What came while it was the candidate's is one task when it is handed back.
        let is_one = seen.handed_back.contains(&meeting.transcript);
        self.must(
            on_celery == published || is_one && (1..published).contains(&on_celery),
            format!("{on_celery} of its {published} messages are for Celery"),
        );
        let row = &seen.rows[&meeting.transcript];
        self.must(row["status"] == "idle", "its row was touched");
        self.nothing_delivered();
        self.must(
            seen.messages(meeting).is_empty(),
            "browsers were told of it",
        );
    }

    /// Nothing is given back whose deliveries may have begun.
    fn given_back(&mut self, run: &Run) {
        self.nothing_delivered();
        let owned = Some((Some(run.id.clone()), 2, "open".to_owned()));
        self.must(run.owned == owned, format!("its owner is {:?}", run.owned));
    }

    fn nothing_delivered(&mut self) {
        let posts = self.seen.posts(self.meeting);
        self.must(posts.is_empty(), "it is on Zulip");
        let deliveries = self.progress.deliveries();
        let called = deliveries
            .iter()
            .any(|one| one.transcript == self.meeting.transcript);
        self.must(!called, "its webhook was called");
    }
}
