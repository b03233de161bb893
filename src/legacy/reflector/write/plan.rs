//! What one step changes in a row: decided here, without a database.

use super::{
    Column, RowWrite, WriteError, Written,
    events::{self, Events},
    json,
    row::Row,
    topics,
};
use crate::model::Event;

/// What is left to write.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) sets: Vec<Set>,
    /// For the recording's row.
    pub(super) workflow_id: Option<String>,
    pub(super) written: Written,
}

/// A column's new value.
#[derive(Debug, PartialEq)]
pub(super) struct Set {
    pub(super) column: &'static str,
    pub(super) sql_type: &'static str,
    pub(super) value: String,
}

const EMPTY: &str = "[]";

/// Captions of no topics.
const HEADER: &str = "WEBVTT\n";

impl Plan {
    pub(super) fn new(row: &Row, write: &RowWrite) -> Result<Self, WriteError> {
        let mut plan = Self::default();
        let mut columns = Vec::with_capacity(write.columns.len());
        for (column, value) in &write.columns {
            columns.push((*column, column.print(value)?));
        }
        let event = write.event.as_ref().map(without_nul);

        let kept = |text| if write.reset { None } else { text };
        let held = Events::read(kept(row.events.as_deref()))?;
        let event = match (&event, new_status(row, &columns)) {
            (Some(event), Some(is_new)) if events::is_status(event) => {
                Some(event).filter(|_| is_new)
            }
            (Some(event), _) if held.hold(event) => return Ok(plan),
            (event, _) => event.as_ref(),
        };

        if write.reset {
            plan.reset(row, &columns);
        }
        for (column, value) in columns {
            plan.column(row, column, value);
        }
        if let Some(event) = event {
            plan.written.event = true;
            if events::is_topic(event) {
                let told = topics::with(kept(row.topics.as_deref()), event)?;
                plan.set("topics", "json", told.topics);
                plan.set("webvtt", "text", told.webvtt);
            }
            plan.set("events", "json", held.with(event)?);
        }
        plan.written.columns = plan.sets.iter().map(|set| set.column).collect();
        Ok(plan)
    }

    fn reset(&mut self, row: &Row, columns: &[(Column, String)]) {
        let is_given = columns
            .iter()
            .any(|(column, _)| *column == Column::Participants);
        let participants = Column::Participants;
        for (column, held, is_wanted) in [
            ("events", row.events.as_deref(), true),
            ("topics", row.topics.as_deref(), true),
            ("participants", row.held(participants), !is_given),
        ] {
            let is_empty = held.is_some_and(|held| json::is_same_text(held, EMPTY));
            if is_wanted && !is_empty {
                self.set(column, "json", EMPTY.to_owned());
            }
        }
        if row.webvtt.as_deref() != Some(HEADER) {
            self.set("webvtt", "text", HEADER.to_owned());
        }
    }

    fn column(&mut self, row: &Row, column: Column, value: String) {
        if column == Column::WorkflowId {
            self.workflow_id = Some(value);
            return;
        }
        let held = row.held(column);
        let has_title = column == Column::Title && held.is_some_and(|title| !title.is_empty());
        if has_title || column.is_same(held, &value) {
            return;
        }
        self.set(column.as_str(), column.sql_type(), value);
    }

    /// The last value of a column counts.
    fn set(&mut self, column: &'static str, sql_type: &'static str, value: String) {
        self.sets.retain(|set| set.column != column);
        self.sets.push(Set {
            column,
            sql_type,
            value,
        });
    }
}

/// Whether the step changes the status; none where it says nothing of it.
fn new_status(row: &Row, columns: &[(Column, String)]) -> Option<bool> {
    let given = columns
        .iter()
        .rev()
        .find(|(column, _)| *column == Column::Status);
    given.map(|(_, status)| row.held(Column::Status) != Some(status.as_str()))
}

