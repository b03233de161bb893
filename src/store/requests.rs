//! Requests: moves that wait for other people's approval.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};

use super::{Store, audit, facts::About, millis, notices, phases::position, plain, time};
use crate::{
    model::NoticeKind,
    rollout::{Approvals, Move, Position},
};

/// A row of `requests`, with who approved so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// What is wanted, as the requester saw it.
    pub wanted: Move,
    /// The evidence as it was when it was asked for.
    pub evidence: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Who approved, in order.
    pub approved_by: Vec<String>,
}

/// A move that waits for approval, for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequestLine {
    /// Its id.
    pub id: String,
    /// The step.
    pub to: String,
    /// Who asks.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The version it was decided on.
    pub seen: i64,
    /// The digest of the evidence it was decided on.
    pub evidence: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Who has approved it.
    pub approved_by: Vec<String>,
}

impl Request {
    /// The same for machines.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!(self.line())
    }

    /// What machines are told.
    pub fn line(&self) -> RequestLine {
        RequestLine {
            id: self.id.clone(),
            to: self.wanted.to.to_string(),
            by: self.wanted.by.clone(),
            reason: self.wanted.reason.clone(),
            seen: self.wanted.seen,
            evidence: self.evidence.clone(),
            requested_at: self.requested_at,
            approved_by: self.approved_by.clone(),
        }
    }
}

const COLUMNS: &str =
    "id, phase, sub, percent, seen, evidence, requested_by, reason, typed_name, requested_at";

fn read(row: &AnyRow) -> anyhow::Result<Request> {
    Ok(Request {
        id: row.try_get("id")?,
        wanted: Move {
            to: position(row)?,
            seen: row.try_get("seen")?,
            evidence: None,
            by: row.try_get("requested_by")?,
            reason: row.try_get("reason")?,
            typed_name: row.try_get("typed_name")?,
        },
        evidence: row.try_get("evidence")?,
        requested_at: time(row.try_get("requested_at")?),
        approved_by: Vec::new(),
    })
}

async fn approved_by<'e>(
    db: impl Executor<'e, Database = Any>,
    id: &str,
) -> anyhow::Result<Vec<String>> {
    let sql = "-- approved_by
        select approved_by from approvals where request_id = $1 order by approved_at, approved_by";
    let rows = sqlx::query(sql)
        .bind(id)
        .fetch_all(db)
        .await
        .context("reading approvals")?;
    rows.iter()
        .map(|row| Ok(row.try_get("approved_by")?))
        .collect()
}

/// Who approved going there, of those who saw this version.
pub(super) async fn read_approvals(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    to: Position,
    version: i64,
) -> anyhow::Result<Approvals> {
    let sql = "-- open_request
        select id, requested_by from requests
        where environment = $1 and flag = $2 and state = 'open' and phase = $3 and sub = $4
          and percent = $5 and seen = $6
        order by requested_at, id limit 1";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(to.phase().as_str())
        .bind(to.sub())
        .bind(i64::from(to.percent().hundredths()))
        .bind(version)
        .fetch_optional(&mut **tx)
        .await
        .context("reading a request")?;
    let Some(row) = row else {
        return Ok(Approvals::default());
    };
    let id: String = row.try_get("id")?;
    Ok(Approvals {
        requested_by: Some(row.try_get("requested_by")?),
        approved_by: approved_by(&mut **tx, &id).await?,
    })
}

/// A move was made: the request for it is fulfilled, and every other is void.
pub(super) async fn close_open(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let sql = "-- close_requests
        update requests set ended_at = $3, state = case when exists (
            select 1 from phases where phases.environment = requests.environment
                and phases.flag = requests.flag and phases.phase = requests.phase
                and phases.sub = requests.sub and phases.percent = requests.percent)
            then 'made' else 'void' end
        where environment = $1 and flag = $2 and state = 'open'";
    sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("closing requests")?;
    Ok(())
}

impl Store {
    /// The requests that wait for approval, oldest first.
    pub async fn open_requests(&self, about: &About) -> anyhow::Result<Vec<Request>> {
        let sql = format!(
            "-- open_requests\n select {COLUMNS} from requests
             where environment = $1 and flag = $2 and state = 'open'
             order by requested_at, id limit 100"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading requests")?;
        let mut requests = Vec::new();
        for row in &rows {
            let mut request = read(row)?;
            request.approved_by = approved_by(&self.pool, &request.id).await?;
            requests.push(request);
        }
        Ok(requests)
    }

    /// Asks for a move that other people have to approve; the request's id. The same asked for again
    /// by the same person is the same request.
    pub async fn request_move(
        &self,
        about: &About,
        wanted: &Move,
        evidence: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let doing = "asking for approval";
        let mut tx = self.begin().await.context(doing)?;
        super::phases::lock(&mut tx, &about.environment, &about.flag, now).await?;
        let sql = "-- same_request
            select id from requests
            where environment = $1 and flag = $2 and state = 'open' and phase = $3 and sub = $4
              and percent = $5 and seen = $6 and requested_by = $7";
        let same = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(wanted.to.phase().as_str())
            .bind(wanted.to.sub())
            .bind(i64::from(wanted.to.percent().hundredths()))
            .bind(wanted.seen)
            .bind(plain(&wanted.by).as_ref())
            .fetch_optional(&mut *tx)
            .await
            .context(doing)?;
        if let Some(row) = same {
            return Ok(row.try_get("id")?);
        }
        let id = about.id("req", &[&wanted.by, &wanted.to.to_string()], now);
        let sql = "-- request_move
            insert into requests (id, environment, flag, phase, sub, percent, seen, evidence,
                requested_by, reason, typed_name, requested_at, state)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'open')";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(wanted.to.phase().as_str())
            .bind(wanted.to.sub())
            .bind(i64::from(wanted.to.percent().hundredths()))
            .bind(wanted.seen)
            .bind(evidence)
            .bind(plain(&wanted.by).as_ref())
            .bind(plain(&wanted.reason).as_ref())
            .bind(wanted.typed_name.as_deref().map(plain).as_deref())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let to = wanted.to.to_string();
        let entry = about.entry("request", (&wanted.by, &wanted.reason), ("", &to), now);
        audit::append(&mut tx, entry).await?;
        let text = format!(
            "{} asks to move {} to {to}; approve it with `switchyard phase approve {id}`",
            plain(&wanted.by),
            about.environment,
        );
        let document = serde_json::json!({ "request": id, "to": to, "by": wanted.by });
        notices::insert(&mut tx, about, (NoticeKind::Request, &text, &document), now).await?;
        tx.commit().await.context(doing)?;
        Ok(id)
    }

    /// Approves a request. False where it is not open, or that person has approved it before.
    pub async fn approve(
        &self,
        about: &About,
        id: &str,
        (by, evidence): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "approving a request";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- approve
            insert into approvals (request_id, approved_by, evidence, approved_at)
            select id, $4, $5, $6 from requests
            where environment = $1 and flag = $2 and id = $3 and state = 'open'
            on conflict (request_id, approved_by) do nothing";
        let approved = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(id)
            .bind(plain(by).as_ref())
            .bind(evidence)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if approved.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry("approve", (by, ""), ("", id), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Takes a request back. False where it is not open.
    pub async fn withdraw_request(
        &self,
        about: &About,
        id: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "withdrawing a request";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- withdraw_request
            update requests set state = 'withdrawn', ended_at = $4
            where environment = $1 and flag = $2 and id = $3 and state = 'open'";
        let withdrawn = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(id)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if withdrawn.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry("withdraw", (by, ""), (id, ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }
}
