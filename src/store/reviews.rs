//! Reviews: what there is to look at, who has looked, what they said, and rules that hide.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{Store, audit, facts::About, millis, plain, time};
use crate::{
    compare::{Class, Field, Severity, Strictness, Verdict},
    model::{RecordingId, RunId},
    report::ReportData,
    reviews::{
        Act, Book, Choice, Chosen, Earlier, Item, ItemKind, Judgement, NewRule, Opened, Predicate,
        Refused, Rule, Says, Side, Source, Wanted, decide, items_of, may_be_made,
    },
};

const ITEM: &str = "id, kind, run_id, comparison_id, recording_id, verdict, stratum, draw, field, \
     class, severity, strictness, signature, pattern, path, differences, same, candidate_left, made_at";

impl Store {
    /// Looks for comparisons that nobody made items of yet, under the versions as they are, and makes
    /// them; tells of how many. `salt` is something nobody can guess.
    pub async fn make_review_items(
        &self,
        about: &About,
        salt: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<usize> {
        let sql = "-- comparisons_to_review
            select comparisons.id, comparisons.verdict
            from comparisons join runs on runs.id = comparisons.run_id
            where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
              and runs.origin <> 'rehearsal' and comparisons.epoch = $3
              and not exists (select 1 from comparisons later
                    where later.run_id = comparisons.run_id and later.epoch = $3
                      and (later.compared_at > comparisons.compared_at
                        or (later.compared_at = comparisons.compared_at
                            and later.id < comparisons.id)))
              and not exists (select 1 from review_items items
                    where items.environment = $1 and items.flag = $2 and items.epoch = $3
                      and items.run_id = comparisons.run_id and items.kind = 'sample'
                      and items.comparison_id = comparisons.id)
            order by comparisons.run_id";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(about.epoch.as_str())
            .fetch_all(&self.pool)
            .await
            .context("looking for comparisons to review")?;
        let mut made = 0;
        for row in rows {
            let verdict: String = row.try_get("verdict")?;
            // What says nothing of the candidate leaves nothing to look at.
            if Verdict::parse(&verdict).is_some_and(Verdict::counts) {
                let id: String = row.try_get("id")?;
                self.make_items_of(about, &id, salt, now).await?;
                made += 1;
            }
        }
        Ok(made)
    }

    /// Makes the items of one comparison, in the place of those of the run's earlier ones.
    async fn make_items_of(
        &self,
        about: &About,
        id: &str,
        salt: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "making items to review";
        let sql = "-- comparison_to_review
            select run_id, report from comparisons where id = $1";
        let row = sqlx::query(sql)
            .bind(id)
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        let run = RunId::new(row.try_get::<String, _>("run_id")?);
        let report: String = row.try_get("report")?;
        let report: ReportData = serde_json::from_str(&report)
            .map_err(|_| anyhow::anyhow!("the report on run `{run}` cannot be read; `switchyard compare {run}` writes it anew"))?;
        let items = items_of(&Source {
            run: &run,
            id,
            recording: &report.recording,
            epoch: &about.epoch,
            comparison: &report.comparison,
            control: &report.control,
            candidate: &report.candidate,
            salt,
            now,
        });
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- forget_items
            delete from review_items where run_id = $1 and epoch = $2";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(about.epoch.as_str())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        for item in &items {
            insert_item(&mut tx, about, item).await.context(doing)?;
        }
        tx.commit().await.context(doing)
    }

    /// Everything there is about the reviews of a migration.
    pub async fn review_book(&self, about: &About, now: DateTime<Utc>) -> anyhow::Result<Book> {
        let doing = "reading reviews";
        let mut tx = self.begin().await.context(doing)?;
        let book = read_book(&mut tx, about, now).await?;
        tx.rollback().await.context(doing)?;
        Ok(book)
    }

