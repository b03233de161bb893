//! Everything that is no row and no post: messages, objects, files, the customer's webhook.

use super::{Delivered, Delivery, GatewayError, steps::Step};
use crate::{
    contract::webhook::{self, Answer},
    legacy::reflector::Told,
    model::{HttpRequest, Published},
    rollout::Isolation,
    store::{Effect, EffectState, IntentKind},
};

impl Delivery<'_> {
    /// Does one step, unless it is done.
    pub(super) async fn carry_out(
        &self,
        step: &Step<'_>,
        delivered: &mut Delivered,
    ) -> Result<(), GatewayError> {
        let effect = match step {
            Step::Row(row) => return self.write_row(row).await,
            Step::One(effect) => *effect,
        };
        match effect.intent.kind {
            IntentKind::Zulip => delivered.zulip_message_id = self.zulip(effect).await?,
            IntentKind::Webhook => delivered.webhook_status = self.webhook(effect).await?,
            IntentKind::Message
            | IntentKind::PutObject
            | IntentKind::DeleteObject
            | IntentKind::PutFile
            | IntentKind::DeleteFile => self.repeatable(effect).await?,
            IntentKind::Column | IntentKind::Event | IntentKind::Reset => {
                self.write_row(&[effect]).await?;
            }
        }
        Ok(())
    }

    /// What may be done twice: the second time changes nothing.
    async fn repeatable(&self, effect: &Effect) -> Result<(), GatewayError> {
        if effect.state == EffectState::Confirmed || !self.claim(effect).await? {
            return Ok(());
        }
        match self.act(effect).await {
            Ok(()) => self.settle(effect, EffectState::Confirmed, None).await,
            Err(error) => Err(self
                .give_back(effect, EffectState::Unknown, None, error)
                .await),
        }
    }

    async fn act(&self, effect: &Effect) -> Result<(), GatewayError> {
        let (outside, intent) = (self.outside, &effect.intent);
        match intent.kind {
            IntentKind::Message => self.tell(effect).await,
            IntentKind::PutObject => {
                let (bucket, key) = place(&intent.target)?;
                let made = Isolation::of_live(&self.run.id).key(key);
                let copied = outside.objects.copy(bucket, made.as_str(), key).await;
                copied.map_err(of_objects)
            }
            IntentKind::DeleteObject => {
                let (bucket, key) = place(&intent.target)?;
                outside
                    .objects
                    .delete(bucket, key)
                    .await
                    .map_err(of_objects)
            }
            IntentKind::PutFile | IntentKind::DeleteFile => self.local(effect).await,
            kind => Err(GatewayError::refused(format!(
                "`{}` is no effect that may be repeated",
                kind.as_str()
            ))),
        }
    }

    async fn tell(&self, effect: &Effect) -> Result<(), GatewayError> {
        let publisher = self.outside.publisher.as_ref().ok_or_else(|| {
            let name = &self.run.environment;
            GatewayError::refused(format!(
                "browsers are told through Redis, and the settings have no `environments.{name}.legacy.redis_url`"
            ))
        })?;
        let message = Published {
            channel: effect.intent.target.clone(),
            payload: effect.intent.content.clone(),
        };
        let recording = &self.run.recording_id;
        let told = publisher
            .publish(self.live, recording, &effect.key, &message)
            .await
            .map_err(|error| GatewayError::Retry(error.into()))?;
        match told {
            Told::Published | Told::AlreadyTold => Ok(()),
            Told::Fenced => Err(GatewayError::Fenced),
        }
    }

    /// A file in Reflector's data folder; where it is not shared there is none to keep.
    async fn local(&self, effect: &Effect) -> Result<(), GatewayError> {
        let Some(folder) = &self.outside.data_dir else {
            return Ok(());
        };
        let (transcript, intent) = (&self.run.transcript_id, &effect.intent);
        let done = match intent.kind {
            IntentKind::PutFile => {
                let text = &intent.content;
                folder.write_waveform(self.live, transcript, text).await
            }
            _ => folder.delete_audio(self.live, transcript).await,
        };
        done.map_err(|error| GatewayError::Retry(error.into()))
    }

    /// Calls the customer once. A failed call is another attempt's to repeat, under the same event
    /// id, as the engine's retry policy says.
    async fn webhook(&self, effect: &Effect) -> Result<Option<u16>, GatewayError> {
        let answered =
            |answer: &Option<String>| answer.as_deref().and_then(|text| text.parse().ok());
        if effect.state == EffectState::Confirmed {
            return Ok(answered(&effect.answer));
        }
        let Some(effect) = &self.claim_known(effect).await? else {
            return Ok(answered(&effect.answer));
        };
        let kept: HttpRequest = serde_json::from_str(&effect.intent.content)
            .map_err(|_| GatewayError::refused("the kept webhook request is no JSON"))?;
        let secret = self.run.subject.room.as_ref();
        let secret = secret.and_then(|room| room.webhook_secret.as_deref());
        let request = webhook::again(&kept, effect.attempts, secret, self.now())
            .map_err(|error| GatewayError::Refused(error.into()))?;
        let status = match self.outside.webhook.send(self.live, &request).await {
            Ok(status) => status,
            Err(error) => {
                let error = GatewayError::Retry(error.into());
                return Err(self
                    .give_back(effect, EffectState::Unknown, None, error)
                    .await);
            }
        };
        let answer = status.to_string();
        match Answer::of(status) {
            Answer::Delivered | Answer::Refused => {
                self.settle(effect, EffectState::Confirmed, Some(&answer))
                    .await?;
                Ok(Some(status))
            }
            Answer::TryAgain => {
                let error =
                    GatewayError::retry(format!("the customer's webhook answered {status}"));
                let unknown = EffectState::Unknown;
                Err(self.give_back(effect, unknown, Some(&answer), error).await)
            }
        }
    }
}

/// `bucket/key`; bucket names have no slash.
fn place(target: &str) -> Result<(&str, &str), GatewayError> {
    target
        .split_once('/')
        .ok_or_else(|| GatewayError::refused(format!("`{target}` names no object")))
}

fn of_objects(error: crate::objects::Error) -> GatewayError {
    if error.kind == crate::objects::ErrorKind::Transient {
        GatewayError::Retry(error.into())
    } else {
        GatewayError::Refused(error.into())
    }
}
