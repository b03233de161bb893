//! Part of an object, piece by piece, for whoever passes it on as it comes.

use futures_util::stream::{self, BoxStream};

use super::{Error, ErrorKind, Objects, error::Asked};

/// Bytes as they come. One that is an error is the last.
pub type Pieces = BoxStream<'static, std::io::Result<Vec<u8>>>;

impl Objects {
    /// Bytes `first` to `last` of an object, both included. With `etag`, only while it is the same
    /// object.
    pub async fn pieces(
        &self,
        bucket: &str,
        key: &str,
        (first, last): (u64, u64),
        etag: Option<&str>,
    ) -> Result<Pieces, Error> {
        let asked = Asked::of_object("reading", bucket, key);
        let request = self.client.get_object().bucket(bucket).key(key);
        let request = request
            .range(format!("bytes={first}-{last}"))
            .set_if_match(etag.map(str::to_owned));
        let answer = request.send().await.map_err(|error| asked.failed(&error))?;
        let here = format!("bytes {first}-{last}/");
        let range = answer.content_range().unwrap_or_default();
        if !range.starts_with(&here) {
            return Err(asked.error(ErrorKind::Other, "the store gave another part"));
        }
        let state = Some((self.clone(), answer.body));
        Ok(Box::pin(stream::unfold(state, async |state| {
            let (objects, mut body) = state?;
            match objects.piece(&mut body).await {
                Ok(Some(piece)) => Some((Ok(piece.to_vec()), Some((objects, body)))),
                Ok(None) => None,
                Err(cause) => Some((Err(std::io::Error::other(cause)), None)),
            }
        })))
    }
}
