//! The provider's keys, and whether it signed something. `jsonwebtoken` reads, ring checks.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Validation,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    decode, decode_header,
    errors::ErrorKind,
    jwk::{Jwk, PublicKeyUse},
    signature::{self, Verifier},
};
use ring::signature as checks;
use serde_json::{Map, Value};

/// Signatures that anybody can check and the provider alone can make. What both sides know a secret for
/// (HS256) is not among them, nor is `none`.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The keys of one provider.
pub(super) struct Keys(Vec<Key>);

struct Key {
    name: Option<String>,
    key: DecodingKey,
}

impl Keys {
    /// Those of a JWK set that signatures are checked with; others are left out.
    pub(super) fn of(set: &Value) -> Self {
        let all = set.get("keys").and_then(Value::as_array);
        let all = all.into_iter().flatten();
        let keys = all.filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
            let for_signatures = matches!(
                jwk.common.public_key_use,
                None | Some(PublicKeyUse::Signature)
            );
            for_signatures.then_some(Key {
                name: jwk.common.key_id.clone(),
                key: DecodingKey::from_jwk(&jwk).ok()?,
            })
        });
        Self(keys.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them is called that.
    pub(super) fn have(&self, name: &str) -> bool {
        self.0.iter().any(|key| key.name.as_deref() == Some(name))
    }

    /// What a token says, if one of the keys signed it. What it says is not looked at here.
    pub(super) fn claims(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let header = decode_header(token).map_err(|_| "it is no signed token")?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err("it is not signed in a way that only the provider can sign");
        }
        let mut validation = Validation::new(header.alg);
        // Looked at by `access::identity`, by our own clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        for key in &self.0 {
            if header.kid.is_some() && key.name.is_some() && header.kid != key.name {
                continue;
            }
            if let Ok(read) = decode::<Map<String, Value>>(token, &key.key, &validation) {
                return Ok(read.claims);
            }
        }
        Err("none of the provider's keys has signed it")
    }
}

/// The name of the key a token says it is signed with.
pub(super) fn names(token: &str) -> Option<String> {
    decode_header(token).ok()?.kid
}

/// Has ring check signatures, as it does for TLS.
pub(super) fn install() {
    // The whole process shares one; a second installation only says that it is there.
    let _ = RING.install_default();
}

static RING: CryptoProvider = CryptoProvider {
    // We sign nothing.
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Check {
            algorithm: *algorithm,
            key: key.clone(),
        }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Checks one signature.
struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let rsa = match self.algorithm {
            Algorithm::RS256 => Some(&checks::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Some(&checks::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Some(&checks::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Some(&checks::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Some(&checks::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Some(&checks::RSA_PSS_2048_8192_SHA512),
            _ => None,
        };
        let other: Option<&dyn checks::VerificationAlgorithm> = match self.algorithm {
            Algorithm::ES256 => Some(&checks::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Some(&checks::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Some(&checks::ED25519),
            _ => None,
        };
        let checked = match (self.key.kind(), rsa, other) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Some(rsa), None) => {
                checks::RsaPublicKeyComponents { n, e }.verify(rsa, message, signed)
            }
            (DecodingKeyKind::SecretOrDer(key), None, Some(other)) => {
                checks::UnparsedPublicKey::new(other, key).verify(message, signed)
            }
            _ => Err(ring::error::Unspecified),
        };
        checked.map_err(|_| signature::Error::new())
    }
}
