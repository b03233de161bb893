//! Daily: what a recording is and who took part in its meeting.

use std::{fmt, time::Duration};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    Error, Retry, Service,
    http::{Http, json},
};
use crate::model::RecordingId;

/// Daily's REST API.
pub struct Daily {
    http: Http,
}

/// A recording as Daily describes it. Fields without `Option` must be there, as the legacy has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Its id.
    pub id: RecordingId,
    /// The room's name at Daily, which has the date in it.
    pub room_name: String,
    /// When it began, in seconds since the epoch.
    pub start_ts: i64,
    /// Whether it is complete.
    pub status: RecordingStatus,
    /// The most people there were at a time.
    #[serde(default)]
    pub max_participants: Option<i64>,
    /// Whole seconds.
    pub duration: i64,
    /// Where its files lie.
    #[serde(default)]
    pub s3: Option<Storage>,
    /// Its files.
    #[serde(default)]
    pub tracks: Vec<Track>,
    /// The meeting, which participants are listed by.
    #[serde(default, alias = "mtgSessionId")]
    pub mtg_session_id: Option<String>,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingStatus {
    /// The meeting goes on.
    InProgress,
    /// Its files are whole.
    Finished,
}

/// Where Daily put a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The bucket.
    pub bucket_name: String,
    /// Its region.
    pub bucket_region: String,
    /// Set where it is not Amazon's.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// One file of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// What is in it.
    #[serde(rename = "type")]
    pub kind: TrackKind,
    /// Its key; Daily has spelt this in several ways.
    #[serde(alias = "s3Key", alias = "s3key")]
    pub s3_key: String,
    /// Bytes.
    pub size: i64,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackKind {
    /// A microphone, or the sound of a shared screen.
    Audio,
    /// A camera or a screen.
    Video,
}

/// Somebody who was in the meeting. A name is in here: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Reflector's user, where Daily was told.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Daily's id, which is in the names of the person's tracks.
    pub participant_id: String,
    /// The name the person entered.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Seconds since the epoch.
    pub join_time: i64,
    /// Seconds in the meeting.
    pub duration: i64,
}

impl fmt::Debug for Attendee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attendee({})", self.participant_id)
    }
}

#[derive(Deserialize)]
struct Attendees {
    data: Vec<Attendee>,
}

impl Daily {
    /// `url` is the API's root with its version, e.g. `https://api.daily.co/v1`.
    pub fn new(url: Url, api_key: &str, timeout: Duration, retry: Retry) -> anyhow::Result<Self> {
        let http = Http::new(Service::Daily, url, Some(api_key), timeout, retry)?;
        Ok(Self { http })
    }

    /// How long Daily may take for one answer, as in the legacy.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Describes a recording.
    pub async fn recording(&self, id: &RecordingId) -> Result<Recording, Error> {
        let asked = format!("asking for recording `{id}`");
        self.get(&asked, &["recordings", id.as_str()]).await
    }

    /// Lists who took part; the first page, as the legacy reads no other.
    pub async fn participants(&self, mtg_session_id: &str) -> Result<Vec<Attendee>, Error> {
        let asked = format!("asking for the participants of meeting `{mtg_session_id}`");
        let attendees: Attendees = self
            .get(&asked, &["meetings", mtg_session_id, "participants"])
            .await?;
        Ok(attendees.data)
    }

    async fn get<T: DeserializeOwned>(&self, asked: &str, path: &[&str]) -> Result<T, Error> {
        let url = self.http.url(path);
        let request = || {
            let json = HeaderValue::from_static("application/json");
            self.http
                .client()
                .get(url.clone())
                .header(CONTENT_TYPE, json)
        };
        Ok(self.http.call(asked, request, json).await?.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_tracks_key_is_read() {
        for key in ["s3Key", "s3key", "s3_key"] {
            let text = format!(r#"{{"type": "audio", "{key}": "a/b", "size": 3}}"#);
            let track: Track = serde_json::from_str(&text).expect("a known spelling");
            assert_eq!(track.s3_key, "a/b");
        }
    }

    #[test]
    fn printing_an_attendee_shows_no_name() {
        let text = r#"{"participant_id": "p1", "user_name": "Ana", "user_id": null,
                       "join_time": 1, "duration": 2}"#;
        let attendee: Attendee = serde_json::from_str(text).expect("it fits");
        assert_eq!(format!("{attendee:?}"), "Attendee(p1)");
    }
}
