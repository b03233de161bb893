//! Everything that anybody could see in the end, and what our own tables say of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use sqlx::{Executor, PgConnection, Row, postgres::PgRow};
use switchyard::{model::Published, sandbox::Service};

use super::{
    ears::Heard,
    load::{Meeting, TRACKS},
    place::{Place, RESULTS},
    progress::on_celery,
};

/// Everything that anybody could see, by transcript.
pub struct Seen {
    /// Rows of transcripts.
    pub rows: HashMap<String, Value>,
    pub runs: HashMap<String, Vec<Run>>,
    /// Transcripts that were handed back to Celery before a run of theirs had begun.
    pub handed_back: HashSet<String>,
    /// Transcript and task of each message for Celery's workers.
    celery: Vec<(String, String)>,
    /// Messages on Zulip: id and text.
    posts: Vec<(i64, String)>,
    /// `bucket/key`.
    pub objects: HashSet<String>,
    /// What browsers were told.
    pub heard: Vec<Published>,
}

pub struct Run {
    pub id: String,
    pub state: String,
    pub epoch: Option<i64>,
    pub failure: Option<String>,
    /// Effects by state.
    pub effects: BTreeMap<String, i64>,
    /// Attempts at the webhook, as the ledger counts them.
    pub webhook_attempts: i64,
    /// Owner's run, epoch and stage.
    pub owned: Option<(Option<String>, i64, String)>,
}

async fn all(connection: &mut PgConnection, sql: &'static str) -> Vec<PgRow> {
    connection.fetch_all(sql).await.expect("it can be read")
}

impl Seen {
    pub async fn of(place: &Place, heard: &Heard) -> Self {
        let mut theirs = place.theirs().await;
        let sql = "select row_to_json(t)::text from transcript t";
        let rows = all(&mut theirs, sql).await;
        let rows = rows.iter().map(|row| {
            let row: Value = serde_json::from_str(row.get(0)).expect("it is JSON");
            (row["id"].as_str().expect("an id").to_owned(), row)
        });
        Self {
            rows: rows.collect(),
            runs: runs(place).await,
            handed_back: handed_back(place).await,
            celery: on_celery(place).await.expect("Redis is there"),
            posts: posts(place).await,
            objects: objects(place).await,
            heard: heard.all(),
        }
    }

    pub fn on_celery(&self, meeting: &Meeting) -> usize {
        let of_it = |(transcript, _): &&(String, String)| *transcript == meeting.transcript;
        self.celery.iter().filter(of_it).count()
    }

    pub fn posts(&self, meeting: &Meeting) -> Vec<i64> {
        let link = format!("/transcripts/{}", meeting.transcript);
        let of_it = self.posts.iter().filter(|(_, text)| text.contains(&link));
        of_it.map(|(id, _)| *id).collect()
    }

    pub fn messages<'a>(&'a self, meeting: &Meeting) -> Vec<(&'a str, &'a str)> {
        let of_it = self.heard.iter().filter(|message| {
            message.channel.ends_with(&meeting.transcript)
                || message.payload.contains(&meeting.transcript)
        });
        of_it
            .map(|message| (message.channel.as_str(), message.payload.as_str()))
            .collect()
    }
}

async fn runs(place: &Place) -> HashMap<String, Vec<Run>> {
    let mut ours = place.ours().await;
    let mut effects: HashMap<String, (BTreeMap<String, i64>, i64)> = HashMap::new();
    let sql = "select run_id, kind, state, attempts from effects";
    for row in all(&mut ours, sql).await {
        let known = effects.entry(row.get(0)).or_default();
        *known.0.entry(row.get(2)).or_default() += 1;
        if row.get::<String, _>(1) == "webhook" {
            known.1 += row.get::<i64, _>(3);
        }
    }
    let sql =
        "select r.transcript_id, r.id, r.state, r.epoch, r.failure, o.run_id, o.epoch, o.stage
        from runs r left join ownership o on o.recording_id = r.recording_id";
    let mut found: HashMap<String, Vec<Run>> = HashMap::new();
    for row in all(&mut ours, sql).await {
        let id: String = row.get(1);
        let (effects, webhook_attempts) = effects.remove(&id).unwrap_or_default();
        let stage: Option<String> = row.get(7);
        let run = Run {
            state: row.get(2),
            epoch: row.get(3),
            failure: row.get(4),
            owned: stage.map(|stage| (row.get(5), row.get(6), stage)),
            effects,
            webhook_attempts,
            id,
        };
        found.entry(row.get(0)).or_default().push(run);
    }
    found
}

async fn handed_back(place: &Place) -> HashSet<String> {
    let mut ours = place.ours().await;
    let sql = "select transcript_id from routes
        where owner = 'control' and reason like 'the breaker is %'";
    let rows = all(&mut ours, sql).await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// What Zulip holds, asked as anybody would.
async fn posts(place: &Place) -> Vec<(i64, String)> {
    let zulip = place.sandbox.url(Service::Zulip);
    let url = format!(
        "{zulip}/api/v1/messages?narrow=[]&anchor=oldest&num_before=0&num_after=5000&apply_markdown=false"
    );
    let asked = reqwest::Client::new()
        .get(url)
        .basic_auth("reflector-bot@zulip.example.test", Some("key"));
    let answer = asked.send().await.expect("an answer");
    let page: Value = answer.json().await.expect("it is JSON");
    assert_eq!(page["found_newest"], true, "more than one page");
    let messages = page["messages"].as_array().expect("a list");
    let read = |message: &Value| {
        let text = message["content"].as_str().expect("a text");
        (message["id"].as_i64().expect("an id"), text.to_owned())
    };
    messages.iter().map(read).collect()
}

async fn objects(place: &Place) -> HashSet<String> {
    let client = place.objects();
    let mut found = HashSet::new();
    for bucket in [TRACKS, RESULTS] {
        let listed = client.list(bucket, "").await.expect("a list");
        found.extend(
            listed
                .into_iter()
                .map(|one| format!("{bucket}/{}", one.key)),
        );
    }
    found
}
