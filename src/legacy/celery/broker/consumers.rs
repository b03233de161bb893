//! Asks the workers themselves which queues they take from: Redis does not know.
//!
//! It is Celery's `inspect active_queues` in kombu's layout: the question is published on a fan-out
//! channel, and each worker answers into a list that a binding names, both gone afterwards.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Broker, BrokerError};

/// How long there is waited for another worker's answer.
const ANSWER: Duration = Duration::from_secs(1);

const REPLIES: &str = "reply.celery.pidbox";

impl Broker {
    /// How many workers take from each queue, by its name. A worker that is busy with a task in
    /// its only process may not answer in time.
    pub async fn consumers(&self) -> Result<BTreeMap<String, usize>, BrokerError> {
        let ours = Uuid::new_v4().to_string();
        let list = self.key(&format!("{ours}.{REPLIES}"));
        let binding = self.key(&format!("_kombu.binding.{REPLIES}"));
        let member = format!("{ours}\u{6}\u{16}\u{6}\u{16}{ours}.{REPLIES}");
        let channel = self.key(&format!("/{}.celery.pidbox", self.database));
        let mut ask = redis::pipe();
        ask.cmd("SADD").arg(&binding).arg(&member).ignore();
        ask.cmd("PUBLISH")
            .arg(channel)
            .arg(question(&ours))
            .ignore();
        let asked = self
            .link
            .run(async |connection| ask.exec_async(connection).await)
            .await;
        let mut found = BTreeMap::new();
        let mut result = asked;
        while result.is_ok() {
            let answer = self
                .link
                .run_alone(ANSWER, async |connection| {
                    redis::cmd("BRPOP")
                        .arg(&list)
                        .arg(ANSWER.as_secs_f64())
                        .query_async::<Option<(String, String)>>(connection)
                        .await
                })
                .await;
            match answer {
                Ok(Some((_, answer))) => count(&answer, &mut found),
                Ok(None) => break,
                Err(error) => result = Err(error),
            }
        }
        let mut leave = redis::pipe();
        leave.cmd("SREM").arg(&binding).arg(&member).ignore();
        leave.cmd("DEL").arg(&list).ignore();
        let left = self
            .link
            .run(async |connection| leave.exec_async(connection).await)
            .await;
        result
            .and(left)
            .map_err(|source| BrokerError::from_redis("asking its workers", source))?;
        Ok(found)
    }
}

fn question(ours: &str) -> String {
    let body = json!({
        "method": "active_queues",
        "arguments": {},
        "destination": null,
        "pattern": null,
        "matcher": null,
        "ticket": ours,
        "reply_to": { "exchange": REPLIES, "routing_key": ours },
    });
    json!({
        "body": BASE64.encode(body.to_string()),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": { "clock": 0, "ticket": ours },
        "properties": {
            "delivery_mode": 2,
            "delivery_info": { "exchange": "celery.pidbox", "routing_key": "" },
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": Uuid::new_v4(),
        },
    })
    .to_string()
}

/// An answer is `{worker: [{"name": queue, …}, …]}`. What is none counts for nothing.
fn count(answer: &str, found: &mut BTreeMap<String, usize>) {
    let read = || -> Option<Value> {
        let message: Value = serde_json::from_str(answer).ok()?;
        let body = BASE64.decode(message["body"].as_str()?).ok()?;
        serde_json::from_slice(&body).ok()
    };
    let Some(Value::Object(workers)) = read() else {
        return;
    };
    for queue in workers.values().filter_map(Value::as_array).flatten() {
        if let Some(name) = queue["name"].as_str() {
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
}
