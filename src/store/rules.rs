//! The rules of routing, and every change of them.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{Store, audit, facts::About, holds, millis, notices, phases, plain, time};
use crate::{
    model::NoticeKind,
    rollout::{
        Hold, Rules,
        rules::{Change, Senseless, Signed},
    },
};

/// A row of `routing_rules`, or what counts where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesRow {
    /// The rules.
    pub rules: Rules,
    /// Counts changes; 0 where there was none.
    pub version: i64,
    /// When they were changed last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Who did.
    pub changed_by: Option<String>,
}

impl RulesRow {
    pub(super) const fn none() -> Self {
        Self {
            rules: Rules::NONE,
            version: 0,
            changed_at: None,
            changed_by: None,
        }
    }
}

/// Why rules were not changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotChanged {
    /// It makes no sense.
    #[error(transparent)]
    Senseless(#[from] Senseless),
    /// Somebody changed them meanwhile.
    #[error(
        "the rules are at version {version} by now, changed by {by}, and you saw version {seen}; look at them again with `switchyard routing`"
    )]
    Changed {
        /// The version that was seen.
        seen: i64,
        /// The version there is.
        version: i64,
        /// Who changed them.
        by: String,
    },
    /// The candidate would serve more, and somebody holds.
    #[error(
        "{} holds: {}; the candidate could serve more by this change, so that it waits until the hold is released with `switchyard hold release {}`", .0.owner, .0.reason, .0.id
    )]
    Held(Hold),
}

impl Store {
    /// Changes the rules of routing if they are as they were `seen`; whatever version they are at
    /// where none was. A change that lets the candidate serve more is a forward move, and waits for
    /// holds like any other.
    pub async fn change_rules(
        &self,
        about: &About,
        change: &Change,
        signed: &Signed,
        seen: Option<i64>,
    ) -> anyhow::Result<Result<RulesRow, NotChanged>> {
        let doing = "changing the rules of routing";
        let now = signed.at;
        let mut tx = self.begin().await.context(doing)?;
        // Whoever places a hold locks the same row, so that none is passed unseen.
        phases::lock(&mut tx, &about.environment, &about.flag, now).await?;
        let before = lock(&mut tx, about, now).await?;
        if let Some(seen) = seen.filter(|seen| *seen != before.version) {
            return Ok(Err(NotChanged::Changed {
                seen,
                version: before.version,
                by: before.changed_by.unwrap_or_default(),
            }));
        }
        let after = match before.rules.with(change, signed) {
            Ok(after) => after,
            Err(senseless) => return Ok(Err(senseless.into())),
        };
        if before.rules.widen_to(&after) {
            let holds = holds::read_holds(&mut *tx, about).await?;
            if let Some(hold) = holds.into_iter().next() {
                return Ok(Err(NotChanged::Held(hold)));
            }
        }
        let sql = "-- change_rules
            update routing_rules set document = $3, version = $4, changed_at = $5, changed_by = $6
            where environment = $1 and flag = $2";
        let version = before.version + 1;
        let by = plain(&signed.by);
        let document = serde_json::to_string(&after).context("writing rules of routing")?;
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(plain(&document).as_ref())
            .bind(version)
            .bind(millis(now))
            .bind(by.as_ref())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let (was, is) = (before.rules.told(change), after.told(change));
        let by_and_why = (signed.by.as_str(), signed.reason.as_str());
        let entry = about.entry("routing", by_and_why, (&was, &is), now);
        let audited = audit::append(&mut tx, entry).await?;
        let text = format!(
            "{by} changed the rules of routing in {}: {}",
            about.environment,
            plain(&is)
        );
        let told = serde_json::json!({ "by": signed.by, "before": was, "after": is,
            "version": version, "audit": audited });
        notices::insert(&mut tx, about, (NoticeKind::Routing, &text, &told), now).await?;
        tx.commit().await.context(doing)?;
        Ok(Ok(RulesRow {
            rules: after,
            version,
            changed_at: Some(time(millis(now))),
            changed_by: Some(by.into_owned()),
        }))
    }
}

/// Makes the row where there is none, and locks it until the transaction ends.
async fn lock(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<RulesRow> {
    let sql = "-- lock_rules
        insert into routing_rules (environment, flag, document, version, changed_at, changed_by)
        values ($1, $2, '{}', 0, $3, '')
        on conflict (environment, flag) do update set version = routing_rules.version
        returning document, version, changed_at, changed_by";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(millis(now))
        .fetch_one(&mut **tx)
        .await
        .context("locking the rules of routing")?;
    let document: String = row.try_get("document")?;
    Ok(RulesRow {
        rules: serde_json::from_str(&document).context("reading rules of routing")?,
        version: row.try_get("version")?,
        changed_at: Some(time(row.try_get("changed_at")?)),
        changed_by: row.try_get("changed_by")?,
    })
}
