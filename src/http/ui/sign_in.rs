//! Signing in, at the provider or with a token, and out.

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::{
    super::{
        Door, Error, Needs, Routes,
        caller::{Visit, elsewhere, field, is_same_origin, offered},
        cookie::{Cookie, is_secure},
        error::PageError,
    },
    page,
};
use crate::{
    access::{Caller, NotSignedIn, csrf_of, is_same, local_path},
    controller::access::{Access, Offered, Returned, SignIn, Started, secret},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/sign-in", Needs::Nothing, ask)
        .get("/sign-in/provider", Needs::Nothing, begin)
        .get("/sign-in/callback", Needs::Nothing, finish)
        .post("/sign-in/token", Needs::Nothing, with_token)
        .post("/sign-out", Needs::SignedIn, sign_out)
}

/// Seconds a browser keeps what a sign-in that was begun is known by.
const ON_THE_WAY_S: i64 = 600;

#[derive(Serialize)]
struct SignInPage<'a> {
    /// The provider's host, if there is one.
    provider: Option<String>,
    /// Where signing in there begins.
    begin: String,
    /// The page that was asked for.
    to: &'a str,
    csrf: String,
    problem: Option<String>,
    signed_out: bool,
}

#[derive(Deserialize)]
struct Asked {
    to: Option<String>,
    signed_out: Option<String>,
}

async fn ask(
    State(door): State<Door>,
    visit: Visit,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let to = local_path(asked.to.as_deref().unwrap_or("/"));
    let shown = offered(&door.access, &headers);
    let is_in = match shown {
        Offered::Nothing => door.access.sign_in.is_none(),
        Offered::Bearer(_) => false,
        Offered::Cookie(_) => door.access.identify(shown, &visit.from).await?.is_ok(),
    };
    if is_in {
        return Ok(Redirect::to(to).into_response());
    }
    let signed_out = asked.signed_out.is_some();
    Ok(form(&door.access, &headers, to, None, signed_out)?)
}

/// The page, which knows its own form again.
fn form(
    access: &Access,
    headers: &HeaderMap,
    to: &str,
    problem: Option<&NotSignedIn>,
    signed_out: bool,
) -> Result<Response, Error> {
    let sign_in = configured(access)?;
    let secure = is_secure(&sign_in.public_url);
    let kept = Cookie::SigningIn.of(headers, secure);
    let known_by = kept.map_or_else(secret, str::to_owned);
    let issuer = sign_in.provider.as_ref().map(|provider| &provider.issuer);
    let shown = SignInPage {
        provider: issuer.map(|issuer| host_of(issuer)),
        begin: {
            let to: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
            format!("/sign-in/provider?to={to}")
        },
        to,
        csrf: csrf_of(&known_by),
        problem: problem.map(ToString::to_string),
        signed_out,
    };
    let mut response = page("sign_in.html", &shown)?.into_response();
    let cookie = Cookie::SigningIn.set(&known_by, Some(ON_THE_WAY_S), secure);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    if let Some(problem) = problem {
        *response.status_mut() = status_of(problem);
        if let NotSignedIn::TooOften(wait) = problem {
            let wait = HeaderValue::from(wait.num_seconds().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
    }
    Ok(response)
}

fn configured(access: &Access) -> Result<&SignIn, Error> {
    let sign_in = access.sign_in.as_deref();
    sign_in.ok_or_else(|| {
        Error::NotFound(
            "nobody has to sign in here, and nobody can; `access` in the settings turns it on"
                .to_owned(),
        )
    })
}

fn host_of(issuer: &str) -> String {
    let url = issuer.parse::<url::Url>().ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or("the provider").to_owned()
}

const fn status_of(problem: &NotSignedIn) -> StatusCode {
    match problem {
        NotSignedIn::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        NotSignedIn::Stale(_) => StatusCode::BAD_REQUEST,
        NotSignedIn::Provider(_) => StatusCode::BAD_GATEWAY,
        NotSignedIn::Refused(_) => StatusCode::FORBIDDEN,
    }
}

async fn begin(
    State(door): State<Door>,
    visit: Visit,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let secure = is_secure(&configured(&door.access)?.public_url);
    let to = asked.to.unwrap_or_default();
    match door.access.begin(&to, &visit.from).await? {
        Ok(begun) => {
            let cookie = Cookie::SigningIn.set(&begun.state, Some(ON_THE_WAY_S), secure);
            let away = Redirect::to(begun.url.as_str());
            Ok(([(header::SET_COOKIE, cookie)], away).into_response())
        }
        Err(problem) => Ok(form(
            &door.access,
            &headers,
            local_path(&to),
            Some(&problem),
            false,
        )?),
    }
}

/// What the provider sends somebody back with.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    iss: Option<String>,
    error: Option<String>,
}

async fn finish(
    State(door): State<Door>,
    visit: Visit,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, PageError> {
    let secure = is_secure(&configured(&door.access)?.public_url);
    let problem = if let Some(error) = &answer.error {
        // Anybody can write anything there.
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let error: String = error
            .chars()
            .filter(|letter| plain(*letter))
            .take(40)
            .collect();
        NotSignedIn::Refused(format!("the provider did not sign you in: {error}"))
    } else {
        let returned = Returned {
            state: &answer.state,
            cookie: Cookie::SigningIn.of(&headers, secure).unwrap_or_default(),
            code: &answer.code,
            issuer: answer.iss.as_deref(),
        };
        let replaces = Cookie::Session.of(&headers, secure);
        match door.access.finish(returned, &visit.from, replaces).await? {
            Ok(started) => return Ok(welcome(&door.access, &started, secure)),
            Err(problem) => problem,
        }
    };
    Ok(form(&door.access, &headers, "/", Some(&problem), false)?)
}

fn welcome(access: &Access, started: &Started, secure: bool) -> Response {
    let seconds = (started.ends_at - (access.clock)()).num_seconds();
    let mut response = Redirect::to(&started.leads_to).into_response();
    for cookie in [
        Cookie::Session.set(&started.secret, Some(seconds), secure),
        Cookie::SigningIn.forget(secure),
    ] {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn with_token(
    State(door): State<Door>,
    visit: Visit,
    headers: HeaderMap,
    form_sent: Bytes,
) -> Result<Response, PageError> {
    let secure = is_secure(&configured(&door.access)?.public_url);
    let sent = |name: &str| field(&form_sent, name).unwrap_or_default();
    let known_by = Cookie::SigningIn.of(&headers, secure);
    let is_ours = known_by.is_some_and(|known_by| is_same(&sent("csrf"), &csrf_of(known_by)));
    if !is_ours || !is_same_origin(&door.access, &headers) {
        return Err(elsewhere().into());
    }
    let replaces = Cookie::Session.of(&headers, secure);
    let to = sent("to");
    let token = sent("token");
    let signed = door
        .access
        .sign_in_with_token(&token, &visit.from, &to, replaces);
    match signed.await? {
        Ok(started) => Ok(welcome(&door.access, &started, secure)),
        Err(problem) => Ok(form(
            &door.access,
            &headers,
            local_path(&to),
            Some(&problem),
            false,
        )?),
    }
}

async fn sign_out(State(door): State<Door>, caller: Caller) -> Result<Response, PageError> {
    door.access.sign_out(&caller).await?;
    let secure = is_secure(&configured(&door.access)?.public_url);
    let cookie = Cookie::Session.forget(secure);
    let away = Redirect::to("/sign-in?signed_out=yes");
    Ok(([(header::SET_COOKIE, cookie)], away).into_response())
}
