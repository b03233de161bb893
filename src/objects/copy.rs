//! Copying within a bucket, without the bytes passing through us.

use std::fmt::Write;

use super::{Error, ErrorKind, Objects, error::Asked};

/// The protocol's bound for a copy in one request: 5 GiB.
const LARGEST: u64 = 5 << 30;

impl Objects {
    /// Copies an object to another key of its bucket, content type included, replacing what is
    /// there. Copying again changes nothing. Larger objects than 5 GiB are refused.
    pub async fn copy(&self, bucket: &str, from_key: &str, to_key: &str) -> Result<(), Error> {
        let asked = Asked::of_object("copying", bucket, from_key);
        let head = self
            .client
            .head_object()
            .bucket(bucket)
            .key(from_key)
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        let size = super::size(head.content_length());
        if size > LARGEST {
            let cause = format!(
                "{size} bytes, more than the {LARGEST} that a store copies in one request; \
                 copy it by hand, in parts"
            );
            return Err(asked.error(ErrorKind::Other, cause));
        }
        self.client
            .copy_object()
            .bucket(bucket)
            .copy_source(source(bucket, from_key))
            .key(to_key)
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        Ok(())
    }
}

/// The source as its header carries it: percent-encoded but for the slashes, which the client
/// library leaves to the caller.
fn source(bucket: &str, key: &str) -> String {
    let mut source = format!("{bucket}/");
    for byte in key.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => source.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => source.push(char::from(byte)),
            _ => write!(source, "%{byte:02X}").expect("a string takes any text"),
        }
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_encoded_but_for_its_slashes() {
        assert_eq!(source("b", "a/b c+é%.mp3"), "b/a/b%20c%2B%C3%A9%25.mp3");
    }
}
