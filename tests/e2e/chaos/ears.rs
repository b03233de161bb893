//! Listens to what browsers are told, across every restart of Redis.

use std::sync::Mutex;

use futures_util::StreamExt;
use switchyard::model::Published;

use super::place::Place;
use crate::program::until;

/// Everything heard so far. What is told while Redis comes back may be missed, and is then not
/// known to have been told twice.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Published>>);

impl Heard {
    pub fn all(&self) -> Vec<Published> {
        self.0.lock().expect("nobody panics with it").clone()
    }

    /// Does not end.
    pub async fn listen(&self, place: &Place) {
        let client = redis::Client::open(place.redis.url()).expect("a URL");
        loop {
            let mut listening = until("Redis", async || {
                let mut listening = client.get_async_pubsub().await.ok()?;
                let subscribed = listening.psubscribe(&["ts:*", "user:*"]).await;
                subscribed.ok().map(|()| listening)
            })
            .await;
            let mut messages = listening.on_message();
            while let Some(message) = messages.next().await {
                let heard = Published {
                    channel: message.get_channel_name().to_owned(),
                    payload: message.get_payload().expect("it is text"),
                };
                self.0.lock().expect("nobody panics with it").push(heard);
            }
        }
    }
}
