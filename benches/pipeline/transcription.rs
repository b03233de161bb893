//! Transcribing a meeting's tracks, one by one and by the workflow.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;
use switchyard::{
    app::{Demo, DemoSettings, put_tracks, run_all},
    audio::yardstick,
    conductor::Client,
    controller::{self, Again, Shadow, Wanted},
    model::{Origin, RunId, Subject},
    objects::Objects,
    providers::Transcription,
    sandbox::{Fault, FaultKind, Sandbox, Service},
    store::{Effects, Store},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Where padded tracks lie.
const BUCKET: &str = "reflector-transcripts";
/// How many transcriptions a worker takes at once, by default.
const AT_ONCE: usize = 4;
/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Both ways of one meeting.
#[derive(Serialize)]
pub struct Transcribed {
    pub tracks: usize,
    /// From the first request to the last answer, each after the one before.
    pub serial_s: f64,
    /// From the first task's beginning to the last one's end.
    pub workflow_s: f64,
    /// What the number of transcriptions at once allows.
    pub at_best: f64,
}

/// Everything a run needs, on this machine.
pub struct World {
    pub client: Client,
    tracks: usize,
    shadow: Shadow,
    store: Store,
    objects: Objects,
    service: Transcription,
    sandbox: Sandbox,
    subject: Subject,
    control_id: String,
    stop: CancellationToken,
    roles: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl World {
    /// The bundled meeting, with more tracks on which nobody speaks.
    pub async fn open(tracks: usize, conductor: Option<&Url>) -> Self {
        let meeting = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/standup");
        let folder = tempfile::tempdir().expect("a folder");
        let settings = DemoSettings {
            folder: folder.path().to_owned(),
            answers: meeting.join("providers"),
            recorded: meeting.join("expected/base"),
            conductor: conductor.cloned(),
            listen: ([127, 0, 0, 1], 0).into(),
        };
        let Demo {
            app,
            doors,
            sandbox,
            mut kept,
        } = Demo::open(&settings).await.expect("a meeting");
        let (client, shadow, objects) = (
            app.client().expect("a client"),
            app.shadow().expect("a shadow"),
            app.objects().expect("objects"),
        );
        let (store, service) = (app.store.clone(), app.transcription().expect("a client"));
        let stop = CancellationToken::new();
        let roles = tokio::spawn(run_all(app, doors, stop.clone()));
        lengthen(&mut kept, tracks, folder.path());
        put_tracks(&objects, &kept).await.expect("tracks are put");
        controller::register(&client)
            .await
            .expect("definitions are taken");
        Self {
            client,
            tracks,
            shadow,
            store,
            objects,
            service,
            sandbox,
            subject: kept.subject,
            control_id: kept.control_id,
            stop,
            roles,
            _folder: folder,
        }
    }

    /// The workflow first, whose padded tracks are then asked about one by one.
    pub async fn measure(self, latency: Duration) -> Transcribed {
        self.sandbox.fault(Fault {
            service: Service::Transcription,
            path: None,
            about: None,
            skip: 0,
            times: None,
            kind: FaultKind::Delay {
                ms: u64::try_from(latency.as_millis()).expect("some seconds"),
            },
        });
        let run = self.run().await;
        let attempts = self.store.attempts(&run).await.expect("a read");
        let own = attempts
            .iter()
            .filter(|attempt| attempt.task_name == "transcribe_track");
        let (mut first, mut last, mut count) = (None, None, 0);
        for attempt in own {
            count += 1;
            first = first.into_iter().chain([attempt.started_at]).min();
            last = last.max(attempt.finished_at);
        }
        assert_eq!(count, self.tracks, "each track is transcribed once");
        let (first, last) = (
            first.expect("there are some"),
            last.expect("they have ended"),
        );
        let workflow_s = (last - first).as_seconds_f64();
        let serial_s = self.one_by_one(&run).await.as_secs_f64();
        let tracks = self.tracks;
        self.end().await;
        Transcribed {
            tracks,
            serial_s,
            workflow_s,
            at_best: tracks as f64 / tracks.div_ceil(AT_ONCE) as f64,
        }
    }

    async fn run(&self) -> RunId {
        let wanted = Wanted {
            environment: self.shadow.environment.clone(),
            flag: switchyard::config::Config::flag(),
            subject: self.subject.clone(),
            control_id: Some(self.control_id.clone()),
            again: Again::Resume,
            effects: Effects::Shadow,
            origin: Origin::Manual,
        };
        let now = (self.shadow.clock)();
        let dispatched = controller::dispatch(&self.store, &self.client, &wanted, now).await;
        let id = dispatched.expect("it is dispatched").run().clone();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            let run = self.store.run(&id).await.expect("a read").expect("the run");
            if run.state.is_final() {
                assert!(run.failure.is_none(), "{:?}", run.failure);
                return id;
            }
        }
    }

    /// As the legacy: the next track is asked about when the one before was answered.
    async fn one_by_one(&self, run: &RunId) -> Duration {
        let mut keys = Vec::new();
        for track in 0..self.tracks {
            let output = self.store.output(run, &format!("pad_track_{track}")).await;
            let output = output.expect("a read").expect("it was padded").output;
            let key = output["padded_key"].as_str().expect("a key").to_owned();
            keys.push(self.kept(&key).await);
        }
        let began = Instant::now();
        for url in keys {
            let asked = self.service.transcribe(&url, "en", "one-by-one").await;
            asked.expect("the stand-in answers");
        }
        began.elapsed()
    }

    /// A URL of a padded track, which the run has cleaned up: any sound will do, under the same name.
    async fn kept(&self, key: &str) -> String {
        if !self.objects.exists(BUCKET, key).await.expect("an answer") {
            let raw = &self.subject.recording;
            let sound = self
                .objects
                .get_to_file(&raw.bucket_name, &self.subject.track_keys[0])
                .await
                .expect("a raw track");
            let put = self.objects.put_file(BUCKET, key, sound.file, None).await;
            put.expect("it is put");
        }
        let expiry = Duration::from_mins(30);
        let url = self.objects.presign_get(BUCKET, key, expiry).await;
        url.expect("a URL").expose().to_owned()
    }

    async fn end(self) {
        self.sandbox.clear_faults();
        self.stop.cancel();
        self.roles.await.expect("it ends").expect("it ends well");
        self.sandbox.stop().await;
    }
}

/// More tracks, each with a sound of its own: equal ones are transcribed once.
fn lengthen(kept: &mut switchyard::app::Kept, tracks: usize, folder: &Path) {
    const SECONDS: u64 = 60;
    let first = &kept.subject.track_keys[0];
    let first = kept.sources.iter().find(|source| source.key == *first);
    let first = &first.expect("the meeting has its tracks").path;
    let sound = std::fs::read(first).expect("a track");
    for index in kept.subject.track_keys.len()..tracks {
        let path = folder.join(format!("track-{index}.webm"));
        let file = std::fs::File::create(&path).expect("a file can be made");
        let start_ms = 1000 + 20 * index as u64;
        yardstick::lengthen(&sound, SECONDS, start_ms, &[], file).expect("it is read");
        let key = format!(
            "example/standup/1760954400000-5f1c2d3e-0a1b-4c2d-8e3f-{index:012}-cam-audio-1760954400438"
        );
        kept.sources.push(switchyard::legacy::recorded::Source {
            key: key.clone(),
            path,
        });
        kept.subject.track_keys.push(key);
    }
}