fn without_nul(event: &Event) -> Event {
    Event {
        event: json::plain_text(&event.event).into_owned(),
        data: json::plain(&event.data),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn write(columns: &[(Column, Value)], event: Option<(&str, Value)>) -> RowWrite {
        RowWrite {
            columns: columns.to_vec(),
            event: event.map(|(name, data)| Event {
                event: name.to_owned(),
                data,
            }),
            reset: false,
        }
    }

    fn plan(row: &Row, write: &RowWrite) -> Vec<(&'static str, String)> {
        let plan = Plan::new(row, write).unwrap();
        let set = |set: Set| (set.column, set.value);
        plan.sets.into_iter().map(set).collect()
    }

    #[test]
    fn a_status_that_is_there_is_neither_written_nor_told() {
        let row = Row::of(&[(Column::Status, "ended")]);
        let ended = write(
            &[(Column::Status, json!("ended"))],
            Some(("STATUS", json!({ "value": "ended" }))),
        );
        assert_eq!(plan(&row, &ended), []);
    }

    #[test]
    fn a_new_status_is_told_even_if_it_was_told_in_the_past() {
        let mut row = Row::of(&[(Column::Status, "processing")]);
        row.events = Some(r#"[{"event": "STATUS", "data": {"value": "error"}}]"#.to_owned());
        let error = write(
            &[(Column::Status, json!("error"))],
            Some(("STATUS", json!({ "value": "error" }))),
        );
        let event = r#"{"event": "STATUS", "data": {"value": "error"}}"#;
        assert_eq!(
            plan(&row, &error),
            [
                ("status", "error".to_owned()),
                ("events", format!("[{event}, {event}]"))
            ]
        );
    }

    #[test]
    fn a_step_whose_event_is_there_leaves_what_people_edited_since() {
        let mut row = Row::of(&[(Column::LongSummary, "edited")]);
        let data = json!({ "long_summary": "as made" });
        row.events = Some(json!([{ "event": "FINAL_LONG_SUMMARY", "data": data }]).to_string());
        let step = write(
            &[(Column::LongSummary, json!("as made"))],
            Some(("FINAL_LONG_SUMMARY", data)),
        );
        assert_eq!(plan(&row, &step), []);
    }

    #[test]
    fn a_title_is_kept_and_the_new_one_told() {
        let told = json!({ "title": "New" });
        let step = write(
            &[(Column::Title, json!("New"))],
            Some(("FINAL_TITLE", told)),
        );
        for (row, names) in [
            (Row::of(&[(Column::Title, "Old")]), vec!["events"]),
            (Row::of(&[(Column::Title, "")]), vec!["title", "events"]),
            (Row::of(&[]), vec!["title", "events"]),
        ] {
            let plan = Plan::new(&row, &step).unwrap();
            assert_eq!(plan.written.columns, names);
            assert!(plan.written.event && plan.written.changed());
        }
    }

    #[test]
    fn a_reset_empties_the_four_and_a_second_one_nothing() {
        let reset = RowWrite {
            reset: true,
            ..RowWrite::default()
        };
        let mut row = Row::of(&[(Column::Participants, "null"), (Column::Title, "T")]);
        let emptied = plan(&row, &reset);
        assert_eq!(
            emptied,
            [
                ("events", EMPTY.to_owned()),
                ("topics", EMPTY.to_owned()),
                ("participants", EMPTY.to_owned()),
                ("webvtt", "WEBVTT\n".to_owned()),
            ]
        );
        row = Row::of(&[(Column::Participants, "[]"), (Column::Title, "T")]);
        (row.events, row.topics) = (Some("[]".to_owned()), Some("[ ]".to_owned()));
        row.webvtt = Some("WEBVTT\n".to_owned());
        assert_eq!(plan(&row, &reset), []);
    }

    #[test]
    fn what_comes_with_a_reset_outlives_it() {
        let mut row = Row::of(&[(Column::Participants, "[1]")]);
        row.events = Some(r#"[{"event": "A", "data": {}}]"#.to_owned());
        let step = RowWrite {
            reset: true,
            ..write(&[(Column::Participants, json!([]))], Some(("A", json!({}))))
        };
        let sets = plan(&row, &step);
        assert!(sets.contains(&("participants", "[]".to_owned())));
        assert!(sets.contains(&("events", r#"[{"event": "A", "data": {}}]"#.to_owned())));
    }
}
