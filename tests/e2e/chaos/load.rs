//! Recordings as Reflector has them when they arrive, and the messages it publishes of them.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use switchyard::{
    legacy::celery::{NewTask, Queue},
    model::TranscriptId,
    objects::Objects,
};

use super::{dice::Dice, place::Place, place::RESULTS};
use crate::world::fixtures;

/// The bucket of raw tracks.
pub const TRACKS: &str = "daily-recordings";

/// What rooms want: posts on Zulip, and a webhook.
pub const ROOMS: [(&str, bool, bool); 4] = [
    ("standup", true, true),
    ("quiet", false, true),
    ("inside", true, false),
    ("silent", false, false),
];

/// The stream all rooms post to.
pub const STREAM: &str = "meetings";

/// One recording.
pub struct Meeting {
    pub transcript: String,
    pub recording: String,
    meeting: String,
    pub room: &'static str,
    pub posts: bool,
    pub has_webhook: bool,
    /// Whether somebody denied consent.
    pub denied: bool,
    pub track: String,
    /// The ids of the tasks that are published, in order; one that comes twice is one task.
    pub tasks: Vec<String>,
}

impl Meeting {
    fn new(number: u64, dice: &mut Dice) -> Self {
        let recording = dice.id();
        let (room, posts, has_webhook) = ROOMS[match dice.below(10) {
            0..7 => 0,
            7 => 1,
            8 => 2,
            _ => 3,
        }];
        let first = dice.id();
        let mut tasks = vec![first.clone()];
        match dice.below(10) {
            // A webhook of Daily's that comes twice, or its poller.
            0 | 1 => tasks.push(dice.id()),
            // Celery delivers it again.
            2 | 3 => tasks.push(first),
            4 => tasks.extend([first, dice.id()]),
            _ => {}
        }
        Self {
            transcript: dice.id(),
            meeting: dice.id(),
            room,
            posts,
            has_webhook,
            denied: dice.chance(15),
            track: format!(
                "example/{number}/1760954400000-5f1c2d3e-0a1b-4c2d-8e3f-000000000a01-cam-audio-1760954400438"
            ),
            recording,
            tasks,
        }
    }

    /// All of a run.
    pub fn all(count: u64, dice: &mut Dice) -> Vec<Self> {
        (0..count).map(|number| Self::new(number, dice)).collect()
    }

    /// The message of one of its tasks, as Reflector's webhook handler publishes it.
    pub fn message(&self, task: &str) -> String {
        let queue = Queue::new("switchyard").expect("a name");
        let transcript = TranscriptId::new(self.transcript.as_str());
        let keys = [self.track.clone()];
        let mut new = NewTask::pipeline(&transcript, TRACKS, &keys, "gen1@reflector");
        task.clone_into(&mut new.id);
        new.parent_id = Some(format!("parent-{task}"));
        let envelope = new.for_queue(&queue).expect("a message");
        envelope.raw().to_owned()
    }

