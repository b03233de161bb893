//! A real Conductor that keeps its queues in a Redis loses an entry of one: a task that nobody would ever
//! be given.

use switchyard::model::{RunState, TaskName};

use crate::{
    outage::Conductor,
    program::{Site, case, until},
    redis::{Redis, Server},
};

/// A run's first task is lost, and the run ends well all the same, by whatever `repairs` it.
async fn ends_well(more: &str, repairs: &str) {
    let Some(server) = Server::start() else {
        return;
    };
    let properties = format!(
        "conductor.db.type=redis_standalone\n\
         conductor.redis.hosts=127.0.0.1:{}:us-east-1c\n\
         conductor.redis.queueNamespacePrefix=queues\n{more}",
        server.port()
    );
    let Some(conductor) = Conductor::start_with(&properties).await else {
        return;
    };
    let site = Site::new();
    let engine = format!("http://127.0.0.1:{}/api", site.engine_port);
    let real = format!("http://127.0.0.1:{}/api", conductor.port);
    site.change(&engine, &real);
    let _services = (site.sandbox().await, site.objects().await);
    site.run(&["register"]).await.well();
    let folder = case();
    let folder = folder.to_str().expect("a path");
    site.run(&["dispatch", "--recorded", folder]).await.well();

    let redis = Redis::open(server.url(), String::new()).await;
    let first = format!(".{}", TaskName::GetRecording.as_str());
    let lost = until("the first task waits", async || {
        let keys = redis.keys().await;
        let of_task = |key: &String| key.starts_with("queues.") && key.contains(&first);
        let entries: Vec<_> = keys.into_iter().filter(of_task).collect();
        (entries.len() >= 2).then_some(entries)
    })
    .await;
    for key in lost {
        let _: u64 = redis.ask("DEL", &key, &[]).await;
    }

    let (serve, _worker) = (site.serve().await, site.worker().await);
    serve.logs("having it put into its queue again").await;
    let store = site.store().await;
    let run = until("the run ends", async || {
        let runs = store.recent_runs(1).await.expect("a read");
        runs.into_iter().find(|run| run.state.is_final())
    })
    .await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    println!("a lost task was put back by {repairs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_conductor_lost_from_its_queue_is_put_back_and_the_run_ends_well() {
    // It would repair itself as it sweeps.
    ends_well(
        "conductor.workflow-reconciler.enabled=false",
        "verifyAndRepair",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_conductor_repairs_nothing_its_tasks_are_queued_anew() {
    ends_well("conductor.workflow-repair-service.enabled=false", "requeue").await;
}
