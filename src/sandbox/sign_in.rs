//! The sign-in provider: OpenID Connect with discovery, authorization code and PKCE, for a handful of
//! people. It answers truly unless told otherwise ([`SignInAnswers`]).

use std::{collections::HashMap, fmt::Write as _};

use anyhow::Context as _;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::{record::Call, server::Reply};

/// The one client it knows, and what shows that it is that. PKCE alone does as well.
pub const CLIENT: (&str, &str) = ("switchyard", "sandbox-secret");

/// Who can sign in, and the group of each.
pub const PEOPLE: [(&str, &str); 7] = [
    ("vi", "switchyard-viewers"),
    ("rey", "switchyard-reviewers"),
    ("ola", "switchyard-operators"),
    ("apo", "switchyard-approvers"),
    ("bo", "switchyard-approvers"),
    ("ada", "switchyard-admins"),
    ("stranger", "elsewhere"),
];

/// How it answers whoever redeems a code.
#[derive(Clone, Debug, Default)]
pub struct SignInAnswers {
    /// Claims that replace its own; null leaves one out.
    pub claims: Map<String, Value>,
    /// What it signs with.
    pub signing: Signing,
}

/// What ID tokens are signed with.
#[derive(Clone, Debug, Default)]
pub enum Signing {
    /// Its own key, made when it started.
    #[default]
    Own,
    /// This RSA key (PKCS #8), which it also publishes.
    Rsa(Vec<u8>),
    /// Another key under its own key's name, as somebody would who forges.
    Forged,
    /// Nothing: algorithm `none`.
    Nothing,
    /// The client's secret (HS256).
    Secret,
}

/// A code that was given out.
struct Code {
    person: String,
    group: String,
    nonce: String,
    challenge: String,
    redirect: String,
}

/// The provider.
pub(super) struct Provider {
    random: SystemRandom,
    key: EcdsaKeyPair,
    other_key: EcdsaKeyPair,
    codes: HashMap<String, Code>,
    pub(super) answers: SignInAnswers,
}

fn make_key(random: &SystemRandom) -> anyhow::Result<EcdsaKeyPair> {
    let doing = "sandbox: making a key";
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, random)
        .ok()
        .context(doing)?;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), random);
    key.ok().context(doing)
}

const OWN: &str = "sandbox-ec";
const RSA: &str = "sandbox-rsa";

