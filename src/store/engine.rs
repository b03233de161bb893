//! State of the embedded engine. Documents are JSON that only the engine reads; what queries need
//! stands in columns of its own.

use sqlx::{Any, Executor, Row, any::AnyRow};

/// Anything that runs a query: the pool for a lone read, a transaction for all else.
pub trait Db<'c>: Executor<'c, Database = Any> {}
impl<'c, T: Executor<'c, Database = Any>> Db<'c> for T {}

/// A row of `engine_runs`.
#[derive(Clone, Debug)]
pub struct RunRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// The workflow.
    pub name: &'a str,
    /// The workflow's version.
    pub version: i64,
    /// As on the wire.
    pub status: &'a str,
    /// The starter's key.
    pub correlation_id: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Milliseconds since the epoch.
    pub next_visit: Option<i64>,
    /// JSON without tasks.
    pub document: String,
}

/// A row of `engine_tasks`.
#[derive(Clone, Debug)]
pub struct TaskRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// Order within the run.
    pub seq: i64,
    /// The task's name, `FORK` or `JOIN`.
    pub kind: &'a str,
    /// As on the wire.
    pub status: &'a str,
    /// JSON.
    pub document: String,
}

/// A row of `engine_queue`.
#[derive(Clone, Debug)]
pub struct QueueRow<'a> {
    /// The attempt.
    pub task_id: &'a str,
    /// Its run.
    pub run_id: &'a str,
    /// The kind, or `domain:kind`.
    pub queue: String,
    /// 0 to 99.
    pub priority: i64,
    /// Milliseconds since the epoch.
    pub due_at: i64,
    /// Order within the run.
    pub seq: i64,
}

/// An attempt that waits for a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The attempt.
    pub task_id: String,
    /// Its run.
    pub run_id: String,
}

fn offer(row: &AnyRow) -> sqlx::Result<Offer> {
    Ok(Offer {
        task_id: row.try_get("task_id")?,
        run_id: row.try_get("run_id")?,
    })
}

/// Adds or replaces a workflow definition.
pub async fn put_workflow_def(
    db: impl Db<'_>,
    name: &str,
    version: i64,
    document: &str,
) -> sqlx::Result<()> {
    let sql = "-- engine::put_workflow_def
        insert into engine_workflow_defs (name, version, document) values ($1, $2, $3)
        on conflict (name, version) do update set document = excluded.document";
    let query = sqlx::query(sql).bind(name).bind(version).bind(document);
    query.execute(db).await.map(drop)
}

