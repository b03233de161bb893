//! Signing in at a provider: what we send along, and what its answer has to say (OpenID Connect
//! Core 1.0, 3.1.3.7; PKCE is RFC 7636).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What is made up for one sign-in, and nobody else knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Comes back with the person, and with their cookie.
    pub state: String,
    /// The provider's answer has to name it.
    pub nonce: String,
    /// Proves to the provider that it was us who sent the person.
    pub verifier: String,
}

impl Challenge {
    /// What the provider is told of the verifier.
    pub fn code_challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

/// Who the provider says somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who they are to the provider, for good.
    pub subject: String,
    /// How they are called here.
    pub name: String,
    /// What they belong to.
    pub groups: Vec<String>,
}

/// What an answer has to say to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Who has to have made it.
    pub issuer: &'a str,
    /// Whom it has to be made for.
    pub client_id: &'a str,
    /// What we sent along.
    pub nonce: &'a str,
    /// Which claim is the name.
    pub name_claim: &'a str,
    /// Which claim holds the groups.
    pub groups_claim: &'a str,
}

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// They tried too often.
    #[error("that was tried too often; try again in {} s", .0.num_seconds().max(1))]
    TooOften(chrono::TimeDelta),
    /// What they came back with is not what we sent along, or was used before.
    #[error("{0}")]
    Stale(String),
    /// The provider does not answer, or not as one does.
    #[error("the sign-in provider is of no help: {0}")]
    Provider(String),
    /// What was shown does not say who they are, or they have no role here.
    #[error("{0}")]
    Refused(String),
}

/// Seconds that two clocks may differ.
const LEEWAY_S: i64 = 60;

/// Seconds after which an answer is no answer to somebody who just signed in.
const OLDEST_S: i64 = 600;

/// Groups beyond that are not looked at.
const MOST_GROUPS: usize = 500;

/// Who the claims of an ID token say somebody is, its signature being checked already.
pub fn identity(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Identity, NotSignedIn> {
    let wrong = |why: &str| {
        Err(NotSignedIn::Refused(format!(
            "the provider's answer does not count: {why}; sign in again"
        )))
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(seconds);
    let now = now.timestamp();
    if text("iss") != Some(expected.issuer) {
        return wrong("somebody else made it");
    }
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&expected.client_id) {
        return wrong("it was made for somebody else");
    }
    match text("azp") {
        Some(party) if party != expected.client_id => {
            return wrong("it was made for somebody else to use");
        }
        None if audience.len() > 1 => {
            return wrong("it was made for several, and names none of them");
        }
        _ => {}
    }
    if time("exp").is_none_or(|expires| now >= expires + LEEWAY_S) {
        return wrong("its time is over");
    }
    if !time("iat").is_some_and(|made| (now - OLDEST_S..=now + LEEWAY_S).contains(&made)) {
        return wrong("it was not made just now; see whether the clocks here and there are right");
    }
    if time("nbf").is_some_and(|from| now < from - LEEWAY_S) {
        return wrong("its time has not come");
    }
    if !text("nonce").is_some_and(|nonce| super::is_same(nonce, expected.nonce)) {
        return wrong("it answers another sign-in");
    }
    let Some(subject) = text("sub").filter(|subject| !subject.is_empty()) else {
        return wrong("it does not say who you are");
    };
    let claim = expected.name_claim;
    if claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false)) {
        return wrong("it says that your address was never verified");
    }
    let Some(name) = text(claim).map(str::trim).filter(|name| is_name(name)) else {
        let why = format!("it has no `{claim}` to call you by (`access.oidc.name_claim`)");
        return wrong(&why);
    };
    let groups = match claims.get(expected.groups_claim) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => {
            let several = several.iter().filter_map(Value::as_str);
            several.take(MOST_GROUPS).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Ok(Identity {
        subject: subject.to_owned(),
        name: name.to_owned(),
        groups,
    })
}

/// Whether somebody can be called that.
pub fn is_name(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty() && name.chars().count() <= 200 && !name.chars().any(char::is_control)
}

/// A time as JSON has it; some write it with a fraction.
#[allow(
    clippy::cast_possible_truncation,
    reason = "seconds since the epoch are far below 2^53"
)]
fn seconds(value: &Value) -> Option<i64> {
    let whole = value.as_i64();
    whole.or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://login.example.test",
        client_id: "switchyard",
        nonce: "nonce",
        name_claim: "email",
        groups_claim: "groups",
    };

    fn now() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().expect("a time")
    }

    fn good() -> Map<String, Value> {
        let at = now().timestamp();
        let claims = json!({
            "iss": EXPECTED.issuer, "aud": "switchyard", "sub": "1", "nonce": "nonce",
            "iat": at, "exp": at + 300, "email": "ana@example.test", "groups": ["ops", "all"],
        });
        claims.as_object().expect("an object").clone()
    }

    #[test]
    fn an_answer_says_who_somebody_is_and_what_they_belong_to() {
        let told = identity(&good(), &EXPECTED, now()).expect("it counts");
        assert_eq!(told.name, "ana@example.test");
        assert_eq!(told.groups, ["ops", "all"]);
        let mut several = good();
        several.insert("aud".to_owned(), json!(["switchyard", "another"]));
        several.insert("azp".to_owned(), json!("switchyard"));
        assert!(identity(&several, &EXPECTED, now()).is_ok());
    }

    #[test]
    fn an_answer_that_is_not_for_us_not_now_or_not_to_this_question_does_not_count() {
        let at = now().timestamp();
        for (claim, value) in [
            ("iss", json!("https://login.example.test/")),
            ("iss", Value::Null),
            ("aud", json!("another")),
            ("aud", json!([])),
            ("aud", json!(["switchyard", "another"])),
            ("azp", json!("another")),
            ("exp", json!(at - 61)),
            ("exp", json!("never")),
            ("iat", json!(at - 601)),
            ("iat", json!(at + 61)),
            ("iat", Value::Null),
            ("nbf", json!(at + 61)),
            ("nonce", json!("another")),
            ("nonce", Value::Null),
            ("sub", json!("")),
            ("email", json!(" ")),
            ("email", json!("ana\nbo")),
            ("email_verified", json!(false)),
        ] {
            let mut claims = good();
            claims.insert(claim.to_owned(), value.clone());
            assert!(
                identity(&claims, &EXPECTED, now()).is_err(),
                "{claim} {value}"
            );
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        // RFC 7636, appendix B.
        let challenge = Challenge {
            state: String::new(),
            nonce: String::new(),
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
        };
        let expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(challenge.code_challenge(), expected);
    }
}
