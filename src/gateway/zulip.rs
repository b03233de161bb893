//! The post on Zulip, which must never be there twice.
//!
//! A post whose answer was lost is looked for before another is sent: our bot's message with the
//! transcript's link in the room's stream and topic. An edit may be repeated; one that Zulip
//! refuses becomes a new message, as in the legacy.

use super::{Delivery, GatewayError, error::of_provider};
use crate::{
    contract::zulip,
    legacy::reflector::{Column, RowWrite},
    model::HttpRequest,
    providers::{Fate, Sent, Zulip},
    store::{Effect, EffectState},
};

impl Delivery<'_> {
    /// Posts or edits, and notes a new message's id in the row. The message.
    pub(super) async fn zulip(&self, effect: &Effect) -> Result<Option<i64>, GatewayError> {
        if effect.state == EffectState::Confirmed {
            return Ok(message_of(effect));
        }
        let Some(effect) = &self.claim_known(effect).await? else {
            return Ok(message_of(effect));
        };
        let id = match (effect.state, message_of(effect)) {
            // It is posted; only the row does not know.
            (EffectState::Sent, Some(id)) => Some(id),
            _ => self.post(effect).await?,
        };
        let Some(id) = id else {
            // Edited: the row has the id already.
            self.settle(effect, EffectState::Confirmed, None).await?;
            return Ok(None);
        };
        let answer = id.to_string();
        if let Err(error) = self.note_message(id).await {
            let sent = EffectState::Sent;
            return Err(self.give_back(effect, sent, Some(&answer), error).await);
        }
        self.settle(effect, EffectState::Confirmed, Some(&answer))
            .await?;
        Ok(Some(id))
    }

    /// The new message; none where one was edited.
    async fn post(&self, effect: &Effect) -> Result<Option<i64>, GatewayError> {
        let bot = self.outside.zulip.as_ref().ok_or_else(|| {
            let name = &self.run.environment;
            GatewayError::refused(format!(
                "the room posts to Zulip, and the settings have no section `environments.{name}.zulip`"
            ))
        })?;
        let kept: HttpRequest = serde_json::from_str(&effect.intent.content)
            .map_err(|_| GatewayError::refused("the kept Zulip request is no JSON"))?;
        let edited = zulip::edited(&kept);
        let mut request = kept;
        if request.method == "PATCH" {
            match self.send(bot, effect, &request).await? {
                Sent::Edited => return Ok(None),
                Sent::Posted(id) => return Ok(Some(id)),
                Sent::EditRefused { .. } => {}
            }
            let address = self.run.subject.room.as_ref().and_then(zulip::address);
            request = address
                .and_then(|address| zulip::post_instead(&request, address.stream))
                .ok_or_else(|| GatewayError::refused("the room does not post to Zulip any more"))?;
        }
        if effect.attempts > 0
            && let Some(found) = self.find(bot, effect, edited).await?
        {
            return Ok(Some(found));
        }
        match self.send(bot, effect, &request).await? {
            Sent::Posted(id) => Ok(Some(id)),
            Sent::Edited | Sent::EditRefused { .. } => Ok(None),
        }
    }

    /// Sends once, and lets go of the effect if that fails.
    async fn send(
        &self,
        bot: &Zulip,
        effect: &Effect,
        request: &HttpRequest,
    ) -> Result<Sent, GatewayError> {
        match bot.send(self.live, request).await {
            Ok(sent) => Ok(sent),
            Err(error) => {
                let state = match error.fate() {
                    Fate::NotDone | Fate::Refused => EffectState::Reserved,
                    Fate::Unknown => EffectState::Unknown,
                };
                let error = of_provider(error);
                Err(self.give_back(effect, state, None, error).await)
            }
        }
    }

    /// Our own message on this transcript, if an earlier attempt got as far.
    async fn find(
        &self,
        bot: &Zulip,
        effect: &Effect,
        newer_than: Option<i64>,
    ) -> Result<Option<i64>, GatewayError> {
        let subject = &self.run.subject;
        let Some(address) = subject.room.as_ref().and_then(zulip::address) else {
            return Ok(None);
        };
        let link = zulip::link(&subject.ui_base_url, &subject.transcript.id);
        match bot.find(address, &link, newer_than).await {
            Ok(found) => Ok(found),
            Err(error) => {
                let (unknown, error) = (EffectState::Unknown, of_provider(error));
                Err(self.give_back(effect, unknown, None, error).await)
            }
        }
    }

    async fn note_message(&self, id: i64) -> Result<(), GatewayError> {
        let write = RowWrite {
            columns: vec![(Column::ZulipMessageId, id.into())],
            ..RowWrite::default()
        };
        self.write_row_apart(&write).await
    }
}

fn message_of(effect: &Effect) -> Option<i64> {
    effect
        .answer
        .as_deref()
        .and_then(|answer| answer.parse().ok())
}