    fn rows(&self) -> [(&'static str, Value); 5] {
        let at = "2026-11-23T10:00:00+00:00";
        let consent = |number: u32, given: bool| {
            json!({
                "id": format!("{}-{number}", self.meeting), "meeting_id": self.meeting,
                "consent_given": given, "consent_timestamp": at,
            })
        };
        [
            (
                "meeting",
                json!({
                    "id": self.meeting, "room_name": self.room, "room_id": self.room,
                    "room_url": "https://example.daily.co/x", "host_room_url": "https://example.daily.co/x",
                    "start_date": at, "end_date": at, "is_locked": false, "room_mode": "normal",
                    "recording_type": "cloud", "recording_trigger": "automatic-2nd-participant",
                    "num_clients": 0, "is_active": false, "platform": "daily",
                }),
            ),
            ("meeting_consent", consent(0, true)),
            ("meeting_consent", consent(1, !self.denied)),
            (
                "recording",
                json!({
                    "id": self.recording, "bucket_name": TRACKS, "object_key": "example",
                    "recorded_at": at, "status": "pending", "meeting_id": self.meeting,
                    "track_keys": [self.track],
                }),
            ),
            (
                "transcript",
                json!({
                    "id": self.transcript, "name": "", "status": "idle", "locked": false, "duration": 0,
                    "created_at": at, "topics": [], "events": [], "participants": [],
                    "source_language": "en", "target_language": "en", "user_id": "user-ana",
                    "audio_location": "local", "share_mode": "private", "reviewed": false,
                    "meeting_id": self.meeting, "source_kind": "room",
                    "recording_id": self.recording, "room_id": self.room,
                }),
            ),
        ]
    }
}

fn room((name, posts, has_webhook): (&str, bool, bool)) -> Value {
    json!({
        "id": name, "name": name, "user_id": "user-ana", "created_at": "2025-10-01T08:00:00+00:00",
        "zulip_auto_post": posts, "zulip_stream": STREAM, "zulip_topic": format!("{name} notes"),
        "is_locked": false, "room_mode": "normal", "recording_type": "cloud",
        "recording_trigger": "automatic-2nd-participant", "is_shared": false,
        "webhook_url": has_webhook.then(|| format!("https://hooks.example.test/{name}")),
        "webhook_secret": "fake-webhook-secret", "ics_fetch_interval": 300, "ics_enabled": false,
        "platform": "daily",
    })
}

async fn insert(theirs: &mut PgConnection, table: &str, row: &Value) {
    let columns: Vec<_> = row.as_object().expect("a row").keys().cloned().collect();
    let columns = columns.join(", ");
    let sql = format!(
        "insert into {table} ({columns})
         select {columns} from json_populate_record(null::{table}, $1::text::json)"
    );
    let inserted = sqlx::query(AssertSqlSafe(sql))
        .bind(row.to_string())
        .execute(theirs)
        .await;
    inserted.expect("a row goes in");
}

async fn put(objects: &Objects, meeting: &Meeting, content: &[u8]) {
    let put = objects.put_bytes(TRACKS, &meeting.track, content.to_vec(), Some("video/webm"));
    put.await.expect("it is put");
}

/// Everything there is when the recordings have arrived and nobody was told of them.
pub async fn arrive(place: &Place, meetings: &[Meeting]) {
    let mut theirs = place.theirs().await;
    for wanted in ROOMS {
        insert(&mut theirs, "room", &room(wanted)).await;
    }
    for meeting in meetings {
        for (table, row) in meeting.rows() {
            insert(&mut theirs, table, &row).await;
        }
    }
    let objects = place.objects();
    for bucket in [TRACKS, RESULTS] {
        let made = objects.create_bucket_if_missing(bucket).await;
        made.expect("a bucket");
    }
    let track = fixtures().join("audio/mono_off0.webm");
    let track = std::fs::read(track).expect("the fixture is there");
    // About a second; the rest was never uploaded.
    let begin = &track[..6000];
    for meeting in meetings {
        put(&objects, meeting, begin).await;
    }
}

/// Publishes all messages, in an order of the dice's, as long as not too many recordings are under
/// way.
pub async fn publish(
    place: &Place,
    meetings: &[Meeting],
    mut dice: Dice,
    mut under_way: impl AsyncFnMut(usize) -> usize,
) {
    let mut redis = place.redis.connect().await;
    let mut later: Vec<(usize, usize)> = Vec::new();
    for (number, meeting) in meetings.iter().enumerate() {
        // The second message of a recording may come at once or long after.
        while !later.is_empty() && dice.chance(40) {
            let at = dice.below(later.len() as u64);
            let (of, task) = later.swap_remove(usize::try_from(at).expect("it is small"));
            push(place, &mut redis, &meetings[of], task).await;
        }
        push(place, &mut redis, meeting, 0).await;
        for task in 1..meeting.tasks.len() {
            if dice.chance(30) {
                push(place, &mut redis, meeting, task).await;
            } else {
                later.push((number, task));
            }
        }
        // The load is a subject of this test, and so is when it comes.
        tokio::time::sleep(dice.time(20, 900)).await;
        while under_way(number + 1).await >= AT_ONCE {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    for (of, task) in later {
        push(place, &mut redis, &meetings[of], task).await;
    }
}

/// How many recordings are under way at once, at most.
const AT_ONCE: usize = 30;

async fn push(
    place: &Place,
    redis: &mut redis::aio::MultiplexedConnection,
    meeting: &Meeting,
    task: usize,
) {
    let message = meeting.message(&meeting.tasks[task]);
    let _up = place.redis_is_up.read().await;
    loop {
        let mut push = redis::cmd("LPUSH");
        let pushed = push.arg("switchyard").arg(&message);
        match pushed.query_async::<u64>(redis).await {
            Ok(_) => return,
            // The connection is of before Redis was killed; it was not asked anything since.
            Err(_) => *redis = place.redis.connect().await,
        }
    }
}
