//! Which effects belong together: the columns and the event of one row write, as the legacy writes
//! them in one transaction.

use crate::store::{Effect, IntentKind};

/// What is done at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// One write of the transcript's row: columns, and at most one event, which ends it.
    Row(Vec<&'a Effect>),
    /// Anything else.
    One(&'a Effect),
}

impl Step<'_> {
    /// Whether it takes something away.
    pub fn deletes(&self) -> bool {
        match self {
            Self::Row(_) => false,
            Self::One(effect) => match effect.intent.kind {
                IntentKind::DeleteObject | IntentKind::DeleteFile => true,
                IntentKind::Column
                | IntentKind::Event
                | IntentKind::Reset
                | IntentKind::Message
                | IntentKind::Zulip
                | IntentKind::Webhook
                | IntentKind::PutObject
                | IntentKind::PutFile => false,
            },
        }
    }
}

/// A task's effects as steps, in order.
pub fn steps(effects: &[Effect]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut row = Vec::new();
    for effect in effects {
        let kind = effect.intent.kind;
        match kind {
            IntentKind::Column | IntentKind::Event => row.push(effect),
            IntentKind::Reset
            | IntentKind::Message
            | IntentKind::Zulip
            | IntentKind::Webhook
            | IntentKind::PutObject
            | IntentKind::DeleteObject
            | IntentKind::PutFile
            | IntentKind::DeleteFile => {}
        }
        if kind != IntentKind::Column && !row.is_empty() {
            steps.push(Step::Row(std::mem::take(&mut row)));
        }
        match kind {
            IntentKind::Column | IntentKind::Event => {}
            IntentKind::Reset => steps.push(Step::Row(vec![effect])),
            IntentKind::Message
            | IntentKind::Zulip
            | IntentKind::Webhook
            | IntentKind::PutObject
            | IntentKind::DeleteObject
            | IntentKind::PutFile
            | IntentKind::DeleteFile => steps.push(Step::One(effect)),
        }
    }
    if !row.is_empty() {
        steps.push(Step::Row(row));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{EffectState, Intent};

    fn effects(kinds: &[IntentKind]) -> Vec<Effect> {
        (0_i64..)
            .zip(kinds)
            .map(|(position, kind)| Effect {
                task_ref: "t".to_owned(),
                position,
                intent: Intent {
                    kind: *kind,
                    target: String::new(),
                    content: String::new(),
                },
                key: position.to_string(),
                state: EffectState::Reserved,
                attempts: 0,
                answer: None,
            })
            .collect()
    }

    /// Rows in brackets, others bare.
    fn shape(kinds: &[IntentKind]) -> String {
        let effects = effects(kinds);
        let shown = steps(&effects).into_iter().map(|step| match step {
            Step::Row(row) => format!(
                "[{}]",
                row.iter()
                    .map(|effect| effect.key.as_str())
                    .collect::<String>()
            ),
            Step::One(effect) => effect.key.clone(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_event_ends_the_write_its_columns_belong_to() {
        use IntentKind::{Column, DeleteObject, Event, Message, PutObject, Reset, Zulip};
        for (kinds, expected) in [
            (&[][..], ""),
            (&[Column, Event, Message, Message], "[01] 2 3"),
            (&[Column, Event, Message, PutObject, Column], "[01] 2 3 [4]"),
            (&[Column, Message, Reset, Column], "[0] 1 [2] [3]"),
            (
                &[Column, Event, Message, Column, Event, Message],
                "[01] 2 [34] 5",
            ),
            (&[Event, Event], "[0] [1]"),
            (&[Column, Column, Event], "[012]"),
            (&[DeleteObject, DeleteObject, Column], "0 1 [2]"),
            (&[Zulip], "0"),
        ] {
            assert_eq!(shape(kinds), expected, "{kinds:?}");
        }
    }
}