/// Deletes a workflow definition. False if there was none.
pub async fn delete_workflow_def(db: impl Db<'_>, name: &str, version: i64) -> sqlx::Result<bool> {
    let sql = "-- engine::delete_workflow_def
        delete from engine_workflow_defs where name = $1 and version = $2";
    let query = sqlx::query(sql).bind(name).bind(version);
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// All workflow definitions.
pub async fn workflow_defs(db: impl Db<'_>) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::workflow_defs
        select document from engine_workflow_defs order by name, version";
    sqlx::query_scalar(sql).fetch_all(db).await
}

/// Adds or replaces a task definition.
pub async fn put_task_def(db: impl Db<'_>, name: &str, document: &str) -> sqlx::Result<()> {
    let sql = "-- engine::put_task_def
        insert into engine_task_defs (name, document) values ($1, $2)
        on conflict (name) do update set document = excluded.document";
    let query = sqlx::query(sql).bind(name).bind(document);
    query.execute(db).await.map(drop)
}

/// Deletes a task definition. False if there was none.
pub async fn delete_task_def(db: impl Db<'_>, name: &str) -> sqlx::Result<bool> {
    let sql = "-- engine::delete_task_def
        delete from engine_task_defs where name = $1";
    let query = sqlx::query(sql).bind(name);
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// All task definitions.
pub async fn task_defs(db: impl Db<'_>) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::task_defs
        select document from engine_task_defs order by name";
    sqlx::query_scalar(sql).fetch_all(db).await
}

/// Adds or replaces a run.
pub async fn save_run(db: impl Db<'_>, run: &RunRow<'_>) -> sqlx::Result<()> {
    let sql = "-- engine::save_run
        insert into engine_runs
            (id, name, version, status, correlation_id, created_at, next_visit, document)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (id) do update set
            version = excluded.version, status = excluded.status, created_at = excluded.created_at,
            next_visit = excluded.next_visit, document = excluded.document";
    let query = sqlx::query(sql)
        .bind(run.id)
        .bind(run.name)
        .bind(run.version)
        .bind(run.status)
        .bind(run.correlation_id)
        .bind(run.created_at)
        .bind(run.next_visit)
        .bind(&run.document);
    query.execute(db).await.map(drop)
}

/// Adds or replaces an attempt.
pub async fn save_task(db: impl Db<'_>, task: &TaskRow<'_>) -> sqlx::Result<()> {
    let sql = "-- engine::save_task
        insert into engine_tasks (id, run_id, seq, kind, status, document)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do update set status = excluded.status, document = excluded.document";
    let query = sqlx::query(sql)
        .bind(task.id)
        .bind(task.run_id)
        .bind(task.seq)
        .bind(task.kind)
        .bind(task.status)
        .bind(&task.document);
    query.execute(db).await.map(drop)
}

/// A run without its tasks.
pub async fn run(db: impl Db<'_>, id: &str) -> sqlx::Result<Option<String>> {
    let sql = "-- engine::run
        select document from engine_runs where id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_optional(db).await
}

/// A run's attempts in order.
pub async fn tasks(db: impl Db<'_>, run_id: &str) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::tasks
        select document from engine_tasks where run_id = $1 order by seq";
    sqlx::query_scalar(sql).bind(run_id).fetch_all(db).await
}

/// One attempt.
pub async fn task(db: impl Db<'_>, id: &str) -> sqlx::Result<Option<String>> {
    let sql = "-- engine::task
        select document from engine_tasks where id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_optional(db).await
}

/// Ids of the open runs of one version of a workflow.
pub async fn open_runs(db: impl Db<'_>, name: &str, version: i64) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::open_runs
        select id from engine_runs
        where name = $1 and version = $2 and status in ('RUNNING', 'PAUSED') order by created_at";
    let query = sqlx::query_scalar(sql).bind(name).bind(version);
    query.fetch_all(db).await
}

/// Ids of a workflow's runs with this correlation id, ended ones included.
pub async fn correlated(
    db: impl Db<'_>,
    name: &str,
    correlation_id: &str,
) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::correlated
        select id from engine_runs where name = $1 and correlation_id = $2 order by created_at";
    let query = sqlx::query_scalar(sql).bind(name).bind(correlation_id);
    query.fetch_all(db).await
}

/// Ids of runs the sweeper should decide now.
pub async fn runs_to_visit(db: impl Db<'_>, now: i64, limit: i64) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::runs_to_visit
        select id from engine_runs where next_visit <= $1 order by next_visit limit $2";
    let query = sqlx::query_scalar(sql).bind(now).bind(limit);
    query.fetch_all(db).await
}

/// Has the sweeper leave a run alone until then.
pub async fn visit_later(db: impl Db<'_>, id: &str, at: i64) -> sqlx::Result<()> {
    let sql = "-- engine::visit_later
        update engine_runs set next_visit = $2 where id = $1 and next_visit is not null";
    let query = sqlx::query(sql).bind(id).bind(at);
    query.execute(db).await.map(drop)
}

/// When the sweeper is next needed.
pub async fn next_visit(db: impl Db<'_>) -> sqlx::Result<Option<i64>> {
    let sql = "-- engine::next_visit
        select min(next_visit) from engine_runs";
    sqlx::query_scalar(sql).fetch_one(db).await
}

/// Deletes a run's attempts, their queue entries and logs.
pub async fn delete_tasks(connection: &mut sqlx::AnyConnection, run_id: &str) -> sqlx::Result<()> {
    for sql in [
        "-- engine::delete_tasks
        delete from engine_queue where run_id = $1",
        "-- engine::delete_tasks
        delete from engine_task_logs
        where task_id in (select id from engine_tasks where run_id = $1)",
        "-- engine::delete_tasks
        delete from engine_tasks where run_id = $1",
    ] {
        sqlx::query(sql)
            .bind(run_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Deletes a run; its attempts must be gone.
pub async fn delete_run(db: impl Db<'_>, id: &str) -> sqlx::Result<()> {
    let sql = "-- engine::delete_run
        delete from engine_runs where id = $1";
    sqlx::query(sql).bind(id).execute(db).await.map(drop)
}

/// Offers an attempt, or moves its offer.
pub async fn enqueue(db: impl Db<'_>, entry: &QueueRow<'_>) -> sqlx::Result<()> {
    let sql = "-- engine::enqueue
        insert into engine_queue (task_id, run_id, queue, priority, due_at, seq)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (task_id) do update set due_at = excluded.due_at";
    let query = sqlx::query(sql)
        .bind(entry.task_id)
        .bind(entry.run_id)
        .bind(&entry.queue)
        .bind(entry.priority)
        .bind(entry.due_at)
        .bind(entry.seq);
    query.execute(db).await.map(drop)
}

/// Withdraws an offer. True only for the call that did it.
pub async fn dequeue(db: impl Db<'_>, task_id: &str) -> sqlx::Result<bool> {
    let sql = "-- engine::dequeue
        delete from engine_queue where task_id = $1";
    let query = sqlx::query(sql).bind(task_id);
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Attempts that may be handed out now, in the order they should be.
pub async fn offers(
    db: impl Db<'_>,
    queue: &str,
    now: i64,
    limit: i64,
) -> sqlx::Result<Vec<Offer>> {
    let sql = "-- engine::offers
        select task_id, run_id from engine_queue where queue = $1 and due_at <= $2
        order by priority desc, due_at, seq limit $3";
    let rows = sqlx::query(sql)
        .bind(queue)
        .bind(now)
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.iter().map(offer).collect()
}

/// When the next attempt of a queue may be handed out.
pub async fn next_offer(db: impl Db<'_>, queue: &str) -> sqlx::Result<Option<i64>> {
    let sql = "-- engine::next_offer
        select min(due_at) from engine_queue where queue = $1";
    sqlx::query_scalar(sql).bind(queue).fetch_one(db).await
}

/// Length of each queue that is not empty, held-back entries included.
pub async fn queue_sizes(db: impl Db<'_>) -> sqlx::Result<Vec<(String, i64)>> {
    let sql = "-- engine::queue_sizes
        select queue, count(*) as length from engine_queue group by queue order by queue";
    let rows = sqlx::query(sql).fetch_all(db).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("queue")?, row.try_get("length")?)))
        .collect()
}

/// Scheduled attempts of open runs that nothing offers; of one run if it is named.
pub async fn lost_tasks(db: impl Db<'_>, run_id: Option<&str>) -> sqlx::Result<Vec<String>> {
    let sql = "-- engine::lost_tasks
        select engine_tasks.document from engine_tasks
        join engine_runs on engine_runs.id = engine_tasks.run_id
        left join engine_queue on engine_queue.task_id = engine_tasks.id
        where engine_tasks.status = 'SCHEDULED' and engine_tasks.kind <> 'JOIN'
          and engine_queue.task_id is null and engine_runs.status in ('RUNNING', 'PAUSED')
          and (engine_runs.id = $1 or $2 = 1)";
    let every_run = i64::from(run_id.is_none());
    let query = sqlx::query_scalar(sql)
        .bind(run_id.unwrap_or_default())
        .bind(every_run);
    query.fetch_all(db).await
}

/// Adds a line to a task's log.
pub async fn add_log(db: impl Db<'_>, task_id: &str, line: &str, now: i64) -> sqlx::Result<()> {
    let sql = "-- engine::add_log
        insert into engine_task_logs (task_id, position, created_at, line)
        select $1, coalesce(max(position), 0) + 1, $2, $3 from engine_task_logs where task_id = $1";
    let query = sqlx::query(sql).bind(task_id).bind(now).bind(line);
    query.execute(db).await.map(drop)
}

/// A task's log in order: when and what.
pub async fn logs(db: impl Db<'_>, task_id: &str) -> sqlx::Result<Vec<(i64, String)>> {
    let sql = "-- engine::logs
        select created_at, line from engine_task_logs where task_id = $1 order by position";
    let rows = sqlx::query(sql).bind(task_id).fetch_all(db).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("created_at")?, row.try_get("line")?)))
        .collect()
}
