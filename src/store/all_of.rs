//! Everything there is of one recording.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Mirror, RouteRow, Run, Store, routes, runs, time};

/// Everything there is of one recording.
#[derive(Clone, Debug, Default)]
pub struct AllOf {
    /// Its routes, newest first.
    pub routes: Vec<RouteRow>,
    /// Its runs, newest first.
    pub runs: Vec<Run>,
    /// Its mirrors, newest first.
    pub mirrors: Vec<Mirror>,
    /// The controls of all these, newest first.
    pub controls: Vec<ControlHead>,
}

/// A control without what it made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlHead {
    /// Its id.
    pub id: String,
    /// Where it was taken from.
    pub source: String,
    /// When.
    pub taken_at: DateTime<Utc>,
}

impl Store {
    /// Everything there is of what has that id, a recording or a transcript, in whatever environment.
    pub async fn all_of(&self, id: &str) -> anyhow::Result<AllOf> {
        let mut all = AllOf {
            routes: self.routes_of(id).await?,
            runs: runs::of_recording(self, id).await?,
            ..AllOf::default()
        };
        let of_runs = all.runs.first().map(|run| run.recording_id.clone());
        let of_routes = all
            .routes
            .iter()
            .find_map(|route| route.recording_id.clone());
        if let Some(recording) = of_runs.or(of_routes) {
            all.mirrors = self.mirrors_of(&recording).await?;
        }
        let of_runs = all.runs.iter().filter_map(|run| run.control_id.as_deref());
        let of_routes = all
            .routes
            .iter()
            .filter_map(|route| route.control_id.as_deref());
        let mut ids: Vec<&str> = of_runs.chain(of_routes).collect();
        ids.sort_unstable();
        ids.dedup();
        all.controls = self.control_heads(&ids).await?;
        Ok(all)
    }

    async fn routes_of(&self, id: &str) -> anyhow::Result<Vec<RouteRow>> {
        let sql = routes::select(
            "routes_of",
            "where recording_id = $1 or transcript_id = $1
             order by arrived_at desc, transcript_id, generation desc",
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .fetch_all(&self.pool)
            .await
            .context("reading a recording's routes")?;
        rows.iter().map(RouteRow::read).collect()
    }

    async fn control_heads(&self, ids: &[&str]) -> anyhow::Result<Vec<ControlHead>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "-- control_heads
            select id, source, taken_at from controls where id in ({})
            order by taken_at desc, id",
            places.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for id in ids {
            query = query.bind(*id);
        }
        let rows = query.fetch_all(&self.pool).await;
        let rows = rows.context("reading a recording's controls")?;
        rows.iter()
            .map(|row| {
                Ok(ControlHead {
                    id: row.try_get("id")?,
                    source: row.try_get("source")?,
                    taken_at: time(row.try_get("taken_at")?),
                })
            })
            .collect()
    }
}