impl Provider {
    pub(super) fn new() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        Ok(Self {
            key: make_key(&random)?,
            other_key: make_key(&random)?,
            random,
            codes: HashMap::new(),
            answers: SignInAnswers::default(),
        })
    }

    pub(super) fn answer(&mut self, call: &Call, now: DateTime<Utc>) -> anyhow::Result<Reply> {
        let host = call.header("host").unwrap_or("127.0.0.1");
        let issuer = format!("http://{host}/oidc");
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/.well-known/openid-configuration") => Ok(Reply::json(
                200,
                &json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "jwks_uri": format!("{issuer}/keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256", "RS256"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
                    "authorization_response_iss_parameter_supported": true,
                }),
            )),
            ("GET", "/keys") => Ok(Reply::json(200, &json!({ "keys": self.keys()? }))),
            ("GET", "/authorize") => Ok(self.authorize(call, &issuer)),
            ("POST", "/token") => self.token(call, &issuer, now),
            _ => Ok(Reply::json(404, &json!({ "error": "not_found" }))),
        }
    }

    fn keys(&self) -> anyhow::Result<Vec<Value>> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let mut keys = vec![
            json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "kid": OWN, "x": encode(x), "y": encode(y) }),
        ];
        if let Signing::Rsa(key) = &self.answers.signing {
            let key = rsa(key)?;
            let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
            keys.push(
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": RSA,
                "n": encode(&public.n),
                "e": encode(&public.e) }),
            );
        }
        Ok(keys)
    }

    /// Asks who is there, unless the request says so, and sends them back with a code.
    fn authorize(&mut self, call: &Call, issuer: &str) -> Reply {
        let told = |name: &str| call.parameter(name).unwrap_or_default();
        let wrong = |why: &str| {
            Reply::json(
                400,
                &json!({ "error": "invalid_request", "error_description": why }),
            )
        };
        if told("client_id") != CLIENT.0 {
            return wrong("no such client");
        }
        let Ok(mut back) = told("redirect_uri").parse::<Url>() else {
            return wrong("no address to send people back to");
        };
        if told("response_type") != "code" || told("code_challenge_method") != "S256" {
            return wrong("only the code flow with S256 is known");
        }
        let hint = told("login_hint");
        let person = PEOPLE.iter().find(|(name, _)| *name == hint);
        let Some((person, group)) = person else {
            return Reply::page(&who_are_you(call));
        };
        let code = uuid::Uuid::new_v4().simple().to_string();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &told("state"))
            .append_pair("iss", issuer);
        let given = Code {
            person: (*person).to_owned(),
            group: (*group).to_owned(),
            nonce: told("nonce"),
            challenge: told("code_challenge"),
            redirect: told("redirect_uri"),
        };
        self.codes.insert(code, given);
        Reply::redirect(back.as_str())
    }

    fn token(&mut self, call: &Call, issuer: &str, now: DateTime<Utc>) -> anyhow::Result<Reply> {
        let refused = |error: &str| Ok(Reply::json(400, &json!({ "error": error })));
        let told = |name: &str| call.form(name).unwrap_or_default();
        let basic = format!(
            "Basic {}",
            base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1))
        );
        let is_known = call
            .header("authorization")
            .is_none_or(|shown| shown == basic);
        if !is_known || told("client_id") != CLIENT.0 {
            return Ok(Reply::json(401, &json!({ "error": "invalid_client" })));
        }
        // A code is good once, whatever comes of it.
        let Some(code) = self.codes.remove(&told("code")) else {
            return refused("invalid_grant");
        };
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(told("code_verifier").as_bytes()));
        if told("grant_type") != "authorization_code"
            || told("redirect_uri") != code.redirect
            || proof != code.challenge
        {
            return refused("invalid_grant");
        }
        let at = now.timestamp();
        let claims = json!({
            "iss": issuer, "aud": CLIENT.0, "sub": format!("sub-{}", code.person),
            "nonce": code.nonce, "iat": at, "exp": at + 300,
            "email": format!("{}@example.test", code.person), "email_verified": true,
            "groups": [code.group],
        });
        let mut claims = claims.as_object().cloned().unwrap_or_default();
        for (name, value) in &self.answers.claims {
            if value.is_null() {
                claims.shift_remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
        let token = self.signed(&claims)?;
        Ok(Reply::json(
            200,
            &json!({ "access_token": "sandbox", "token_type": "Bearer",
            "expires_in": 300, "id_token": token }),
        ))
    }

    fn signed(&self, claims: &Map<String, Value>) -> anyhow::Result<String> {
        let (algorithm, key) = match &self.answers.signing {
            Signing::Own | Signing::Forged => ("ES256", OWN),
            Signing::Rsa(_) => ("RS256", RSA),
            Signing::Nothing => ("none", OWN),
            Signing::Secret => ("HS256", OWN),
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": key });
        let message = format!("{}.{}", encode(&header), encode(&json!(claims)));
        let by = |key: &EcdsaKeyPair| -> anyhow::Result<Vec<u8>> {
            let signed = key.sign(&self.random, message.as_bytes()).ok();
            Ok(signed.context("sandbox: signing")?.as_ref().to_vec())
        };
        let signature = match &self.answers.signing {
            Signing::Own => by(&self.key)?,
            Signing::Forged => by(&self.other_key)?,
            Signing::Rsa(key) => {
                let key = rsa(key)?;
                let mut signed = vec![0; key.public().modulus_len()];
                let made = key.sign(
                    &RSA_PKCS1_SHA256,
                    &self.random,
                    message.as_bytes(),
                    &mut signed,
                );
                made.ok().context("sandbox: signing with an RSA key")?;
                signed
            }
            Signing::Nothing => Vec::new(),
            Signing::Secret => {
                let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT.1.as_bytes())?;
                mac.update(message.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
        };
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn rsa(key: &[u8]) -> anyhow::Result<RsaKeyPair> {
    RsaKeyPair::from_pkcs8(key)
        .ok()
        .context("sandbox: the key is no RSA key as PKCS #8")
}

/// One link a person.
fn who_are_you(call: &Call) -> String {
    let query = call.query.as_deref().unwrap_or_default();
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "login_hint");
    let kept: Vec<_> = kept.collect();
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Who are you?</title><h1>Who are you?</h1><ul>",
    );
    for (person, group) in PEOPLE {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&kept).append_pair("login_hint", person);
        let query = query.finish().replace('&', "&amp;");
        let _ = write!(
            page,
            "<li><a href=\"?{query}\">{person}</a> of {group}</li>"
        );
    }
    page + "</ul></html>"
}

/// What a request is about, in the words faults use: whose code is redeemed is not told by it.
pub(super) fn about(call: &Call) -> String {
    call.path.trim_start_matches('/').to_owned()
}