    /// The items of the last 30 days, whatever versions they are of.
    pub async fn recent_review_items(
        &self,
        about: &About,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Item>> {
        let sql = format!(
            "-- recent_review_items\n select {ITEM} from review_items
             where environment = $1 and flag = $2 and made_at >= $3 order by made_at, id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(now - TimeDelta::days(30)))
            .fetch_all(&self.pool)
            .await
            .context("reading items to review")?;
        rows.iter().map(read_item).collect()
    }

    /// Notes that somebody opened an item. Once is enough.
    pub async fn open_review_item(
        &self,
        item: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- open_review_item
            insert into review_opened (item_id, opened_by, opened_at) values ($1, $2, $3)
            on conflict (item_id, opened_by) do nothing";
        let noted = sqlx::query(sql)
            .bind(item)
            .bind(plain(by).as_ref())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that an item was opened")?;
        Ok(noted.rows_affected() == 1)
    }

    /// Says something of an item or a cluster, if that may be said; the id of what was said.
    pub async fn say_in_review(
        &self,
        about: &About,
        wanted: &Wanted,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Result<String, Refused>> {
        let doing = "noting a verdict";
        let mut tx = self.begin().await.context(doing)?;
        audit::lock(&mut tx).await?;
        let book = read_book(&mut tx, about, now).await?;
        let items = match decide(&book, wanted) {
            Ok(items) => items,
            Err(refused) => return Ok(Err(refused)),
        };
        let (target, says) = (wanted.on.as_str(), wanted.says);
        let standings = book.standings(now);
        let before = items
            .first()
            .and_then(|item| standings.get(item.id.as_str()))
            .map_or("", |standing| standing.word());
        let id = about.id("act", &[target, says.as_str(), &wanted.by], now);
        let is_waiver = says == Says::Waive;
        let until = wanted
            .days
            .filter(|_| is_waiver)
            .map(|days| now + TimeDelta::days(days));
        let is_cluster = matches!(wanted.on, crate::reviews::Target::Cluster(_));
        let sql = "-- say_in_review
            insert into review_acts (id, environment, flag, epoch, on_cluster, target, says, said_by,
                reason, owner, until_at, at_most, size, said_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            on conflict (id) do nothing";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(about.epoch.as_str())
            .bind(i64::from(is_cluster))
            .bind(target)
            .bind(says.as_str())
            .bind(plain(&wanted.by).as_ref())
            .bind(plain(&wanted.reason).as_ref())
            .bind(plain(&wanted.owner).as_ref())
            .bind(until.map(millis))
            .bind(wanted.at_most.filter(|_| is_waiver))
            .bind(i64::try_from(items.len())?)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let told = match until {
            Some(until) => format!(
                "{target} {says} for {} until {}",
                wanted.owner,
                until.format("%Y-%m-%d %H:%M UTC"),
                says = says.as_str(),
            ),
            None => format!("{target} {}", says.as_str()),
        };
        let entry = about.entry(
            &format!("review_{}", says.as_str()),
            (&wanted.by, &wanted.reason),
            (before, &told),
            now,
        );
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(Ok(id))
    }

    /// Notes which side somebody found better, once for each of them; whose it was.
    pub async fn choose_in_review(
        &self,
        about: &About,
        (item, side, by): (&str, Side, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<Result<Choice, Refused>> {
        let doing = "noting a choice";
        if by.trim().is_empty() {
            return Ok(Err(Refused::new("nobody is named", "say who chooses")));
        }
        let mut tx = self.begin().await.context(doing)?;
        audit::lock(&mut tx).await?;
        let book = read_book(&mut tx, about, now).await?;
        let found = book.item(item).filter(|item| item.kind.is_blind());
        let Some(found) = found else {
            return Ok(Err(Refused::new(
                format!("`{item}` is no side-by-side"),
                "list what there is with `switchyard review`",
            )));
        };
        let choice = side.choice(found.candidate_left);
        let sql = "-- choose_in_review
            insert into review_choices (item_id, chosen_by, choice, candidate_left, chosen_at)
            values ($1, $2, $3, $4, $5)
            on conflict (item_id, chosen_by) do nothing";
        let chosen = sqlx::query(sql)
            .bind(item)
            .bind(plain(by).as_ref())
            .bind(choice.as_str())
            .bind(i64::from(found.candidate_left))
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if chosen.rows_affected() == 0 {
            return Ok(Err(Refused::new(
                format!("{by} has chosen, and knows by now whose is which"),
                "have somebody else choose",
            )));
        }
        let told = format!("{item} {}", choice.as_str());
        let entry = about.entry("review_choose", (by, ""), ("", &told), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(Ok(choice))
    }

    /// Makes a rule that hides, if it may be made; its id.
    pub async fn make_review_rule(
        &self,
        about: &About,
        rule: &NewRule,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Result<String, Refused>> {
        let doing = "making a rule that hides";
        let mut tx = self.begin().await.context(doing)?;
        audit::lock(&mut tx).await?;
        let in_force = read_rules(&mut tx, about, now, i64::MAX).await?;
        if let Err(refused) = may_be_made(rule, in_force.len()) {
            return Ok(Err(refused));
        }
        let predicate = rule.predicate.to_string();
        let class = rule.class.as_str();
        let id = about.id("rul", &[&rule.path, class, &predicate, &rule.by], now);
        let until = now + TimeDelta::days(rule.days);
        let sql = "-- make_review_rule
            insert into review_rules (id, environment, flag, path, class, predicate, at_most, made_by,
                reason, made_at, until_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (id) do nothing";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(plain(&rule.path).as_ref())
            .bind(class)
            .bind(predicate.as_str())
            .bind(rule.at_most)
            .bind(plain(&rule.by).as_ref())
            .bind(plain(&rule.reason).as_ref())
            .bind(millis(now))
            .bind(millis(until))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let told = format!(
            "{id} hides {class} at {} ({predicate}), at most {}, until {}",
            rule.path,
            rule.at_most,
            until.format("%Y-%m-%d %H:%M UTC")
        );
        let entry = about.entry("review_rule", (&rule.by, &rule.reason), ("", &told), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(Ok(id))
    }

    /// Removes a rule. False where there is none of that id in force.
    pub async fn remove_review_rule(
        &self,
        about: &About,
        id: &str,
        (by, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "removing a rule that hides";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- remove_review_rule
            update review_rules set removed_at = $4, removed_by = $5
            where environment = $1 and flag = $2 and id = $3 and removed_at is null";
        let removed = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(id)
            .bind(millis(now))
            .bind(plain(by).as_ref())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry("review_rule_removed", (by, reason), (id, ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }
}

async fn insert_item(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    item: &Item,
) -> anyhow::Result<()> {
    let sql = "-- insert_review_item
        insert into review_items (id, environment, flag, epoch, kind, run_id, comparison_id,
            recording_id, verdict, stratum, draw, field, class, severity, strictness, signature,
            pattern, path, differences, same, candidate_left, made_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
            $20, $21, $22)
        on conflict (id) do nothing";
    let about_it = item.about.as_ref();
    sqlx::query(sql)
        .bind(item.id.as_str())
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(item.kind.as_str())
        .bind(item.run.as_str())
        .bind(item.comparison.as_str())
        .bind(item.recording.as_str())
        .bind(item.verdict.as_str())
        .bind(item.stratum.as_str())
        .bind(item.draw.as_str())
        .bind(about_it.map(|about| about.field.as_str()))
        .bind(about_it.map(|about| about.class.as_str()))
        .bind(about_it.map(|about| about.severity.as_str()))
        .bind(about_it.map(|about| strictness(about.strictness)))
        .bind(about_it.map(|about| about.signature.as_str()))
        .bind(about_it.map(|about| about.pattern.as_str()))
        .bind(about_it.map(|about| about.path.as_str()))
        .bind(about_it.map(|about| about.differences))
        .bind(i64::from(item.same))
        .bind(i64::from(item.candidate_left))
        .bind(millis(item.made_at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

const fn strictness(strictness: Strictness) -> &'static str {
    match strictness {
        Strictness::Hard => "hard",
        Strictness::Soft => "soft",
    }
}

fn read_item(row: &AnyRow) -> anyhow::Result<Item> {
    let kind: String = row.try_get("kind")?;
    let verdict: String = row.try_get("verdict")?;
    let field: Option<String> = row.try_get("field")?;
    let about = match field {
        None => None,
        Some(field) => {
            let (class, severity): (String, String) =
                (row.try_get("class")?, row.try_get("severity")?);
            let unknown = |name: &str| format!("`{name}` of a reviewed item is unknown");
            Some(Judgement {
                field: Field::parse(&field).with_context(|| unknown(&field))?,
                class: Class::parse(&class).with_context(|| unknown(&class))?,
                severity: Severity::parse(&severity).with_context(|| unknown(&severity))?,
                strictness: if row.try_get::<String, _>("strictness")? == "soft" {
                    Strictness::Soft
                } else {
                    Strictness::Hard
                },
                signature: row.try_get("signature")?,
                pattern: row.try_get("pattern")?,
                path: row.try_get("path")?,
                differences: row.try_get("differences")?,
            })
        }
    };
    Ok(Item {
        id: row.try_get("id")?,
        kind: ItemKind::parse(&kind).with_context(|| format!("`{kind}` is no kind of item"))?,
        run: RunId::new(row.try_get::<String, _>("run_id")?),
        comparison: row.try_get("comparison_id")?,
        recording: RecordingId::new(row.try_get::<String, _>("recording_id")?),
        verdict: Verdict::parse(&verdict).with_context(|| format!("`{verdict}` is no verdict"))?,
        stratum: row.try_get("stratum")?,
        draw: row.try_get("draw")?,
        about,
        same: row.try_get::<i64, _>("same")? == 1,
        candidate_left: row.try_get::<i64, _>("candidate_left")? == 1,
        made_at: time(row.try_get("made_at")?),
    })
}

/// Everything there is, in a transaction that may decide by it.
pub(super) async fn read_book(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<Book> {
    read_book_until(tx, about, now, i64::MAX).await
}

/// Everything there was by then. What was compared again since has no items of the time before.
pub(super) async fn read_book_until(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
    until: i64,
) -> anyhow::Result<Book> {
    let doing = "reading reviews";
    let sql = format!(
        "-- review_items\n select {ITEM} from review_items
         where environment = $1 and flag = $2 and epoch = $3 and made_at <= $4
         order by made_at, id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context(doing)?;
    let items = rows.iter().map(read_item).collect::<anyhow::Result<_>>()?;
    let sql = "-- review_opened
        select o.item_id, o.opened_by from review_opened o join review_items i on i.id = o.item_id
        where i.environment = $1 and i.flag = $2 and i.epoch = $3 and o.opened_at <= $4
        order by o.item_id, o.opened_by";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context(doing)?;
    let opened = rows.iter().map(|row| {
        Ok(Opened {
            item: row.try_get("item_id")?,
            by: row.try_get("opened_by")?,
        })
    });
    let opened = opened.collect::<anyhow::Result<_>>()?;
    let sql = "-- review_choices
        select c.item_id, c.chosen_by, c.choice, c.chosen_at
        from review_choices c join review_items i on i.id = c.item_id
        where i.environment = $1 and i.flag = $2 and i.epoch = $3 and c.chosen_at <= $4
        order by c.chosen_at, c.item_id, c.chosen_by";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context(doing)?;
    let choices = rows.iter().map(|row| {
        let choice: String = row.try_get("choice")?;
        Ok(Chosen {
            item: row.try_get("item_id")?,
            by: row.try_get("chosen_by")?,
            choice: Choice::parse(&choice).with_context(|| format!("`{choice}` is no choice"))?,
            at: time(row.try_get("chosen_at")?),
        })
    });
    let choices = choices.collect::<anyhow::Result<_>>()?;
    let (acts, earlier) = read_acts(tx, about, until).await?;
    Ok(Book {
        items,
        acts,
        opened,
        choices,
        earlier,
        rules: read_rules(tx, about, now, until).await?,
    })
}

/// What was said under the versions as they are, oldest first; and the last word on each cluster
/// under those before.
async fn read_acts(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    until: i64,
) -> anyhow::Result<(Vec<Act>, Vec<Earlier>)> {
    let sql = "-- review_acts
        select id, epoch, on_cluster, target, says, said_by, reason, owner, until_at, at_most, size,
            said_at
        from review_acts where environment = $1 and flag = $2 and said_at <= $3
        order by said_at, id";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context("reading verdicts")?;
    let (mut acts, mut earlier) = (Vec::new(), BTreeMap::new());
    for row in &rows {
        let says: String = row.try_get("says")?;
        let act = Act {
            id: row.try_get("id")?,
            on: row.try_get("target")?,
            on_cluster: row.try_get::<i64, _>("on_cluster")? == 1,
            says: Says::parse(&says).with_context(|| format!("`{says}` is no verdict"))?,
            by: row.try_get("said_by")?,
            reason: row.try_get("reason")?,
            owner: row.try_get("owner")?,
            until: row.try_get::<Option<i64>, _>("until_at")?.map(time),
            at_most: row.try_get("at_most")?,
            size: row.try_get("size")?,
            at: time(row.try_get("said_at")?),
        };
        if row.try_get::<String, _>("epoch")? == about.epoch {
            acts.push(act);
        } else if act.on_cluster {
            let last = Earlier {
                signature: act.on.clone(),
                says: act.says,
                by: act.by,
                size: act.size,
            };
            earlier.insert(act.on, last);
        }
    }
    Ok((acts, earlier.into_values().collect()))
}

/// The rules in force at that time, oldest first.
async fn read_rules(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
    until: i64,
) -> anyhow::Result<Vec<Rule>> {
    let sql = "-- review_rules
        select id, path, class, predicate, at_most, made_by, reason, made_at, until_at
        from review_rules
        where environment = $1 and flag = $2 and (removed_at is null or removed_at > $4)
          and until_at > $3 and made_at <= $4
        order by made_at, id";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(millis(now))
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context("reading rules that hide")?;
    rows.iter()
        .map(|row| {
            let (class, predicate): (String, String) =
                (row.try_get("class")?, row.try_get("predicate")?);
            Ok(Rule {
                id: row.try_get("id")?,
                path: row.try_get("path")?,
                class: Class::parse(&class).with_context(|| format!("`{class}` is no class"))?,
                predicate: Predicate::parse(&predicate)
                    .with_context(|| format!("`{predicate}` is no predicate"))?,
                at_most: row.try_get("at_most")?,
                by: row.try_get("made_by")?,
                reason: row.try_get("reason")?,
                made_at: time(row.try_get("made_at")?),
                until: time(row.try_get("until_at")?),
            })
        })
        .collect()
}
