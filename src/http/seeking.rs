//! What a list of recordings is asked for: the same words in the addresses of pages and of the API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use super::{
    Error,
    field::{Field, one_of, text},
};
use crate::{
    access::Reach,
    compare::Verdict,
    model::{EnvironmentName, FlagName},
    report::evidence,
    store::{Place, RunStanding, Serves, Sought},
};

/// The same for the document of the API.
pub(super) const FIELDS: [Field; 8] = [
    text(
        "q",
        "part of a recording's, transcript's, room's or run's id",
        r#""rec_77""#,
    ),
    text("environment", "where", r#""staging""#),
    text("flag", "which migration", r#""daily_diarization_pipeline""#),
    one_of(
        "pipeline",
        &["control", "beside", "candidate", "unrouted"],
        "who serves, or works beside",
    ),
    text("state", "how the run stands, or `no_run`", r#""completed""#),
    text("verdict", "what comparing came to", r#""differs""#),
    text("since", "a day, a moment, or so long ago", r#""7d""#),
    text(
        "until",
        "a day, a moment, or so long ago",
        r#""2026-03-03""#,
    ),
];

/// Longer than any id.
const LONGEST: usize = 200;

/// The query of an address. What is empty narrows nothing, as forms send it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seeking {
    /// Part of a recording's, transcript's, room's or run's id.
    pub(super) q: String,
    pub(super) environment: String,
    pub(super) flag: String,
    /// `control`, `beside`, `candidate` or `unrouted`.
    pub(super) pipeline: String,
    /// That of the run, or `no_run`.
    pub(super) state: String,
    pub(super) verdict: String,
    /// A day, a moment, or `7d`.
    pub(super) since: String,
    pub(super) until: String,
    /// Where the page before this one ended.
    pub(super) before: String,
}

impl Seeking {
    /// What is looked for, of what may be seen.
    pub(super) fn sought(&self, reach: &Reach, now: DateTime<Utc>) -> Result<Sought, Error> {
        if let Some((name, _)) = self
            .fields()
            .into_iter()
            .find(|(_, value)| value.len() > LONGEST)
        {
            return Err(Error::BadRequest(format!(
                "`{name}` is longer than {LONGEST} bytes"
            )));
        }
        let time = |name: &str, text: &str| {
            let at = given(text)
                .map(|text| evidence::since(text, now))
                .transpose();
            at.map_err(|problem| Error::BadRequest(problem.replace("since", name)))
        };
        Ok(Sought {
            environments: self.environments(reach),
            flag: given(&self.flag).map(FlagName::new),
            serves: named("pipeline", &self.pipeline, Serves::parse, || {
                Serves::ALL.map(Serves::as_str).join("`, `")
            })?,
            standing: named("state", &self.state, RunStanding::parse, || {
                RunStanding::ALL.map(RunStanding::as_str).join("`, `")
            })?,
            verdict: named("verdict", &self.verdict, Verdict::parse, || {
                Verdict::ALL.map(Verdict::as_str).join("`, `")
            })?
            .map(|verdict| verdict.as_str().to_owned()),
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            text: given(&self.q).map(str::to_owned),
        })
    }

    /// The place the page begins behind; none where it is the first.
    pub(super) fn place(&self) -> Result<Option<Place>, Error> {
        named("before", &self.before, Place::parse, || {
            "what a page says as `next`".to_owned()
        })
    }

    /// Whether anything is narrowed.
    pub(super) fn narrows(&self) -> bool {
        let of_list = self.fields().into_iter();
        let mut of_list = of_list.filter(|(name, _)| *name != "before");
        of_list.any(|(_, value)| given(value).is_some())
    }

    /// The query that asks for the same, behind a place.
    pub(super) fn query(&self, before: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        let fields = self.fields().into_iter();
        for (name, value) in fields.filter(|(name, _)| *name != "before") {
            if let Some(value) = given(value) {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", before);
        }
        query.finish()
    }

    fn environments(&self, reach: &Reach) -> Option<Vec<EnvironmentName>> {
        let asked = given(&self.environment).map(EnvironmentName::new);
        match (asked, reach) {
            (None, Reach::All) => None,
            (None, Reach::Only(some)) => Some(some.iter().cloned().collect()),
            // What is not theirs to see is not told from what is not there.
            (Some(one), _) if !reach.has(&one) => Some(Vec::new()),
            (Some(one), _) => Some(vec![one]),
        }
    }

    fn fields(&self) -> [(&'static str, &str); 9] {
        [
            ("q", &self.q),
            ("environment", &self.environment),
            ("flag", &self.flag),
            ("pipeline", &self.pipeline),
            ("state", &self.state),
            ("verdict", &self.verdict),
            ("since", &self.since),
            ("until", &self.until),
            ("before", &self.before),
        ]
    }
}

/// What was typed, if anything was.
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Reads one of a few words.
fn named<T>(
    name: &str,
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    known: impl Fn() -> String,
) -> Result<Option<T>, Error> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let found = read(text);
    found
        .map(Some)
        .ok_or_else(|| Error::BadRequest(format!("`{name}` must be one of `{}`", known())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().expect("a time")
    }

    fn told(seeking: &Seeking) -> String {
        match seeking.sought(&Reach::All, now()).map(|_| seeking.place()) {
            Ok(Ok(_)) => "nothing is wrong".to_owned(),
            Err(Error::BadRequest(told)) | Ok(Err(Error::BadRequest(told))) => told,
            Err(other) | Ok(Err(other)) => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_empty_narrows_nothing() {
        let empty = Seeking {
            q: " ".to_owned(),
            ..Seeking::default()
        };
        let sought = empty.sought(&Reach::All, now()).expect("nothing is wrong");
        assert_eq!(sought, Sought::default());
        assert!(!empty.narrows());
        assert_eq!(empty.query(None), "");
    }

    #[test]
    fn a_query_asks_for_the_same_again() {
        let seeking = Seeking {
            q: "a b&c".to_owned(),
            state: "no_run".to_owned(),
            since: "7d".to_owned(),
            before: "xyz".to_owned(),
            ..Seeking::default()
        };
        assert_eq!(
            seeking.query(Some("next")),
            "q=a+b%26c&state=no_run&since=7d&before=next"
        );
        assert_eq!(seeking.query(None), "q=a+b%26c&state=no_run&since=7d");
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_can() {
        let of = |change: fn(&mut Seeking)| {
            let mut seeking = Seeking::default();
            change(&mut seeking);
            told(&seeking)
        };
        let pipeline = of(|seeking| seeking.pipeline = "celery".to_owned());
        assert_eq!(
            pipeline,
            "`pipeline` must be one of `control`, `beside`, `candidate`, `unrouted`"
        );
        assert!(of(|seeking| seeking.state = "odd".to_owned()).contains("`no_run`"));
        assert!(of(|seeking| seeking.verdict = "odd".to_owned()).contains("`within_noise`"));
        assert!(of(|seeking| seeking.before = "odd".to_owned()).contains("`before`"));
        let until = of(|seeking| seeking.until = "soon".to_owned());
        assert!(until.starts_with("`until` must be like `7d`"), "{until}");
        assert!(of(|seeking| seeking.q = "x".repeat(201)).contains("`q` is longer"));
    }

    #[test]
    fn only_what_may_be_seen_is_looked_for() {
        let staging = EnvironmentName::new("staging");
        let reach = Reach::Only(BTreeSet::from([staging.clone()]));
        let environments = |environment: &str, reach: &Reach| {
            let seeking = Seeking {
                environment: environment.to_owned(),
                ..Seeking::default()
            };
            let sought = seeking.sought(reach, now()).expect("nothing is wrong");
            sought.environments
        };
        assert_eq!(environments("", &reach), Some(vec![staging.clone()]));
        assert_eq!(environments("staging", &reach), Some(vec![staging]));
        assert_eq!(environments("production", &reach), Some(vec![]));
        assert_eq!(environments("", &Reach::All), None);
    }
}
