//! A transcript that the legacy pipeline has finished becomes a control and the subject of a run.

use std::path::Path;

use switchyard::{
    app::App,
    config::Config,
    controller::FROM_ROWS,
    model::TranscriptId,
    objects::{self, Addressing, Objects, Settings},
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use url::Url;

use super::world::{UI, World, recorded, transcript};
use crate::standup;

struct Site {
    app: App,
    objects: Objects,
    _folder: TempDir,
    _serving: AbortOnDropHandle<()>,
}

impl Site {
    /// A site whose settings name this database as Reflector's own.
    async fn beside(world: &World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = standup::loopback().await;
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let root = folder.path().join("objects");
        let serving = tokio::spawn(async move {
            objects::local::serve(&root, listener, "key", "key", CancellationToken::new())
                .await
                .expect("objects are served");
        });
        std::fs::write(folder.path().join("key"), "key").expect("it is written");
        std::fs::write(folder.path().join("url"), &world.database.url).expect("it is written");
        let text = settings(folder.path(), &endpoint);
        let config = Config::parse(&text).expect("it is valid");
        let url: Url = endpoint.parse().expect("it is a URL");
        let store = Settings::new(Some(url), "us-east-1", "key", "key", Addressing::Path);
        let objects = Objects::new(store).expect("settings of a store");
        objects
            .create_bucket_if_missing("reflector-transcripts")
            .await
            .expect("a bucket");
        Self {
            app: App::open(config, None).await.expect("it opens"),
            objects,
            _folder: folder,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    async fn refusal(&self, id: &TranscriptId) -> String {
        let kept = self.app.keep_finished(id).await;
        kept.err().expect("it is refused").to_string()
    }
}

fn settings(folder: &Path, endpoint: &str) -> String {
    let folder = folder.display();
    let key = format!("{{ file = \"{folder}/key\" }}");
    format!(
        r#"
        database.url = "sqlite:{folder}/switchyard.db"
        [environments.test]
        conductor.url = "http://127.0.0.1:1/api"
        daily.api_key = {key}
        transcription.url = "http://127.0.0.1:1"
        llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
        reflector.ui_base_url = "{UI}"
        legacy.database_url = {{ file = "{folder}/url" }}
        [environments.test.objects]
        endpoint = "{endpoint}"
        access_key = {key}
        secret_key = {key}
        bucket = "reflector-transcripts"
        "#
    )
}

#[tokio::test]
async fn a_finished_transcript_becomes_control_and_subject() {
    let Some(world) = World::after("base").await else {
        return;
    };
    let site = Site::beside(&world).await;
    let id = transcript("base");
    let mix = std::fs::read(standup::folder().join("expected/base/audio.mp3")).expect("the mix");
    let key = format!("{id}/audio.mp3");
    let put = site
        .objects
        .put_bytes("reflector-transcripts", &key, mix, None);
    put.await.expect("it is put");

    let kept = site.app.keep_finished(&id).await.expect("it is kept");
    let control = site.app.store.control(&kept.control_id).await;
    let control = control.expect("a read").expect("it is there");
    assert_eq!(control.source, FROM_ROWS);

    let expected = recorded("base");
    // As it was before that very run, whatever the run left in the row.
    assert_eq!(kept.subject, expected.subject);
    let (found, expected) = (control.outcome, expected.outcome);
    assert_eq!(found.words, expected.words);
    assert_eq!(found.topics, expected.topics);
    assert_eq!(found.title, expected.title);
    assert_eq!(found.long_summary, expected.long_summary);
    assert_eq!(found.events, expected.events);
    let audio = found.audio.expect("the mix was read");
    assert_eq!(audio.samples, 13_563_960);
    world.remove().await;
}

#[tokio::test]
async fn a_transcript_that_cannot_be_a_control_is_refused_with_the_reason() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let site = Site::beside(&world).await;
    let nowhere = TranscriptId::new("00000000-0000-4000-8000-000000000000");
    assert!(site.refusal(&nowhere).await.contains("has finished"));

    let id = transcript("base");
    world
        .change("update transcript set status = 'processing'")
        .await;
    assert!(site.refusal(&id).await.contains("has finished"));
    world
        .change(
            "update transcript set status = 'ended',
             topics = (replace(topics::text, '\"speaker\":0', '\"speaker\":1'))::json",
        )
        .await;
    assert!(site.refusal(&id).await.contains("have edited"));
    world.remove().await;
}

#[tokio::test]
async fn a_mix_that_is_gone_is_no_reason_to_refuse() {
    let Some(world) = World::after("consent_denied").await else {
        return;
    };
    let site = Site::beside(&world).await;
    let kept = site.app.keep_finished(&transcript("consent_denied")).await;
    let kept = kept.expect("it is kept");
    let control = site.app.store.control(&kept.control_id).await;
    let control = control.expect("a read").expect("it is there");
    assert!(control.outcome.audio_deleted);
    assert_eq!(control.outcome.audio, None);
    world.remove().await;
}
