//! Requests that may be sent again: whoever sends one names it by a key of their own, and the same key
//! gets the same answer without anything being done twice.
//!
//! What is kept of the key is a hash, and what is kept of the answer is locked by the key: our database
//! alone tells neither. That takes keys nobody can guess, so short ones are refused.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

/// The shortest key: as long as 64 random bits are in hex.
const SHORTEST: usize = 16;

/// The longest.
const LONGEST: usize = 200;

/// A key under which a request may be sent again, of one caller.
#[derive(Clone)]
pub struct RepeatKey {
    key: hmac::Key,
}

/// What was sent is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`Idempotency-Key`: send a fresh UUID, or other 16 to 200 letters, digits and signs nobody guesses"
)]
pub struct NoKey;

impl RepeatKey {
    /// Reads the header's value, with quotation marks or without; `caller` is whose key it is.
    pub fn parse(sent: &str, caller: &str) -> Result<Self, NoKey> {
        let sent = sent.trim();
        let quoted = sent
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let bare = quoted.unwrap_or(sent);
        let may = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !(SHORTEST..=LONGEST).contains(&bare.len()) || !bare.bytes().all(may) {
            return Err(NoKey);
        }
        let of_caller = hmac::Key::new(hmac::HMAC_SHA256, bare.as_bytes());
        let tag = hmac::sign(&of_caller, format!("caller {caller}").as_bytes());
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref()),
        })
    }

    /// What the key is known by.
    pub fn hash(&self) -> String {
        hex::encode(hmac::sign(&self.key, b"key"))
    }

    /// What a request is known by, which is another for another address or body.
    pub fn of_request(&self, address: &str, body: &[u8]) -> String {
        let mut all = hmac::Context::with_key(&self.key);
        all.update(b"request ");
        all.update(&(address.len() as u64).to_be_bytes());
        all.update(address.as_bytes());
        all.update(body);
        hex::encode(all.sign())
    }

    /// Locks an answer; `once` is as many random bytes, for this answer alone.
    pub fn lock(&self, once: [u8; NONCE_LEN], answer: &[u8]) -> Option<String> {
        let mut locked = answer.to_vec();
        let nonce = Nonce::assume_unique_for_key(once);
        self.cipher()?
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut locked)
            .ok()?;
        Some(STANDARD.encode([&once[..], &locked].concat()))
    }

    /// Unlocks it; none where it was locked by another key.
    pub fn unlock(&self, locked: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD.decode(locked).ok()?;
        let (once, answer) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(once).ok()?;
        let opened = self.cipher()?.open_in_place(nonce, Aad::empty(), answer);
        opened.ok().map(|opened| opened.to_vec())
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let tag = hmac::sign(&self.key, b"answer");
        let key = UnboundKey::new(&AES_256_GCM, tag.as_ref()).ok()?;
        Some(LessSafeKey::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

    fn key(sent: &str, caller: &str) -> RepeatKey {
        RepeatKey::parse(sent, caller).unwrap_or_else(|error| panic!("{sent}: {error}"))
    }

    #[test]
    fn a_key_is_the_same_with_its_quotation_marks_and_anothers_is_another() {
        let hash = key(SENT, "ana").hash();
        assert_eq!(key(&format!(" \"{SENT}\" "), "ana").hash(), hash);
        assert_ne!(key(SENT, "bo").hash(), hash);
        assert!(!hash.contains(SENT));
    }

    #[test]
    fn what_could_be_guessed_or_is_no_text_is_no_key() {
        let long = "a".repeat(201);
        for sent in [
            "",
            "1",
            "123456789012345",
            "\"\"",
            "0123456789 0123456789",
            "übermütigeundsoweiter",
            &long,
        ] {
            assert!(RepeatKey::parse(sent, "ana").is_err(), "{sent}");
        }
        assert!(RepeatKey::parse(&"a".repeat(200), "ana").is_ok());
    }

    #[test]
    fn another_address_or_body_is_another_request() {
        let key = key(SENT, "ana");
        let of = |address: &str, body: &str| key.of_request(address, body.as_bytes());
        assert_eq!(of("/a", "{}"), of("/a", "{}"));
        assert_ne!(of("/a", "{}"), of("/a", "{ }"));
        assert_ne!(of("/a", "b{}"), of("/ab", "{}"));
    }

    #[test]
    fn only_the_key_that_locked_an_answer_unlocks_it() {
        let answer = "{\"hold\": \"h_1\", \"text\": \"naïve\"}".as_bytes();
        let locked = key(SENT, "ana")
            .lock([7; 12], answer)
            .expect("it is locked");
        assert!(!locked.contains("hold"));
        assert_eq!(key(SENT, "ana").unlock(&locked).as_deref(), Some(answer));
        assert_eq!(key(SENT, "bo").unlock(&locked), None);
        let other = SENT.replace('8', "9");
        assert_eq!(key(&other, "ana").unlock(&locked), None);
        for broken in ["", "AAAA", "?", &locked[..locked.len() - 8]] {
            assert_eq!(key(SENT, "ana").unlock(broken), None, "{broken}");
        }
    }
}
