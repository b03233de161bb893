//! Several whole controllers on one PostgreSQL: what there is to do is done by one of them, and by another
//! once that one is dead.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::Row;
use switchyard::store::Store;

use crate::{
    database::{Database, Kind},
    program::{Process, Site, case, until, way_to},
};

/// How many runs there are to follow and compare.
const RUNS: usize = 6;

struct Controllers {
    database: Database,
    site: Site,
    // They run as long as this lives.
    _others: Vec<Process>,
}

impl Controllers {
    async fn start() -> Option<Self> {
        let database = Database::fresh(Kind::Postgres).await?;
        let site = Site::new();
        let file = format!("sqlite:{}", site.path("switchyard.db").display());
        site.change(&file, &database.url);
        // Each has a door of its own.
        let listens = format!("server.listen = \"127.0.0.1:{}\"", site.server_port);
        site.change(&listens, "server.listen = \"127.0.0.1:0\"");
        let told = format!(
            "notices = {{ url = \"http://127.0.0.1:{}/webhook/notices\", secret = {{ env = \"SITE_LLM_KEY\" }} }}\n\
             health = {{ every_s = 1, timeout_s = 2, canary_s = 4 }}\n\
             reflector.ui_base_url",
            site.sandbox_port
        );
        site.change("reflector.ui_base_url", &told);
        let others = vec![
            site.sandbox().await,
            site.engine().await,
            site.objects().await,
        ];
        site.run(&["register"]).await.well();
        Some(Self {
            database,
            site,
            _others: others,
        })
    }

    async fn store(&self) -> Store {
        Store::open(&self.database.url).await.expect("a database")
    }

    /// When Conductor was looked at last.
    async fn looked_at(&self) -> Option<i64> {
        let mut connection = self.database.connect().await;
        let sql = "select checked_at from breakers";
        let looked = sqlx::query_scalar(sql).fetch_optional(&mut connection);
        looked.await.expect("a read")
    }

    /// Rows of a query that counts something by name.
    async fn counts(&self, sql: &'static str) -> Vec<(String, i64)> {
        let mut connection = self.database.connect().await;
        let rows = sqlx::query(sql).fetch_all(&mut connection).await;
        let rows = rows.expect("a read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// What was told at the address for notices, by id.
    async fn told(&self) -> Vec<String> {
        let told = self
            .site
            .ask_sandbox("GET", "requests?service=webhook", json!(null))
            .await;
        let told = told.as_array().expect("a list").clone();
        let id = |request: &Value| {
            let body = request["body"].as_str().expect("a text");
            let body: Value = serde_json::from_str(body).expect("JSON");
            body["id"].as_str().expect("an id").to_owned()
        };
        told.iter().map(id).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_controllers_do_nothing_twice_and_one_goes_on_where_the_other_died() {
    let Some(all) = Controllers::start().await else {
        return;
    };
    let worker = all.site.worker().await;
    let (one, other) = (all.site.serve().await, all.site.serve().await);
    let store = all.store().await;
    until("Conductor is looked at", async || all.looked_at().await).await;
    let folder = case();
    let folder = folder.to_str().expect("a path");
    for _ in 0..RUNS {
        all.site
            .run(&["dispatch", "--recorded", folder, "--anew"])
            .await
            .well();
    }
    for words in way_to("shadow", "10") {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        all.site.run(&words).await.well();
    }
    let compared = async || {
        let sql = "select run_id, count(*) from comparisons group by run_id";
        all.counts(sql).await
    };
    until("every run is compared", async || {
        (compared().await.len() == RUNS).then_some(())
    })
    .await;
    let undelivered = async || {
        let sql = "select id, attempts from notices where delivered_at is null
            union all select notice_id, attempts from notice_deliveries
                where state in ('waiting', 'sending')";
        all.counts(sql).await
    };
    until("everybody is told", async || {
        undelivered().await.is_empty().then_some(())
    })
    .await;

    // Whichever it is that looks: it is looked on, and runs are followed and compared.
    drop(one.kill().await);
    let looked = all.looked_at().await;
    until("Conductor is looked at again", async || {
        (all.looked_at().await > looked).then_some(())
    })
    .await;
    all.site
        .run(&["dispatch", "--recorded", folder, "--anew"])
        .await
        .well();
    until("the last run is compared", async || {
        (compared().await.len() == RUNS + 1).then_some(())
    })
    .await;
    drop((other.kill().await, worker.kill().await));

    for (run, times) in compared().await {
        assert_eq!(times, 1, "run `{run}` was compared {times} times");
    }
    let told = all.told().await;
    let different: BTreeSet<_> = told.iter().collect();
    assert_eq!(
        told.len(),
        different.len(),
        "somebody was told twice: {told:?}"
    );
    assert!(told.len() >= 2, "moves are told: {told:?}");
    let sql =
        "select run_id || ' ' || task_ref, count(*) from attempts group by 1 having count(*) > 1";
    assert_eq!(all.counts(sql).await, [], "a task was tried twice");
    let checked = all.site.run(&["audit", "--verify", "--json"]).await.json();
    assert_eq!(checked["whole"], true, "{checked}");
    store.close().await;
    all.database.remove().await;
}
